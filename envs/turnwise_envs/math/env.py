"""`MathVerifierEnv`: mathematics problems, graded by `verify`."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import numpy as np

from turnwise_envs.core import StepResult, TextEnv, digest
from turnwise_envs.errors import UsageError
from turnwise_envs.formats import Tool
from turnwise_envs.math.extract import MAX_ANSWER_CHARS, extract
from turnwise_envs.math.gym_tasks import GymTasks
from turnwise_envs.math.menus import written
from turnwise_envs.math.tasks import Question, math_tasks
from turnwise_envs.math.verifier import TIMEOUT_S, Verdict, shared_pool, verify
from turnwise_envs.splits import Task, TaskSet

ANSWER_TOOL = Tool("answer", "Give the final answer.", {"answer": "e.g. 3/4"}, "\\boxed{{answer}}")
PYTHON_TOOL = Tool(
    "python",
    "Run Python; variables are kept between calls, and what is printed comes back.",
    {"code": "Python source"},
    "```python\n{code}\n```",
)
ANSWER_GRAMMAR = "Write the final answer as \\boxed{ANSWER}. The last box counts."
PYTHON_GRAMMAR = """To run Python, reply with one block:
```python
CODE
```
Variables are kept between blocks, and what is printed comes back. A reply without a block is your \
answer; write it as \\boxed{ANSWER}."""
TOOL_TURNS = 8
_UNCLOSED = "The Python block is not closed. End it with a line of three backticks."
_FENCE = re.compile(r"```[ \t]*(?:python|py)[ \t]*\n", re.IGNORECASE)
_UNSAFE = re.compile(r"__|\b(?:import|exec|eval|open|compile|lambda|getattr|globals|locals)\b")
"""Some scorers of reasoning-gym hand an answer to sympy, which would run it."""


class MathVerifierEnv(TextEnv):
    r"""Mathematics problems with verified answers, in one turn or with a Python tool.

    ## Description

    A problem is shown; the agent reasons and answers, and `turnwise_envs.math.verify` compares the
    answer with the reference: numbers exactly, formulas by value, and what is beyond that by
    Math-Verify (https://github.com/huggingface/Math-Verify), in worker processes that are killed
    and replaced when they take too long. Every verdict has a reason code; an internal error is
    never "wrong".

    The problems are generated here: arithmetic, algebra, number theory, combinatorics, geometry,
    calculus and linear algebra in levels 1 to 5, from 35 templates; for every one a program finds
    the answer in another way, and the tests compare the two. `data_dir` plays GSM8K (Cobbe et al.
    2021, arXiv:2110.14168), MATH (Hendrycks et al. 2021, arXiv:2103.03874) and AIME-style files,
    `reasoning_gym` any data set of the package of that name (extra `turnwise[reasoning-gym]`).

    Licence: generated problems carry this package's licence. GSM8K and MATH are under the MIT
    licence, reasoning-gym under Apache-2.0; nothing of them is shipped.

    ## Action Space

    Text: a solution. The answer in it is the last `\boxed{...}` (boxes joined by "and" or a comma
    are one list), else the last `<answer>...</answer>`, "the answer is ...", "####" line, the whole
    text where it is short, or the last formula or number; a thought that ends in `</think>` is not
    looked at. A text without an answer is answered by a request for one, and `action_is_valid` is
    False.

    With `tool="python"`, a reply with a block ```` ```python ... ``` ```` runs it (the last one, if
    there are several) and is no answer, whatever else it says. The code runs in the sandbox of
    `turnwise_envs.sandbox`: no network, limits on time, memory, processes and output.

    With `actions="menu"`, `admissible_actions` holds 16 answers, one of them right, and with the
    tool a program that finds the answer; typed text is answered all the same.

    ## Observation Space

    Text. The first observation is the problem:

        What is the greatest common divisor of 84 and 126?

    Later ones are the program's output, its error, or "Correct." / "Not correct."

    ## Rewards

    | value | when |
    |---|---|
    | 1.0 (`correct`) | the answer is right |
    | 0.0 | otherwise; running code costs nothing and earns nothing |

    ## Starting State

    `seed` draws a task; `options={"task_index": i}` or `{"task_id": id}` names one. Task i has
    topic i modulo 7 (in the order above) and level 1 + (i // 7) modulo 5.

    Splits: `train`, `valid` and `test` share templates and no question; `ood_templates` holds one
    template of every topic that no other split has; 10,000 tasks each. `stream` is unbounded and
    shares its questions with train alone. Files whose names (or folders) are train, valid or test
    are those splits; other files are in every split.

    ## Episode End

    1. Termination: an answer was given; the verdict is its reason code: "correct", "wrong",
       "too_long", "unreadable", "too_large", "timeout", "memory" or "failed".
    2. Truncation: `max_turns` turns were played: "no_answer" if the last one had none, else
       "turn_limit".

    ## Info

    | key | type | meaning |
    |---|---|---|
    | `state_key` | str | question, code run so far, verdict |
    | `belief_key` | str | question and code run so far |
    | `anchor_key` | str | question and what the tool has printed, in any order |
    | `metrics` | dict | `tool_timed_out`, `verifier_timed_out`: 1.0 where a time limit struck |
    | `cost` | dict | `tool_calls`: 1.0 in a turn that ran code |
    | `reference` | list[str] | the reference answer, with `expose_reference=True` |
    | `evidence` | list[str] | a program that finds it, for generated tasks |

    In a single turn all keys stand for the question: no aliasing, no splitting. With the tool,
    `anchor_key` joins programs that print the same. The other keys are those of `TextEnv`.

    ## Arguments

    | argument | default | meaning |
    |---|---|---|
    | `tool` | None | "python" offers the tool; `max_turns` is then 8 by default |
    | `topics` | None | some of the seven topics; None: all |
    | `levels` | (1, 5) | lowest and highest level |
    | `data_dir` | None | a .json or .jsonl file of problems, or a folder of them |
    | `reasoning_gym` | None | a data set's name, e.g. "chain_sum" |
    | `reasoning_gym_options` | None | that data set's options |
    | `timeout_s` | 5.0 | seconds for a comparison |
    | `isolation` | "auto" | of the tool's sandbox; see `open_sandbox` |

    Further arguments: `TextEnv`. Code that draws random numbers or reads the clock makes an episode
    with the tool depend on more than seed and actions; a snapshot stores the code that ran and
    what it printed, and runs it again when it is needed.

    ## Registered Configurations

    - `turnwise/MathVerifier-v0`: single-turn, generated tasks.

    ## Version History

    - v0: first version; generator "math-1".
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test", "ood_templates")
    default_max_turns: ClassVar[int] = 1
    reward_names = ("correct",)
    default_instruction: ClassVar[str] = (
        "You solve mathematics problems. Think step by step, then give the final answer."
    )
    grammar = ANSWER_GRAMMAR
    tools: tuple[Tool, ...] = (ANSWER_TOOL,)

    def __init__(
        self,
        *,
        tool: str | None = None,
        topics: Any = None,
        levels: Any = (1, 5),
        data_dir: str | None = None,
        reasoning_gym: str | None = None,
        reasoning_gym_options: dict[str, Any] | None = None,
        timeout_s: float = TIMEOUT_S,
        isolation: str = "auto",
        **common: Any,
    ) -> None:
        if tool not in (None, "python"):
            raise UsageError(f'tool must be "python" or None, got {tool!r}.')
        if not timeout_s > 0:
            raise UsageError(f"timeout_s must be positive, got {timeout_s!r}.")
        if tool:
            self.grammar, self.tools = PYTHON_GRAMMAR, (PYTHON_TOOL, ANSWER_TOOL)
            common["max_turns"] = common.get("max_turns") or TOOL_TURNS
        super().__init__(**common)
        self._tool, self._timeout_s, self._isolation = tool, timeout_s, isolation
        self._options: dict[str, Any] = {
            "topics": topics,
            "levels": levels,
            "data_dir": None if data_dir is None else str(data_dir),
            "reasoning_gym": reasoning_gym,
            "reasoning_gym_options": reasoning_gym_options,
        }
        self._question: Question | None = None
        self._runs: list[list[str]] = []
        self._verdict = ""
        self._session: Any = None
        self._session_runs = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_session": None, "_session_runs": 0}

    # ---------------------------------------------------------------- tasks

    @classmethod
    def task_set(cls, split: str, **options: Any) -> TaskSet:
        """Returns the generated tasks of a split, or the rows of a user's files."""
        return math_tasks(split, **options)

    def task_options(self) -> dict[str, Any]:
        """Returns the arguments that choose tasks."""
        return dict(self._options)

    def identity(self) -> dict[str, Any]:
        """Returns the arguments that a snapshot's reader must share."""
        options = {**self._options, "data_dir": self._options["data_dir"] is not None}
        return {**super().identity(), **options, "tool": self._tool}

    # ---------------------------------------------------------------- play

    def start(self, task: Task) -> str:
        """Shows the problem."""
        self._build(task)
        self._runs, self._verdict = [], ""
        assert self._question is not None
        return self._question.text

    def _build(self, task: Task) -> None:
        self._drop_session()
        self._question = self.tasks.question(task)  # type: ignore[attr-defined]

    def apply(self, action: str) -> StepResult:
        """Runs the reply's code, or grades its answer."""
        if self._tool:
            places = [found.end() for found in _FENCE.finditer(action)]
            if places:
                code, closing, _ = action[places[-1] :].partition("```")
                return self._run(code) if closing else StepResult(_UNCLOSED, action_is_valid=False)
        verdict = self._grade(action)
        if verdict.reason == "no_answer":
            return StepResult(
                "There was no answer in your reply. " + ANSWER_GRAMMAR,
                action_is_valid=False,
                verdict="no_answer" if self.turn >= self.max_turns else "",
            )
        self._verdict = verdict.reason
        return StepResult(
            "Correct." if verdict.correct else "Not correct.",
            reward_components={"correct": 1.0} if verdict.correct else {},
            terminated=True,
            success=verdict.correct,
            score=float(verdict.correct),
            verdict=verdict.reason,
            metrics={"verifier_timed_out": 1.0} if verdict.reason == "timeout" else {},
        )

    def _grade(self, solution: str) -> Verdict:
        assert self._question is not None
        if not isinstance(self.tasks, GymTasks):
            return verify(self._question.answer, solution, timeout_s=self._timeout_s)
        found = extract(solution)
        if not found.answer:
            return Verdict(False, "no_answer", "none", "", "none")
        if len(found.answer) > MAX_ANSWER_CHARS:
            return Verdict(False, "too_long", "none", found.answer[:80], found.how)
        if _UNSAFE.search(found.answer):
            return Verdict(False, "unreadable", "none", found.answer, found.how, "it is code")
        assert self.task is not None
        job = self.tasks.job(self.task, found.answer)
        reason, method, detail = shared_pool().run([job], self._timeout_s)[0]
        return Verdict(reason == "correct", reason, method, found.answer, found.how, detail)

    def _run(self, code: str) -> StepResult:
        result = self._python(code)
        shown = "\n".join(part for part in (result.output.rstrip("\n"), result.error) if part)
        self._runs.append([code, shown])
        return StepResult(
            shown or "(no output)",
            metrics={"tool_timed_out": 1.0} if result.timed_out else {},
            cost={"tool_calls": 1.0},
        )

    def _python(self, code: str) -> Any:
        """Runs code in the episode's session, after what ran before in a restored episode."""
        from turnwise_envs.sandbox import PythonSession

        if self._session is None:
            self._session = PythonSession(isolation=self._isolation)
        while self._session_runs < len(self._runs):
            self._session.run(self._runs[self._session_runs][0])
            self._session_runs += 1
        self._session_runs += 1
        return self._session.run(code)

    def _drop_session(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session, self._session_runs = None, 0

    def close(self) -> None:
        """Ends the tool's interpreter."""
        self._drop_session()
        super().close()

    # ---------------------------------------------------------------- policies

    def _menu(self) -> list[str]:
        assert self._question is not None
        actions = [written(choice) for choice in self._question.choices]
        if self._tool and self._question.code:
            actions.append(PYTHON_TOOL.action({"code": self._question.code}))
        return actions

    def admissible_actions(self) -> list[str] | None:
        """Returns the menu in menu mode."""
        return self._menu() if self.actions == "menu" else None

    def random_action(self, rng: np.random.Generator) -> str:
        """Returns an action drawn uniformly from the menu, in text mode too."""
        actions = self._menu()
        return actions[int(rng.integers(len(actions)))]

    def expert_action(self) -> str | None:
        """Returns the program that finds the answer, where there is a tool; then the answer."""
        if self._question is None:
            return None
        if self._tool and self._question.code and not self._runs:
            return PYTHON_TOOL.action({"code": self._question.code})
        return written(self._question.answer)

    def gold(self) -> tuple[list[str] | None, list[str] | None]:
        """Returns the reference answer, and a program that finds it."""
        assert self._question is not None
        evidence = [self._question.code] if self._question.code else None
        return [self._question.answer], evidence

    # ---------------------------------------------------------------- state

    def keys(self) -> tuple[str, str, str]:
        """Returns digests of question, code and verdict; question and code; question and output."""
        assert self._question is not None
        question = digest(self._question.text)
        codes = [code for code, _ in self._runs]
        outputs = sorted({shown for _, shown in self._runs})
        return (
            digest(json.dumps([question, codes, self._verdict])),
            digest(json.dumps([question, codes])),
            digest(json.dumps([question, outputs])),
        )

    def get_world(self) -> dict[str, Any]:
        """Returns the code that ran, what it printed, and the verdict."""
        return {"runs": [list(run) for run in self._runs], "verdict": self._verdict}

    def set_world(self, task: Task, state: Any) -> None:
        """Reverses `get_world`; the code runs again when more is to follow it."""
        self._build(task)
        self._runs = [list(run) for run in state["runs"]]
        self._verdict = state["verdict"]
