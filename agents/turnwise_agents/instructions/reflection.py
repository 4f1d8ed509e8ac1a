"""Proposals by reflection: a language model reads what failed and writes a better instruction."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from turnwise_agents.endpoint import EndpointConfig, EndpointPolicy
from turnwise_agents.instructions.proposers import (
    ClauseProposer,
    Proposal,
    ProposalRequest,
    Proposer,
    load_library,
)
from turnwise_agents.journal import Journal
from turnwise_agents.policies import PolicyFault, keyed_seed
from turnwise_envs.errors import TurnwiseError, UsageError

if TYPE_CHECKING:
    from turnwise_agents.algorithms.base import TextGenerator

PROPOSER_FILE = "proposer.jsonl"
MAX_NEW_TOKENS = 768

REFLECTION = """\
An agent works under an instruction, and fails too often. Write it a better one.

Its instruction now ({rewards}):
<instruction>
{instruction}
</instruction>
{public}
Episodes in which it failed under it; right answers are hidden:

{episodes}

First think about what went wrong in general, in two or three sentences. Then write the whole new \
instruction between <instruction> and </instruction>. It must
- help with every task, not with these: name no answer, thing, place or number from the episodes,
- be at most {max_chars} characters long{keep}.
Proposal {number} of {count}: try another idea than an obvious first one would be."""

_BLOCK = re.compile(r"<instruction>(.*?)</instruction>", re.DOTALL)


class ProposerFault(TurnwiseError, RuntimeError):
    """A proposer gave nothing to examine."""


def reflection_prompt(request: ProposalRequest, number: int) -> str:
    """Returns the prompt for proposal `number` (from 0); each one begins at another failure."""
    best = request.parents[0]
    turned = [*request.failures[number:], *request.failures[:number]]
    episodes = "\n\n".join(
        f"Episode {i}, which ended with {f.verdict or 'no verdict'} and earned {f.reward:g}:\n"
        f"{f.transcript}"
        for i, f in enumerate(turned, start=1)
    )
    public = f"\nBesides, it is always shown:\n{request.public}\n" if request.public else ""
    keep = f",\n- hold these verbatim: {' '.join(request.keep)}" if request.keep else ""
    return REFLECTION.format(
        rewards=f"mean reward {best.mean_reward:.3f} over {best.draws} questions",
        instruction=best.text,
        public=public,
        episodes=episodes or "(none were kept)",
        max_chars=request.max_chars,
        keep=keep,
        number=number + 1,
        count=request.count,
    )


def read_proposal(reply: str) -> str:
    """Returns the last instruction in a reply, "" if there is none."""
    found = _BLOCK.findall(reply)
    return found[-1].strip() if found else ""


class ReflectionProposer:
    """Asks a language model, once for every proposal.

    Args:
        generate: the policy (`Services.generate`) or `EndpointText`.
    """

    def __init__(self, generate: TextGenerator) -> None:
        self.generate = generate

    def __call__(self, request: ProposalRequest) -> list[Proposal]:
        """Returns what could be read from the replies.

        Raises:
            ProposerFault: If no reply holds an instruction.
        """
        prompts = [reflection_prompt(request, number) for number in range(request.count)]
        replies = self.generate(prompts, max_new_tokens=MAX_NEW_TOKENS)
        texts = [text for reply in replies if (text := read_proposal(reply))]
        if not texts:
            raise ProposerFault(f"none of {len(replies)} replies holds an instruction")
        best = request.parents[0]
        return [Proposal(text, (best.id,), "reflection") for text in texts]


class EndpointText:
    """Text generation by an OpenAI-compatible endpoint, journalled by what was asked.

    Args:
        name: "openai:MODEL@BASE_URL".
        journal: where replies are kept, so that a resumed run gets the same ones.
        temperature: of the endpoint's sampling.
        config: time-outs and repetitions; an endpoint that stays away costs what they add up to.
        concurrency: requests at a time.
    """

    def __init__(
        self,
        name: str,
        journal: Journal,
        *,
        temperature: float = 1.0,
        config: EndpointConfig | None = None,
        concurrency: int = 8,
    ) -> None:
        self.name = name
        self.journal = journal
        self.concurrency = concurrency
        self._endpoint = EndpointPolicy(
            name,
            temperature=temperature,
            max_new_tokens=MAX_NEW_TOKENS,
            config=config or EndpointConfig(timeout_s=60.0, max_retries=2),
        )

    def __call__(self, prompts: list[str], max_new_tokens: int = MAX_NEW_TOKENS) -> list[str]:
        """Returns one reply per prompt, "" where none could be had.

        Raises:
            ProposerFault: If there is none at all, with the reason of the first.
        """
        faults: list[str] = []

        def ask(prompt: str) -> str:
            key = self.journal.key(self.name, max_new_tokens, prompt)
            if (kept := self.journal.get(key)) is not None:
                return str(kept)
            messages = [{"role": "user", "content": prompt}]
            try:
                seed = keyed_seed(key) & 0x7FFFFFFF
                answer = self._endpoint.complete(messages, key=key, seed=seed)
            except (PolicyFault, UsageError) as error:
                faults.append(str(error))
                return ""
            return str(answer["text"])

        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="proposer") as pool:
            replies = list(pool.map(ask, prompts))
        for prompt, reply in zip(prompts, replies, strict=True):
            key = self.journal.key(self.name, max_new_tokens, prompt)
            if reply and self.journal.get(key) is None:
                self.journal.add(key, reply)
        if faults and not any(replies):
            raise ProposerFault(faults[0])
        return replies


def make_proposer(name: str, run_dir: Path, generate: TextGenerator, *, model: str) -> Proposer:
    """Returns the proposer of a run.

    Args:
        name: "clauses", "clauses:FILE", "policy" or "openai:MODEL@BASE_URL".
        run_dir: an endpoint's replies are journalled in `run_dir/proposer.jsonl`.
        generate: text generation by the policy.
        model: the run's model; a table cannot reflect.

    Raises:
        UsageError: If it is none of these, or the policy cannot write.
        DataError: If the file holds no library.
    """
    kind, _, rest = name.partition(":")
    if name == "clauses" or (kind == "clauses" and rest):
        return ClauseProposer(load_library(Path(rest) if rest else None))
    if name == "policy":
        if model == "tabular":
            raise UsageError(
                'proposer must be "clauses" or an endpoint for a tabular policy, which writes no '
                'text, got "policy".'
            )
        return ReflectionProposer(generate)
    if kind == "openai":
        return ReflectionProposer(EndpointText(name, Journal(run_dir / PROPOSER_FILE)))
    raise UsageError(
        f'proposer must be "clauses", "clauses:FILE", "policy" or "openai:MODEL@BASE_URL", got '
        f"{name!r}."
    )
