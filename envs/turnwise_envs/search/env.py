"""`MultiHopSearchEnv`: answer questions by searching a corpus."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from turnwise_envs.core import StepResult, TextEnv, digest
from turnwise_envs.errors import UsageError
from turnwise_envs.formats import ActionFormat, Tool
from turnwise_envs.search.corpus import Passage
from turnwise_envs.search.expert import next_action, plan_queries, stated
from turnwise_envs.search.grading import grade, normalize_answer
from turnwise_envs.search.loaders import LoadedQuestions, resolve
from turnwise_envs.search.question import Question, make_menu, readable
from turnwise_envs.search.retriever import Retriever, expect_retriever, shared_retriever
from turnwise_envs.search.tags import SearchR1Format
from turnwise_envs.search.tasks import DEFAULT_HOPS, SPLITS, SearchTasks
from turnwise_envs.search.world import WorldOptions
from turnwise_envs.splits import Task, TaskSet

TOOLS = (
    Tool("search", "Find passages.", {"query": "a few words"}, "search[{query}]"),
    Tool("read", "Read a whole article.", {"title": "its title"}, "read[{title}]"),
    Tool("answer", "Give the final answer.", {"text": "as short as possible"}, "answer[{text}]"),
)

GRAMMAR = """Actions:
search[query]  shows the passages that fit the query best
read[title]  shows the whole article with this title
answer[text]  gives your final answer, as short as possible, and ends the task"""

MAX_TOP_K = 50
_MAX_READ = 20
_ACTION = re.compile(r"(search|read|answer)\s*\[(.*)\]", re.DOTALL | re.IGNORECASE)


class MultiHopSearchEnv(TextEnv):
    """Answer a question by searching a corpus, one search after the other.

    ## Description

    Multi-hop question answering in the form of HotpotQA (Yang et al. 2018, arXiv:1809.09600) and of
    search agents such as Search-R1 (Jin et al. 2025, arXiv:2503.09516): no passage answers the
    question alone, and what to look for next stands in what was found before.

    By default the corpus is generated: 4,800 invented things (people, cities, novels, companies,
    ...) and the facts between them, as articles in varied wording with namesakes, other names and
    distractors, 10,000 passages in all. The questions are chains of 1 to 4 facts (5 in `ood_hops`
    with `hops=(1, 4)`), comparisons, "is it the same" questions, intersections and counts. With
    `data_dir`, the questions of HotpotQA, 2WikiMultihopQA, MuSiQue or a JSONL file are asked, over
    the paragraphs that come with them or a corpus of one's own.

    Licence: generated worlds carry this package's licence. HotpotQA is under CC BY-SA 4.0,
    2WikiMultihopQA under Apache 2.0, MuSiQue under CC BY 4.0; nothing of them is shipped.

    ## Action Space

    Text, one action a turn; the verb in any case, white space around it is ignored:

        search[query]    shows the `top_k` passages that fit best
        read[title]      shows the whole article with this title
        answer[text]     ends the episode

    Anything else, an empty query and an unknown title are answered and `action_is_valid` is False.
    `action_format="search_r1"` takes `<search>query</search>`, `<read>title</read>` and
    `<answer>text</answer>` instead, and shows passages inside `<information>`. With
    `actions="menu"`, `admissible_actions` holds 12 queries, those of the expert among them, and 20
    answers, one of which is right; typed text is answered all the same. With `menu_answers="read"`
    an answer is offered only once it stands in the question or in a passage that was shown (yes, no
    and numbers always), so that a policy cannot give what it has not read.

    Only the agent's own answer is graded: nothing that was retrieved is ever read as an action.

    ## Observation Space

    Text. The first observation is the question, later ones show passages:

        Question: Which company did the head of state of Greazefaindland work for?

        [1] Greazefaindland
        Isak Foseng is the head of state of the country. People in the country speak Talokese.

        [2] ...

    ## Rewards

    | component | value | when |
    |---|---|---|
    | `answer` | F1 in [0, 1] with `reward="f1"`, exact match 0 or 1 with "em" | on `answer[...]` |

    Graded as HotpotQA's official script does, against the answer and its aliases. `success` is the
    exact match, `score` the value of the chosen reward.

    ## Starting State

    `seed` draws a task; `options={"task_index": i}` or `{"task_id": id}` names one. The question
    types are dealt in turn by index. Every split of the generated world asks about things of its
    own (all of them are in the corpus): `train`, `valid` and `test` ask for chains of `hops` facts,
    `ood_hops` for chains of one fact more, `ood_relations` for facts of kinds that no other split
    asks for (who taught whom, who composed, ...). 10,000 questions each, all different by default,
    and `stream`, unbounded. Where a group of things has fewer facts of a type (intersections in
    `ood_relations`; small worlds), they come again in other wordings.

    With `data_dir`, a folder with files named after splits (train, dev or valid, test) gives each
    split its file; of a single file every question is in every split.

    ## Episode End

    1. Termination: `answer[...]`; verdict "correct", "partial" (F1 above 0), "wrong", or
       "no_answer" where nothing is left of it but articles and punctuation.
    2. Truncation: `max_turns` turns were played; verdict "turn_limit".

    ## Info

    | key | type | meaning |
    |---|---|---|
    | `state_key` | str | task, passages shown, answer given |
    | `belief_key` | str | question and passages shown |
    | `anchor_key` | str | question, and the best passage of every search |
    | `reference` | list[str] | the answer and its aliases |
    | `evidence` | list[str] | supporting facts as "title: sentence" |
    | `metrics` | dict | `passages`, `new_passages` shown; `em`, `f1`, `precision`, `recall` |
    | `cost` | dict | `searches`: 1.0 for every search and article read |

    With `expose_reference=True`, `metrics` also has `evidence_recall`, the share of the supporting
    facts that have been shown; without, neither it nor `reference` and `evidence` is there.

    Aliasing: the share of visits whose key also covers visits with another best first action.
    Splitting: the mean number of keys over the visits of one `state_key`. Measured by
    `benchmarks/speed/search.py --keys` over 1,336 visits of 70 training tasks (half of the actions
    are the expert's, half are drawn from the menu):

    | key | aliasing | splitting | visits a key |
    |---|---|---|---|
    | `belief_key` | 0.0 % | 1.00 | 2.4 |
    | `anchor_key` | 0.0 % | 1.00 | 2.4 |
    | observation text | 7.2 % | 1.04 | 3.3 |

    On a menu the three keys group alike. Where text is free, `anchor_key` also merges states that
    were reached by other wordings of the same searches: their best passage is the same, while the
    passages below it, which the other two keys count, are not. It knows nothing of the supporting
    facts, so it tells a policy that reads `info` no more than the observations do.

    ## Arguments

    | argument | default | meaning |
    |---|---|---|
    | `hops` | (1, 3) | (least, most) facts in a chain, within 1 and 4 |
    | `num_articles` | 4800 | things in the world, 1,200 to 2,000,000 |
    | `difficulty` | "normal" | "easy": one wording; "hard": more distractors, aliases in mentions |
    | `reward` | "f1" | or "em" |
    | `top_k` | 3 | passages that a search shows at most |
    | `menu_answers` | "all" | "read": a menu offers an answer once a text shown so far holds it |
    | `data_dir` | None | a file of questions, or a folder of them |
    | `corpus` | None | with `data_dir`: a JSONL file of passages instead of its paragraphs |
    | `retriever` | "bm25" | "dense" (a Hugging Face encoder) or "remote" (HTTP, `/retrieve`) |
    | `retriever_options` | None | arguments of `DenseRetriever` or `RemoteRetriever` |
    | `cache_dir` | None | folder where corpora and indices are kept, memory-mapped |

    Further arguments: `TextEnv`.

    ## Registered Configurations

    - `turnwise/MultiHopSearch-v0`: the generated world, 10 turns.

    ## Version History

    - v0: first version; generator "multihop-1".
    """

    splits: ClassVar[tuple[str, ...]] = SPLITS
    default_max_turns: ClassVar[int] = 10
    reward_names = ("answer",)
    default_instruction: ClassVar[str] = (
        "You answer a question by searching a corpus of short articles. One search rarely shows "
        "everything: use what you find to decide what to search for next, and answer when you know."
    )
    grammar = GRAMMAR
    tools = TOOLS

    def __init__(
        self,
        *,
        hops: Sequence[int] = DEFAULT_HOPS,
        num_articles: int = 4_800,
        difficulty: str = "normal",
        reward: str = "f1",
        top_k: int = 3,
        menu_answers: str = "all",
        data_dir: str | None = None,
        corpus: str | None = None,
        retriever: str | Retriever = "bm25",
        retriever_options: Mapping[str, Any] | None = None,
        cache_dir: str | None = None,
        action_format: str | ActionFormat = "plain",
        **common: Any,
    ) -> None:
        if action_format == SearchR1Format.name:
            action_format = SearchR1Format(TOOLS)
        super().__init__(action_format=action_format, **common)
        if reward not in ("f1", "em"):
            raise UsageError(f'reward must be "f1" or "em", got {reward!r}.')
        if menu_answers not in ("all", "read"):
            raise UsageError(f'menu_answers must be "all" or "read", got {menu_answers!r}.')
        if type(top_k) is not int or not 1 <= top_k <= MAX_TOP_K:
            raise UsageError(f"top_k must be an integer in [1, {MAX_TOP_K}], got {top_k!r}.")
        if isinstance(retriever, str):
            expect_retriever(retriever, retriever_options or {})
        self.reward, self.top_k, self.menu_answers = reward, top_k, menu_answers
        self._tagged = isinstance(self.action_format, SearchR1Format)
        if self._tagged:
            self.grammar = SearchR1Format.grammar
        self._options: dict[str, Any] = {
            "hops": list(hops) if isinstance(hops, Sequence) else hops,
            "num_articles": num_articles,
            "difficulty": difficulty,
            "data_dir": resolve("data_dir", data_dir),
            "corpus": resolve("corpus", corpus),
            "cache_dir": cache_dir,
        }
        self._retriever_name = retriever if isinstance(retriever, str) else type(retriever).__name__
        self._retriever_options = dict(retriever_options or {})
        self._own_retriever = None if isinstance(retriever, str) else retriever
        self._retriever: Retriever | None = None
        self._question = Question("", "")
        self._built = ""
        self._plan: list[str] | None = None
        self._menu: list[str] | None = None
        self._shown: dict[str, None] = {}
        self._best: set[str] = set()
        self._found: set[int] = set()
        self._done: list[str] = []
        self._answer: str | None = None
        self._text = ""

    # ---------------------------------------------------------------- tasks

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        """Returns the generated questions of a split, or the user's."""
        data = resolve("data_dir", options.get("data_dir"))
        if data is not None:
            corpus = resolve("corpus", options.get("corpus"))
            return LoadedQuestions(split, data, corpus, options.get("cache_dir"))
        world = {k: options[k] for k in ("num_articles", "difficulty") if k in options}
        return SearchTasks(split, options.get("hops", DEFAULT_HOPS), WorldOptions(**world))

    def task_options(self) -> dict[str, Any]:
        """Returns the arguments that choose tasks."""
        return dict(self._options)

    def identity(self) -> dict[str, Any]:
        """Returns the arguments that a snapshot's reader must share."""
        paths = {name: self._options[name] is not None for name in ("data_dir", "corpus")}
        return {
            **super().identity(),
            **{name: self._options[name] for name in ("hops", "num_articles", "difficulty")},
            **paths,
            "reward": self.reward,
            "top_k": self.top_k,
            "menu_answers": self.menu_answers,
            "retriever": self._retriever_name,
        }

    def __getstate__(self) -> dict[str, Any]:
        # Indices are shared in a process; a copy finds its own again.
        return {**super().__getstate__(), "_retriever": None}

    @property
    def retriever(self) -> Retriever:
        """What answers the searches (made on first use, shared in the process)."""
        if self._retriever is None:
            self._retriever = self._own_retriever or shared_retriever(
                self._retriever_name,
                self._retriever_options,
                lambda: self.tasks.corpus,  # type: ignore[attr-defined]
                self._options["cache_dir"],
            )
        return self._retriever

    # ---------------------------------------------------------------- the episode

    def _build(self, task: Task) -> None:
        if task.id == self._built:
            return
        self._built = task.id
        self._question = self.tasks.question(task)  # type: ignore[attr-defined]
        self._plan = self._menu = None

    def start(self, task: Task) -> str:
        """Asks the question of `task`."""
        self._build(task)
        self._shown, self._best, self._found = {}, set(), set()
        self._done, self._answer = [], None
        self._text = self._question.text
        return f"Question: {self._question.text}"

    def apply(self, action: str) -> StepResult:
        """Searches, reads or grades."""
        said = _ACTION.fullmatch(action)
        if said is None:
            return StepResult(
                "That is no action. Write search[query], read[title] or answer[text].",
                action_is_valid=False,
            )
        verb, text = said[1].lower(), said[2].strip()
        if not text:
            return StepResult(f"{verb}[] must not be empty.", action_is_valid=False)
        if verb == "answer":
            return self._grade(text)
        if verb == "read":
            return self._read(text)
        hits = self.retriever.search(text, self.top_k)
        self._done.append(f"search[{text}]")
        if not hits:
            return StepResult("No passage matches.", cost={"searches": 1.0})
        self._best.add(hits[0].passage.id)
        return self._show([hit.passage for hit in hits])

    def _read(self, title: str) -> StepResult:
        self._done.append(f"read[{title}]")
        passages = self.retriever.read(title)[:_MAX_READ]
        if not passages:
            return StepResult(
                f"There is no article with the title {title[:200]!r}.",
                action_is_valid=False,
                cost={"searches": 1.0},
            )
        self._best.update(passage.id for passage in passages)
        return self._show(passages)

    def _show(self, passages: list[Passage]) -> StepResult:
        before = len(self._shown)
        self._shown.update(dict.fromkeys(passage.id for passage in passages))
        self._found |= stated(self._question, passages)
        if self.menu_answers == "read":
            self._text = "\n".join([self._text, *(f"{p.title}\n{p.text}" for p in passages)])
        if self._tagged:
            text = SearchR1Format.information(passages)
        else:
            text = "\n\n".join(
                f"[{place}] {p.title}\n{p.text}" for place, p in enumerate(passages, start=1)
            )
        metrics = {
            "passages": float(len(passages)),
            "new_passages": float(len(self._shown) - before),
        }
        return StepResult(text, metrics=metrics, cost={"searches": 1.0})

    def _grade(self, answer: str) -> StepResult:
        self._answer = answer
        found = grade(answer, self._question.references)
        score = found.em if self.reward == "em" else found.f1
        if found.em:
            verdict = "correct"
        elif not normalize_answer(answer):
            verdict = "no_answer"
        else:
            verdict = "partial" if found.f1 else "wrong"
        return StepResult(
            f"Your answer {answer[:200]!r} was taken.",
            reward_components={"answer": score},
            terminated=True,
            success=found.em == 1.0,
            score=score,
            verdict=verdict,
            metrics={
                "em": found.em,
                "f1": found.f1,
                "precision": found.precision,
                "recall": found.recall,
            },
        )

    # ---------------------------------------------------------------- info

    def _info(self) -> dict[str, Any]:
        info = super()._info()
        if self.expose_reference and self.turn and self._question.supports:
            recall = len(self._found) / len(self._question.supports)
            info["metrics"]["evidence_recall"] = recall
        return info

    def keys(self) -> tuple[str, str, str]:
        """Returns the three digests described under Info."""
        assert self.task is not None
        shown = "\n".join(sorted(self._shown))
        text = self._question.text
        return (
            digest(f"{self.task.id}\n{self._answer}\n{shown}"),
            digest(f"{text}\n{shown}"),
            digest("\n".join([text, *sorted(self._best)])),
        )

    def gold(self) -> tuple[list[str] | None, list[str] | None]:
        """Returns the gold answers and the supporting facts."""
        supports = self._question.supports
        evidence = [f"{s.title}: {s.sentence}" if s.sentence else s.title for s in supports]
        return self._question.references, evidence or None

    def answer_action(self, answer: str) -> str:
        """Returns the action that gives `answer`, before it is rendered by the action format."""
        return f"answer[{answer}]"

    # ---------------------------------------------------------------- policies

    def _queries(self) -> list[str]:
        if self._plan is None:
            self._plan = plan_queries(self._question, self.retriever, self.top_k)
        return self._plan

    def menu(self) -> list[str]:
        """Returns a fresh list of the finite action set of this question."""
        if self._menu is None:
            assert self.task is not None
            self._menu = make_menu(self.task.id, self._question, self._queries())
        if self.menu_answers == "read":
            return readable(self._menu, self._question, self._text)
        return list(self._menu)

    def admissible_actions(self) -> list[str] | None:
        """Returns the menu in menu mode; None otherwise, as any text can be searched for."""
        return self.menu() if self.actions == "menu" else None

    def random_action(self, rng: np.random.Generator) -> str:
        """Returns an action drawn uniformly from the menu, also where text is free."""
        menu = self.menu()
        return menu[int(rng.integers(len(menu)))]

    def expert_action(self) -> str | None:
        """Returns the next search for a supporting fact, or the answer once all were shown."""
        if self.task is None:
            return None
        return next_action(self._question, self._queries(), self._found, self._done)

    def demonstration_action(
        self, rng: np.random.Generator, instruction: str | None = None
    ) -> str | None:
        """Returns the next action of an expert whose queries hold nothing but names and relations.

        The oracle's queries may quote the fact that they look for.
        """
        if self.task is None:
            return None
        queries = [s.queries[0] for s in self._question.supports] or [self._question.text]
        return next_action(self._question, queries, self._found, self._done)

    # ---------------------------------------------------------------- snapshots

    def get_world(self) -> dict[str, Any]:
        """Returns what was done, shown and answered."""
        return {
            "shown": list(self._shown),
            "best": sorted(self._best),
            "found": sorted(self._found),
            "done": list(self._done),
            "answer": self._answer,
        }

    def set_world(self, task: Task, state: Any) -> None:
        """Reverses `get_world`."""
        self._build(task)
        self._shown = dict.fromkeys(state["shown"])
        self._best, self._found = set(state["best"]), set(state["found"])
        self._done, self._answer = list(state["done"]), state["answer"]
