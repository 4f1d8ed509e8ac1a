"""Questions about the generated world: chains of facts, comparisons, intersections and counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from turnwise_envs.household.generator import Draws, seed_of
from turnwise_envs.search.articles import mention, render
from turnwise_envs.search.question import MENU_ANSWERS, MENU_QUERIES, Question, Support
from turnwise_envs.search.schema import BY_NAME, COMPARED, COUNTED, OF_KIND, SAME, SHARES
from turnwise_envs.search.world import World

Spec = tuple[int | str, ...]
"""What a question is about, without its wording."""

MAX_COUNTED = 5
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five")
_OF_TWO = ("comparison", "yes_no", "intersection")
_ATTEMPTS = 24
"""Draws per wanted question; a small world runs out of new ones."""


def kinds(split: str, least: int, most: int) -> tuple[str, ...]:
    """Returns the types of question of a split.

    Args:
        split: name of the split; "ood_hops" asks chains of `most + 1` facts.
        least: facts in a chain at least.
        most: facts in a chain at most; with 1, nothing that needs two facts is asked.
    """
    if split == "ood_hops":
        return (f"bridge_{most + 1}",)
    chains = [f"bridge_{hops}" if hops > 1 else "single" for hops in range(least, most + 1)]
    if most < 2:
        return tuple(chains)
    if split == "ood_relations":  # few single facts are held out, and no lists to count in
        return (*(kind for kind in chains if kind != "single"), *_OF_TWO)
    return (*chains, *_OF_TWO, "counting")


class QuestionSpace:
    """The different questions of one type about one group of things.

    Args:
        world: what is asked about.
        split: which group.
        kind: one of `kinds`.
        count: number of different questions wanted; a small world may have fewer.
    """

    def __init__(self, world: World, split: str, kind: str, count: int) -> None:
        self._world = world
        self._group = world.groups[split]
        self._held_out = split == "ood_relations"
        self._draws = Draws(seed_of(world.seed, "questions", split, kind))
        self._kind = kind
        hops = int(kind.removeprefix("bridge_")) if kind.startswith("bridge_") else 1
        draw: Callable[[], Spec | None] = {
            "comparison": self._draw_comparison,
            "yes_no": self._draw_same,
            "intersection": self._draw_intersection,
            "counting": self._draw_counting,
        }.get(kind, partial(self._draw_chain, hops))
        found: dict[Spec, None] = {}
        for _ in range(_ATTEMPTS * count):
            spec = draw()
            if spec is not None:
                found[spec] = None
                if len(found) == count:
                    break
        self.specs = tuple(found)

    # ---------------------------------------------------------------- what to ask

    def _any(self, kind: str) -> int:
        return self._draws.choice(self._group[kind])

    def _draw_chain(self, hops: int) -> Spec | None:
        things, draws = self._world.things, self._draws
        here: int | str = self._any(draws.choice(tuple(SHARES)))
        path: list[int | str] = [here]
        been = {here}
        special = False
        for hop in range(hops):
            if not isinstance(here, int):
                return None
            options = [
                r
                for r in OF_KIND[things[here].kind]
                if r.name in things[here].facts
                and (self._held_out or not r.held_out)
                and (hop == hops - 1 or r.target in SHARES)
            ]
            if not options:
                return None
            relation = draws.choice(options)
            special = special or relation.held_out
            here = things[here].facts[relation.name]
            if here in been:
                return None
            been.add(here)
            path.append(relation.name)
        return tuple(path) if special == self._held_out else None

    def _draw_comparison(self) -> Spec | None:
        """(attribute, relation that leads to each operand or "", start, other start)."""
        things, draws = self._world.things, self._draws
        attribute = draws.choice(tuple(COMPARED))
        kind = BY_NAME[attribute].subject
        ways = [r for r in BY_NAME.values() if r.target == kind and r.held_out == self._held_out]
        via = ""
        if self._held_out or draws.below(2):
            if not ways:
                return None
            via = draws.choice(ways).name
        starts = BY_NAME[via].subject if via else kind
        one, other = self._any(starts), self._any(starts)
        a, b = (things[n].facts.get(via) if via else n for n in (one, other))
        if not isinstance(a, int) or not isinstance(b, int) or a == b:
            return None
        if as_number(things[a].facts[attribute]) == as_number(things[b].facts[attribute]):
            return None
        return attribute, via, one, other

    def _draw_same(self) -> Spec | None:
        """(relation, thing, other thing); every other time they share its target."""
        things, draws = self._world.things, self._draws
        names = [name for name in SAME if BY_NAME[name].held_out == self._held_out]
        name = draws.choice(names)
        one = self._any(BY_NAME[name].subject)
        target = things[one].facts.get(name)
        if not isinstance(target, int):
            return None
        if draws.below(2):
            other = draws.choice(self._world.subjects[name, target])
        else:
            other = self._any(BY_NAME[name].subject)
            if things[other].facts.get(name) == target:
                return None
        return None if one == other or name not in things[other].facts else (name, one, other)

    def _draw_intersection(self) -> Spec | None:
        """(answer, relation, other relation), where nothing else has both targets."""
        draws, subjects = self._draws, self._world.subjects
        answer = self._any(draws.choice(tuple(SHARES)))
        facts = self._world.things[answer].facts
        names = [
            n for n in facts if BY_NAME[n].clause and (self._held_out or not BY_NAME[n].held_out)
        ]
        if len(names) < 2:
            return None
        one, other = sorted(draws.shuffled(names)[:2])
        if self._held_out and not (BY_NAME[one].held_out or BY_NAME[other].held_out):
            return None
        a, b = facts[one], facts[other]
        assert isinstance(a, int)
        assert isinstance(b, int)
        alone = len(set(subjects[one, a]) & set(subjects[other, b])) == 1
        return (answer, one, other) if alone else None

    def _draw_counting(self) -> Spec | None:
        """(listed relation, its target, "before" or "after", year)."""
        things, draws = self._world.things, self._draws
        name = draws.choice(tuple(COUNTED))
        target = self._any(BY_NAME[name].target)
        members = self._world.subjects.get((name, target), [])
        if not 2 <= len(members) <= MAX_COUNTED:
            return None
        years = [int(things[m].facts[COUNTED[name][1]]) for m in members]
        year = draws.choice(years) + draws.choice((-2, -1, 1, 2))
        return None if year in years else (name, target, draws.choice(("before", "after")), year)

    # ---------------------------------------------------------------- how to ask it

    def question(self, number: int) -> Question:
        """Returns question `number`; beyond the number of specs, they come in other wordings."""
        lap, place = divmod(number, len(self.specs))
        spec = self.specs[place]
        draws = Draws(seed_of(self._world.seed, "wording", *spec, lap))
        if self._kind == "intersection" and lap % 2:
            spec = (spec[0], spec[2], spec[1])
        ask = {
            "comparison": self._ask_comparison,
            "yes_no": self._ask_same,
            "intersection": self._ask_intersection,
            "counting": self._ask_counting,
        }.get(self._kind, self._ask_chain)
        return ask(spec, draws)

    def _phrase(self, wordings: Sequence[str], draws: Draws) -> str:
        return wordings[draws.below(min(len(wordings), self._world.difficulty.wordings))]

    def _ask_chain(self, spec: Spec, draws: Draws) -> Question:
        things = self._world.things
        start, names = spec[0], [str(name) for name in spec[1:]]
        here, text = start, mention(self._world, start, draws)
        supports = []
        for place, name in enumerate(names):
            assert isinstance(here, int)
            supports.append(self._support(here, name))
            relation = BY_NAME[name]
            last = place == len(names) - 1
            wording = self._phrase(relation.asks if last else relation.noun, draws)
            text = wording.replace("{s}", text).replace("the the ", "the ")
            here = things[here].facts[name]
        return self._finish(text, here, supports, names, draws)

    def _ask_comparison(self, spec: Spec, draws: Draws) -> Question:
        things = self._world.things
        attribute, via, *starts = spec
        attribute, via = str(attribute), str(via)
        supports: list[Support] = []
        ends: list[int] = []
        texts: list[str] = []
        for start in starts:
            assert isinstance(start, int)
            text, end = mention(self._world, start, draws), start
            if via:
                supports.append(self._support(start, via))
                text = self._phrase(BY_NAME[via].noun, draws).replace("{s}", text)
                end = things[start].facts[via]  # type: ignore[assignment]
            supports.append(self._support(end, attribute))
            ends.append(end)
            texts.append(text)
        wording, lesser, greater = COMPARED[attribute]
        greatest = draws.below(2) == 1
        if via:
            wording = wording.replace("the {a}", "{a}").replace("the {b}", "{b}")
        text = wording.format(later=greater if greatest else lesser, a=texts[0], b=texts[1])
        pick = max if greatest else min
        answer = pick(ends, key=lambda n: as_number(things[n].facts[attribute]))
        names = [attribute, *([via] if via else [])]
        return self._finish(text, answer, supports, names, draws, also=ends)

    def _ask_same(self, spec: Spec, draws: Draws) -> Question:
        name, one, other = str(spec[0]), int(spec[1]), int(spec[2])
        things = self._world.things
        text = SAME[name].format(
            a=mention(self._world, one, draws), b=mention(self._world, other, draws)
        )
        same = things[one].facts[name] == things[other].facts[name]
        supports = [self._support(one, name), self._support(other, name)]
        return self._finish(text, "yes" if same else "no", supports, [name], draws)

    def _ask_intersection(self, spec: Spec, draws: Draws) -> Question:
        answer, names = int(spec[0]), [str(spec[1]), str(spec[2])]
        thing = self._world.things[answer]
        supports, clauses = [], []
        for name in names:
            relation, target = BY_NAME[name], thing.facts[name]
            assert isinstance(target, int)
            clauses.append(relation.clause.replace("{o}", mention(self._world, target, draws)))
            if relation.lists:
                supports.append(self._support(target, f"list:{name}"))
            else:
                title = self._world.things[target].title
                found = self._support(answer, name)
                queries = (f"{title} {relation.keywords}", title, *found.queries)
                supports.append(Support(found.title, found.sentence, queries))
        text = f"Which {thing.kind} {clauses[0]} and {clauses[1]}?"
        return self._finish(text, answer, supports, names, draws)

    def _ask_counting(self, spec: Spec, draws: Draws) -> Question:
        name, target, when, year = str(spec[0]), int(spec[1]), str(spec[2]), int(spec[3])
        wording, attribute = COUNTED[name]
        members = self._world.subjects[name, target]
        supports = [self._support(target, f"list:{name}")]
        supports += [self._support(member, attribute) for member in members]
        years = [int(self._world.things[m].facts[attribute]) for m in members]
        count = sum(y < year if when == "before" else y > year for y in years)
        text = wording.format(o=mention(self._world, target, draws), when=when, x=year)
        return self._finish(text, str(count), supports, [name, attribute], draws)

    def _support(self, number: int, name: str) -> Support:
        """Returns the fact `name` of a thing, as its article states it."""
        title = self._world.things[number].title
        relation = BY_NAME[name.removeprefix("list:")]
        words = relation.keywords
        if name.startswith("list:"):
            words = relation.lists[0].partition(" {o}")[0].replace("{s}", "").strip(" .")
        sentence = render(self._world, number).sentences[name]
        return Support(title, sentence, (f"{title} {words}", title, f"{title} {sentence}"))

    # ---------------------------------------------------------------- the menu

    def _finish(
        self,
        text: str,
        answer: int | str,
        supports: list[Support],
        names: list[str],
        draws: Draws,
        also: Sequence[int] = (),
    ) -> Question:
        """Adds aliases, wrong answers and other queries.

        Args:
            text: the question.
            answer: a thing, or a value.
            supports: the supporting facts.
            names: relations that the question asks for; the last of a chain leads to the answer.
            draws: draws what goes on the menu.
            also: things that must be among the wrong answers.
        """
        things = self._world.things
        gold = self._world.says(answer)
        if isinstance(answer, int):
            kind = things[answer].kind
            aliases = [things[answer].alias] if things[answer].alias else []
            wrong = [things[n].title for n in also]
            wrong += [things[self._any_of(draws, [kind])].title for _ in range(2 * MENU_ANSWERS)]
        else:
            aliases, wrong = self._values(gold, names[-1], draws)
        everywhere = tuple(SHARES)
        wrong += [things[self._any_of(draws, everywhere)].title for _ in range(MENU_ANSWERS)]
        others = []
        for _ in range(2 * MENU_QUERIES):
            title = things[self._any_of(draws, everywhere)].title
            others.append(f"{title} {BY_NAME[draws.choice(names)].keywords}")
        return Question(
            text, gold, tuple(aliases), tuple(supports), tuple(dict.fromkeys(wrong)), tuple(others)
        )

    def _any_of(self, draws: Draws, kinds: Sequence[str]) -> int:
        return draws.choice(self._group[draws.choice(kinds)])

    def _values(self, gold: str, name: str, draws: Draws) -> tuple[list[str], list[str]]:
        """Returns (aliases, wrong answers) of an answer that is no thing."""
        if self._kind == "yes_no":
            return [], ["yes", "no"]
        if self._kind == "counting":
            return [_NUMBER_WORDS[int(gold)]], [str(n) for n in range(MENU_ANSWERS)]
        relation = BY_NAME[name]
        group = self._group[relation.subject]
        numbers = [draws.choice(group) for _ in range(2 * MENU_ANSWERS)]
        wrong = [str(self._world.things[number].facts[name]) for number in numbers]
        if relation.target == "length":
            return [gold.removesuffix(" km"), gold.replace("km", "kilometres")], wrong
        return [], wrong


def as_number(value: int | str) -> int:
    """Returns the number in "1874", "412,300" or "612 km"."""
    return int(str(value).removesuffix(" km").replace(",", ""))
