"""Articles: the facts of one thing in varied wording, and which sentence states which fact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from turnwise_envs.household.generator import Draws
from turnwise_envs.search.schema import LISTS, OF_KIND
from turnwise_envs.search.world import World

SENTENCES_A_PASSAGE = 4

_OPENINGS = {
    "person": ("{t}{a} was {n} {o}.", "{t}{a} left several notebooks and was {n} {o}."),
    "city": ("{t}{a} has a large market square.", "{t}{a} is known for its old walls."),
    "country": ("{t}{a} has mountains in the north.", "{t}{a} is a country with a long coast."),
    "river": ("{t} is navigable in its lower course.", "{t} floods in spring."),
    "university": ("{t}{a} has four faculties.", "{t}{a} keeps a well-known library."),
    "company": ("{t}{a} is a family business.", "{t}{a} survived several crises."),
    "novel": ("{t} is a novel in three parts.", "{t} is a novel about a lost inheritance."),
    "film": ("{t} is a film shot in black and white.", "{t} is a film about two rivals."),
    "museum": ("{t}{a} shows its collection on three floors.", "{t}{a} keeps rare drawings."),
    "band": ("{t} is a band known for long concerts.", "{t} is a band of five."),
}
_FILLERS = {
    "person": ("{s} never learned to swim.", "Letters by {s} were found in an attic."),
    "city": ("{s} holds a fair every summer.", "Trams have run in {s} for a long time."),
    "country": ("{s} issues stamps that collectors like.", "Winters in {s} are mild."),
    "river": ("Barges still use {s} today.", "Herons nest along {s}."),
    "university": ("{s} has a rowing club.", "The bell of {s} rings at noon."),
    "company": ("{s} prints its own calendar.", "The archive of {s} is open to visitors."),
    "novel": ("{s} was reprinted many times.", "Readers of {s} often quote its first line."),
    "film": ("{s} was restored from a single copy.", "Critics of the time disliked {s}."),
    "museum": ("{s} has a quiet inner court.", "Schools visit {s} every week."),
    "band": ("{s} never played on television.", "A street festival made {s} popular."),
}
_PRONOUNS = {
    "person": "this {o}",
    "city": "the city",
    "country": "the country",
    "river": "the river",
    "university": "the university",
    "company": "the company",
    "novel": "the novel",
    "film": "the film",
    "museum": "the museum",
    "band": "the band",
}
_NAMESAKES = (
    (
        "{t} Prize",
        "The {t} Prize is given every second year. It carries the name of {t}. The jury meets in "
        "public, and the winners are often young.",
    ),
    (
        "{t} Society",
        "The {t} Society collects documents about {t}. Its members publish a yearbook. The society "
        "takes no position on disputed questions.",
    ),
    (
        "{t} Street",
        "{t} Street is a quiet street with lime trees. It was named after {t}. A tram stop of the "
        "same name lies at its end.",
    ),
    (
        "{t} (locomotive)",
        "{t} was a steam locomotive. It was named after {t} and pulled express trains until it was "
        "scrapped. A model of it can be seen in a station hall.",
    ),
)


@dataclass(frozen=True, slots=True)
class Article:
    """One rendered article.

    Attributes:
        title: the title.
        passages: its texts, in order.
        sentences: relation ("list:" before it for lists) -> the sentence that states it.
    """

    title: str
    passages: tuple[str, ...]
    sentences: dict[str, str]


def mention(world: World, value: int | str, draws: Draws) -> str:
    """Returns a thing's title or, at the world's difficulty, its alias; a value as it is."""
    if isinstance(value, str):
        return value
    thing = world.things[value]
    share = world.difficulty.alias_share
    if share and thing.alias and draws.below(1000) < 1000 * share:
        return thing.alias
    return thing.title


def enumerate_names(names: Sequence[str]) -> str:
    """Returns "a, b and c"."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def render(world: World, number: int) -> Article:
    """Returns the article about a thing; equal for equal worlds."""
    thing = world.things[number]
    draws = Draws(world.seed + number)
    occupation = thing.occupation
    article = "an" if occupation[:1] in "aeiou" else "a"
    alias = f", also known as {thing.alias}," if thing.alias else ""
    wordings = world.difficulty.wordings
    opening = _OPENINGS[thing.kind][draws.below(min(wordings, 2))]
    opening = opening.format(t=thing.title, o=occupation, a=alias, n=article)
    pronoun = _PRONOUNS[thing.kind].format(o=occupation)
    stated: list[tuple[str, str]] = []
    for relation in OF_KIND[thing.kind]:
        if relation.name in thing.facts:
            wording = relation.says[draws.below(min(wordings, len(relation.says)))]
            target = mention(world, thing.facts[relation.name], draws)
            stated.append((relation.name, wording.replace("{o}", target)))
    for relation in LISTS[thing.kind]:
        members = world.subjects.get((relation.name, number), ())
        if members:
            wording = relation.lists[draws.below(min(wordings, len(relation.lists)))]
            names = enumerate_names([world.things[m].title for m in members])
            # This article is about the relation's target: the roles are swapped.
            text = wording.replace("{s}", names).replace("{o}", "{s}")
            stated.append((f"list:{relation.name}", text))
    filler = draws.shuffled(_FILLERS[thing.kind])[: draws.below(world.difficulty.filler + 1)]
    stated += [("", sentence) for sentence in filler]
    return _cut(thing.title, pronoun, [("", opening), *draws.shuffled(stated)], draws)


def _cut(title: str, pronoun: str, stated: list[tuple[str, str]], draws: Draws) -> Article:
    """Names the thing in each sentence and cuts the article into passages."""
    passages: list[list[str]] = []
    sentences: dict[str, str] = {}
    for place, (relation, wording) in enumerate(stated):
        if place % SENTENCES_A_PASSAGE == 0:
            passages.append([])
        # The first sentence of a passage says what it is about; others often do not.
        name = title if not passages[-1] or draws.below(3) == 0 else pronoun
        sentence = wording.replace("{s}", name).replace(",,", ",").replace(",.", ".")
        sentence = sentence[0].upper() + sentence[1:]
        passages[-1].append(sentence)
        if relation:
            sentences[relation] = sentence
    return Article(title, tuple(" ".join(passage) for passage in passages), sentences)


def passages(world: World) -> Iterator[tuple[str, str]]:
    """Yields (title, text) of every passage of the world, distractors last."""
    for number in range(len(world.things)):
        article = render(world, number)
        for text in article.passages:
            yield article.title, text
    draws = Draws(world.seed ^ 1)
    things = world.things
    for _ in range(round(world.difficulty.distractors * len(things))):
        namesake = things[draws.below(len(things))].title.removeprefix("The ")
        title, text = draws.choice(_NAMESAKES)
        yield title.format(t=namesake), text.format(t=namesake)
