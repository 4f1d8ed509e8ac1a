"""Which words of a title are nouns, without a model.

The original asks spaCy's `en_core_web_sm` for words tagged NOUN or PROPN. Titles are written in
capitals, and in capitals that tagger takes almost every content word for a name; so the rule here
is: a capitalised word is a noun unless it is a function word, a lower-case word is a noun unless it
is in a list of words that mostly are not. `benchmarks/webshop_nouns.py` measures how often the
two give the same type factor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_][^\W_]*(?:[.&][^\W_]+)*|\d+[^\W\d_]+", re.UNICODE)

_FUNCTION_WORDS = """
a about above after again against all along also am among an and another any are around as at
be because been before behind being below beneath beside between beyond both but by can cannot
could did do does doing down during each either else etc even ever every everything few first
for from further get gets had has have having he her here hers him his how i if in inside into
is it its itself just like many may me might more most much must my neither never no nor not
nothing of off on once one only onto or other others our out over own per please quite rather
s same shall she should since so some such than that the their them themselves then there
these they this those through throughout to together too toward towards under until unlike up
upon us very via w was we well were what when where whether which while who whom whose why will
with within without would yes yet you your two three four five six seven eight nine ten t don
include includes including made makes provides works helps gives keeps allows designed
"""

_OTHER_WORDS = """
able active adhesive adjustable affordable all-in-one amazing antique artificial athletic
authentic automatic available baked basic beautiful best better big black blue bold bright
brown casual cheap chic classic clean clear cold colorful comfortable comfy compact compatible
complete convenient cool creative crunchy curly cute daily damaged dark decorative deep delicate
delicious different digital disposable double dry durable dynamic easy eco-friendly elastic
electric elegant elevated entire essential excellent exotic expandable extra fast faux fine firm
flexible flowy foldable formal free fresh friendly frizzy full functional funny generic gentle
genuine glossy golden good gorgeous gray great green grey handmade happy hard healthy heavy
herbal hidden high hot huge ideal indoor industrial innovative instant intense interior large
larger lasting latest light lightweight little long loose lovely low luxurious manual matte
mature max medium mini minimalist modern moist multi multicolor narrow natural neutral new nice
non novelty open orange organic original outdoor oval oversized packed perfect permanent
personal personalized pink plain plus pointed polarized popular portable powerful practical
premium professional protective pure purple quick quiet rare raw ready real rechargeable red
reclaimed refillable regular removable replaceable retro reusable rich right rigid round rustic
safe salty secure sensitive sexy sharp shiny short silent simple single sleek sleeveless slim
slow small smaller smart smooth soft solid special spicy square stable stainless sticky strong
stretchable stretchy stylish suitable super sweet tall temporary thick thin tight tiny top total
traditional transparent travel trendy ultra unique universal upgraded usable useful vertical
versatile vibrant vintage warm washable washed waterproof wet white whole wide wild wireless
wooden yellow young
absorb add apply attach bring carry choose clean come create cut eat enjoy feel find fit fits
give go grow help hold improve improves install keep last lasts leave let lift look looking
love make need open prevent protect pull put reduce relieve remove repair replace restore
restores run shop show sit stop store take try turn use used using wear wearing work
adjusted applied certified coated dried enriched fitted fried inspired lined listed needed
padded printed required scented sliced slicing inspired softening tested approved
"""


_FUNCTION = frozenset(_FUNCTION_WORDS.split())
_LOWER = frozenset(_OTHER_WORDS.split())


@lru_cache(maxsize=16384)
def nouns(title: str) -> tuple[str, ...]:
    """Returns the nouns of a title in order, lower case, repetitions kept."""
    found = []
    for word in _WORD.findall(title):
        low = word.lower()
        if low in _FUNCTION or (low in _LOWER and not word[0].isupper()):
            continue
        found.append(low)
    return tuple(found)


def title_score(bought: str, wanted: str, find: Callable[[str], Sequence[str]] = nouns) -> float:
    """Returns how much of the wanted title's nouns the bought title has, in [0, 1].

    The shared nouns are counted once, the wanted ones as often as they occur, as in the original;
    0.2 where the wanted title has none.

    Args:
        bought: a title.
        wanted: another.
        find: returns the nouns of a title, lower case.
    """
    mine, theirs = find(bought), find(wanted)
    return len(set(mine) & set(theirs)) / len(theirs) if theirs else 0.2
