"""The generated world: things, facts between them, and which split may ask about which of them.

Every fact stays within its group of things, and every split asks about one group, so questions of
two splits share no thing, neither in the question nor in the answer nor on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from turnwise_envs.errors import UsageError
from turnwise_envs.household.generator import Draws, seed_of
from turnwise_envs.search.names import Namer
from turnwise_envs.search.schema import (
    CURRENCIES,
    INDUSTRIES,
    OCCUPATIONS,
    RELATIONS,
    SEAS,
    SHARES,
    WORLD,
    Relation,
)

GROUP_SHARES = {
    "train": 0.28,
    "valid": 0.16,
    "test": 0.16,
    "ood_relations": 0.16,
    "ood_hops": 0.12,
    "stream": 0.12,
}
"""Share of all things that each split asks about."""

MIN_ARTICLES, MAX_ARTICLES = 1_200, 2_000_000


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard the same facts are to find.

    Attributes:
        wordings: how many of a relation's sentences and questions are used.
        alias_share: share of mentions that use an alias where there is one, in articles and
            questions.
        distractors: further articles about namesakes, per thing.
        filler: sentences without a fact, per article at most.
    """

    wordings: int
    alias_share: float
    distractors: float
    filler: int


DIFFICULTIES = {
    "easy": Difficulty(wordings=1, alias_share=0.0, distractors=0.0, filler=0),
    "normal": Difficulty(wordings=3, alias_share=0.0, distractors=0.15, filler=1),
    "hard": Difficulty(wordings=3, alias_share=0.5, distractors=0.4, filler=2),
}


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """What a world is made from.

    Attributes:
        num_articles: number of things, each with an article; distractors come on top.
        difficulty: a name in `DIFFICULTIES`.

    Raises:
        UsageError: If one of them cannot be used.
    """

    num_articles: int = 4_800
    difficulty: str = "normal"

    def __post_init__(self) -> None:
        if type(self.num_articles) is not int or not (
            MIN_ARTICLES <= self.num_articles <= MAX_ARTICLES
        ):
            raise UsageError(
                f"num_articles must be an integer in [{MIN_ARTICLES}, {MAX_ARTICLES}], "
                f"got {self.num_articles!r}."
            )
        if self.difficulty not in DIFFICULTIES:
            raise UsageError(
                f"difficulty must be one of {', '.join(DIFFICULTIES)}, got {self.difficulty!r}."
            )


@dataclass(slots=True)
class Thing:
    """One thing of the world.

    Attributes:
        title: its name, unique; the title of its article.
        kind: one of `schema.SHARES`.
        alias: another name, unique as well; "" where it has none.
        facts: relation -> number of the other thing, or the value as text.
        occupation: of people; else "".
    """

    title: str
    kind: str
    alias: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)
    occupation: str = ""


class World:
    """All things, by number, and the groups they belong to.

    Args:
        options: what to generate.

    Attributes:
        things: all of them; those of a group are neighbours.
        groups: split -> kind -> numbers of the things that it may ask about.
        subjects: (relation, thing) -> numbers of the things that have this relation to it.
    """

    def __init__(self, options: WorldOptions) -> None:
        self.options = options
        self.difficulty = DIFFICULTIES[options.difficulty]
        self.seed = seed_of(WORLD, options.num_articles, options.difficulty)
        self.things: list[Thing] = []
        self.groups: dict[str, dict[str, Sequence[int]]] = {}
        self.subjects: dict[tuple[str, int], list[int]] = {}
        draws = Draws(self.seed)
        namer = Namer(draws)
        for split, share in GROUP_SHARES.items():
            group: dict[str, Sequence[int]] = {}
            for kind, part in SHARES.items():
                first = len(self.things)
                for _ in range(max(4, round(options.num_articles * share * part))):
                    name = namer.name(kind)
                    self.things.append(Thing(name, kind, namer.alias(kind, name)))
                group[kind] = range(first, len(self.things))
            self.groups[split] = group
            _add_facts(self.things, group, draws, namer)
        for number, thing in enumerate(self.things):
            for name, target in thing.facts.items():
                if isinstance(target, int):
                    self.subjects.setdefault((name, target), []).append(number)

    def says(self, value: int | str) -> str:
        """Returns the title of a thing; a value as it is."""
        return self.things[value].title if isinstance(value, int) else value


def _add_facts(
    things: list[Thing], group: dict[str, Sequence[int]], draws: Draws, namer: Namer
) -> None:
    """Gives the things of one group their facts."""
    _add_people(things, group["person"], draws)
    rest = [r for r in RELATIONS if r.name not in ("birth_year", "spouse", "mentor", "capital")]
    for relation in rest:
        if relation.target in SHARES:
            subjects = group[relation.subject]
            targets = _targets(things, group, relation)
            for number, target in zip(subjects, _deal(targets, len(subjects), draws), strict=True):
                things[number].facts[relation.name] = target
    for relation in rest:
        if relation.target not in SHARES:
            for number in group[relation.subject]:
                things[number].facts[relation.name] = _value(things, number, relation, draws, namer)
    for number in group["country"]:
        cities = [c for c in group["city"] if things[c].facts["country"] == number]
        things[number].facts["capital"] = draws.choice(cities)


def _targets(
    things: list[Thing], group: dict[str, Sequence[int]], relation: Relation
) -> Sequence[int]:
    """Returns the things that a relation may lead to: novels are written by novelists."""
    wanted = {"author": "novelist", "director": "film director"}.get(relation.name)
    targets = group[relation.target]
    return [t for t in targets if things[t].occupation == wanted] if wanted else targets


def _deal(targets: Sequence[int], count: int, draws: Draws) -> list[int]:
    """Returns `count` targets, each of them about equally often."""
    dealt: list[int] = []
    while len(dealt) < count:
        dealt += draws.shuffled(targets)
    return dealt[:count]


def _add_people(things: list[Thing], people: Sequence[int], draws: Draws) -> None:
    """Gives people occupations, years of birth, spouses and mentors that fit together."""
    years = {}
    for i, number in enumerate(people):
        things[number].occupation = OCCUPATIONS[i % len(OCCUPATIONS)]
        born = 1870 if things[number].occupation == "film director" else 1780
        years[number] = born + draws.below(1951 - born)
        things[number].facts["birth_year"] = str(years[number])
    by_age = sorted(people, key=lambda number: (years[number], number))
    for rank in range(0, len(by_age) - 1, 4):  # every other pair of neighbours
        one, other = by_age[rank], by_age[rank + 1]
        things[one].facts["spouse"], things[other].facts["spouse"] = other, one
    for rank, number in enumerate(by_age):
        older = by_age[draws.below(rank)] if rank else number
        if years[older] + 15 <= years[number]:
            things[number].facts["mentor"] = older


_AFTER_BIRTH = {
    "published": ("author", 24, 40),
    "released": ("director", 24, 40),
    "started": ("founder", 20, 35),
    "established": ("patron", 30, 35),
    "opened": ("architect", 28, 35),
    "formed": ("leader", 17, 20),
}
"""Year of a thing -> (relation to a person, least age, number of years it may take longer)."""


def _value(things: list[Thing], number: int, relation: Relation, draws: Draws, namer: Namer) -> str:
    """Returns a value for a relation that leads to no thing."""
    if relation.name in _AFTER_BIRTH:
        person, least, span = _AFTER_BIRTH[relation.name]
        maker = things[number].facts[person]
        assert isinstance(maker, int)
        return str(int(things[maker].facts["birth_year"]) + least + draws.below(span))
    if relation.name == "language":
        return namer.language()
    if relation.target == "year":
        return str(900 + draws.below(900))
    if relation.target == "count":
        return f"{10_000 + draws.below(2_000_000):,}"
    if relation.target == "length":
        return f"{80 + draws.below(3_000)} km"
    words = {"industry": INDUSTRIES, "currency": CURRENCIES, "mouth": SEAS}[relation.name]
    return draws.choice(words)
