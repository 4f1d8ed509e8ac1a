"""Invented names: pronounceable, unique within a world, and from no real list."""

from __future__ import annotations

from collections.abc import Callable

from turnwise_envs.household.generator import Draws


def _words(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(separator))


_ONSETS = _words("b br c ch d dr f fl g gl gr h j k l m n p pl pr r s sh sk st t th tr v w z")
_INNER = _words("b d f g k l m n p r s t v z")
_VOWELS = _words("a e i o u a e i o ai ea ou")
_CODAS = _words("l ld m n nd ng r rd rk rn s st t th x")
_FIRST_NAMES = _words(
    "Ada Alvin Anneke Arlo Basil Beata Bruno Carla Cedric Clio Dario Delia Edda Edwin Elin "
    "Emil Enid Ewan Fabia Felix Flora Gilda Gregor Greta Hanno Hedda Hugo Ida Ingo Irma "
    "Isak Ivo Jonas Judit Kasimir Kira Lars Lea Leopold Lotte Magda Marek Mina Moritz Nadia "
    "Nils Nora Olaf Oda Oskar Petra Quentin Ragna Remo Rosa Rufus Selma Silas Stella Sven "
    "Tamar Thea Theo Tilda Udo Ursula Valentin Vera Viktor Wanda Wendel Xenia Yara Yorick "
    "Zelda Zeno"
)
_PLACE_ENDINGS = _words("ford haven mouth burg stad field holm wick ton dale bridge port")
_LAND_ENDINGS = _words("land ia mark onia eria")
_ADJECTIVES = _words(
    "Silent Golden Broken Distant Hidden Burning Frozen Crooked Last First Hollow Scarlet "
    "Pale Patient Restless Stolen Borrowed Bitter Quiet Wandering Narrow Endless Salt Paper "
    "Glass Iron Velvet Winter Autumn Midnight"
)
_NOUNS = _words(
    "Orchard Lantern Harbour Staircase Garden Letter Mirror Ferry Bridge Clock Compass Well "
    "Tower Window Meadow Island Shadow Season Journey Promise Voyage Threshold Atlas Ledger "
    "Cradle Kite Sparrow Heron Fox Stag"
)
_PLURALS = _words(
    "Sparrows Lanterns Foxes Stairs Harbours Mirrors Kites Herons Engines Meadows Pilots "
    "Gardeners Weavers Shadows Compasses Clocks"
)
_WORKS = _words("Works|& Sons|Brothers|Industries|Company|Foundry|Press|Line", "|")
_SCHOOLS = _words("University|College|Academy|Institute of Science|Polytechnic", "|")
_MUSEUMS = _words("Museum of Art|Museum of Science|Gallery|Museum of History|Collection", "|")
_SHORT_ENDINGS = _words("co ex ia on um or is us")
_NICKNAMES = _words(
    "City of Bells|Old Market|White City|Green Town|City of Bridges|Upper Town", "|"
)


class Namer:
    """Draws names and remembers them, so that none is given twice.

    Args:
        draws: where the randomness comes from.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._taken: set[str] = set()
        self._surnames: list[str] = []
        self._makers: dict[str, Callable[[], str]] = {
            "person": self._person,
            "city": lambda: self._word() + draws.choice(_PLACE_ENDINGS),
            "country": lambda: self._word() + draws.choice(_LAND_ENDINGS),
            "river": lambda: f"{self._word()} River",
            "university": lambda: f"{self._word()} {draws.choice(_SCHOOLS)}",
            "company": lambda: f"{self._word()} {draws.choice(_WORKS)}",
            "museum": lambda: f"{self._word()} {draws.choice(_MUSEUMS)}",
            "novel": self._work,
            "film": self._work,
            "band": lambda: f"The {self._word()} {draws.choice(_PLURALS)}",
        }

    def name(self, kind: str) -> str:
        """Returns a new name for a thing of this kind."""
        make = self._makers[kind]
        while True:
            name = make()
            key = name.casefold()
            if key not in self._taken:
                self._taken.add(key)
                return name

    def alias(self, kind: str, name: str) -> str:
        """Returns another name for it, new as well, or "" where its kind goes by one name."""
        words = name.split()
        if kind == "person":
            alias = f"{words[0][0]}. {words[1]}"
        elif kind == "city":
            alias = f"{self._draws.choice(_NICKNAMES)} of {self._word()}"
        elif kind == "country":
            alias = f"Republic of {self._word()}"
        elif kind in ("university", "company", "museum"):
            alias = words[0][:5] + self._draws.choice(_SHORT_ENDINGS)
        else:
            return ""
        if alias.casefold() in self._taken:
            return ""
        self._taken.add(alias.casefold())
        return alias

    def language(self) -> str:
        """Returns a new name for a language."""
        name = self._word() + "ese"
        self._taken.add(name.casefold())
        return name

    def _word(self) -> str:
        draws = self._draws
        word = draws.choice(_ONSETS) + draws.choice(_VOWELS)
        for _ in range(1 + (draws.below(3) == 0)):
            word += draws.choice(_INNER) + draws.choice(_VOWELS)
        return (word + draws.choice(_CODAS)).capitalize()

    def _person(self) -> str:
        draws = self._draws
        # Every third person shares a surname with somebody: namesakes are what search confuses.
        if self._surnames and draws.below(3) == 0:
            surname = draws.choice(self._surnames)
        else:
            surname = self._word()
            self._surnames.append(surname)
        return f"{draws.choice(_FIRST_NAMES)} {surname}"

    def _work(self) -> str:
        draws = self._draws
        title = f"The {draws.choice(_ADJECTIVES)} {draws.choice(_NOUNS)}"
        return title if draws.below(8) == 0 else f"{title} of {self._word()}"
