"""Model, learner, sampler and contexts that fit together, from one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnwise_agents.algorithms.base import TextGenerator
from turnwise_agents.context import ChatContexts, ContextConfig, ContextFactory
from turnwise_agents.learners.base import Learner
from turnwise_agents.samplers.base import Request, Sampler
from turnwise_agents.types import Sampling


@dataclass
class Parts:
    """What a policy consists of.

    Attributes:
        learner: scores and trains.
        sampler: completes prompts with the learner's weights.
        contexts: makes one context per episode.
        generate: plain text generation by the policy.
        export: writes the policy into a folder that `--model` and `evaluate` read.
        tokenizer: of a language model, else None.
    """

    learner: Learner
    sampler: Sampler
    contexts: ContextFactory
    generate: TextGenerator
    export: Callable[[Path], None]
    tokenizer: Any = None


def build_parts(
    model: str,
    *,
    learner: Any,
    context: ContextConfig,
    env_ids: Sequence[str],
    env_kwargs: Mapping[str, Any],
    run_dir: Path,
    seed: int,
    warm_start: bool = True,
    progress: Callable[[str], None] | None = None,
    num_tasks: int | None = None,
) -> Parts:
    """Builds a policy.

    Args:
        model: "tiny", "tabular", or a Hugging Face folder or hub id.
        learner: an `HFLearnerConfig`, or a `TabularLearnerConfig`.
        context: what goes into prompts.
        env_ids: environments whose text the tiny preset is made for.
        env_kwargs: their arguments.
        run_dir: the tiny preset is kept in `run_dir/model`.
        seed: of the preset's weights and warm start.
        warm_start: whether the tiny preset is warm-started.
        progress: told what happens.
        num_tasks: the tiny preset is made for the first so many tasks; None takes all.
    """
    if model == "tabular":
        return _tabular_parts(learner, seed)
    folder = Path(model)
    if model == "tiny":
        from turnwise_agents.presets.tiny import prepare_tiny

        folder = run_dir / "model"
        if not (folder / "config.json").exists():
            prepare_tiny(
                list(env_ids),
                dict(env_kwargs),
                folder,
                seed=seed,
                warm_start=warm_start,
                progress=progress,
                context=context,
                num_tasks=num_tasks,
            )
        return _language_parts(str(folder), learner, context)
    return _language_parts(model, learner, context)


def _language_parts(name: str, config: Any, context: ContextConfig) -> Parts:
    from turnwise_agents.learners.hf import HFLearner
    from turnwise_agents.learners.loading import load_model_and_tokenizer
    from turnwise_agents.samplers.hf import HFSampler

    model, tokenizer = load_model_and_tokenizer(
        name,
        dtype=config.dtype,
        device=config.device,
        attn_implementation=config.attn_implementation,
    )
    learner = HFLearner(model, config)
    contexts = ChatContexts(tokenizer, context)
    sampler = HFSampler(learner.model, stop_ids=contexts.stop_ids)
    return Parts(
        learner=learner,
        sampler=sampler,
        contexts=contexts,
        generate=_PolicyText(sampler, tokenizer, context.max_context_tokens),
        export=lambda path: learner.save_pretrained(path, tokenizer),
        tokenizer=tokenizer,
    )


def _tabular_parts(config: Any, seed: int) -> Parts:
    from turnwise_agents.tabular import build_tabular, no_text, save_policy

    learner, sampler, contexts = build_tabular(config, seed)
    return Parts(
        learner=learner,
        sampler=sampler,
        contexts=contexts,
        generate=no_text,
        export=lambda path: save_policy(learner, path),
    )


class _PolicyText:
    """Text generation by the policy itself, greedy, as one user message per prompt."""

    def __init__(self, sampler: Sampler, tokenizer: Any, limit: int) -> None:
        self.sampler = sampler
        self.tokenizer = tokenizer
        self.limit = limit

    def __call__(self, prompts: list[str], max_new_tokens: int = 256) -> list[str]:
        """Returns one completion per prompt; prompts too long for the context lose their start."""
        requests = []
        for i, prompt in enumerate(prompts):
            encoded = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}],
                add_generation_prompt=True,
                return_dict=False,
            )
            requests.append(
                Request(
                    session_id=f"text-{i}",
                    prompt_ids=list(encoded)[-max(1, self.limit - max_new_tokens) :],
                    sampling=Sampling(temperature=0.0, max_new_tokens=max_new_tokens),
                    stream=i,
                )
            )
        generations = self.sampler.generate(requests)
        self.sampler.close([request.session_id for request in requests])
        return [
            self.tokenizer.decode(g.completion_ids, skip_special_tokens=True) for g in generations
        ]
