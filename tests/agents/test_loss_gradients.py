"""The gradient of every loss against finite differences, on a tiny language model.

Three computations of the same directional derivative: the real learner's (float32), autograd's in
float64, and a central difference in float64. Surrogates with a stopped gradient are differenced
with the weight held at its value. The preference loss of OPRL's reward model, whose gradient comes
in two passes over micro-batches, is differenced in the same way.
"""

import copy
import math

import pytest
import records
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from turnwise_agents.algorithms import ALGORITHMS
from turnwise_agents.algorithms.base import Outputs, Services
from turnwise_agents.estimators import preference_pairs
from turnwise_agents.learners.hf import HFLearner
from turnwise_agents.reward_model import ImplicitRewardModel
from turnwise_agents.scorer import Scorer
from turnwise_agents.segments import count_norms, make_batch, segments

CASES = {
    "clip, dual clip, k3 and entropy": (
        "grpo",
        {"kl_coef": 0.1, "ent_coef": 0.1, "dual_clip": 1.25},
    ),
    "k1": ("grpo", {"kl_coef": 0.3, "kl_estimator": "k1"}),
    "k2": ("grpo", {"kl_coef": 0.3, "kl_estimator": "k2"}),
    "ratio of a turn": ("loop", {"ratio_level": "turn"}),
    "ratio of a sequence": ("rloo", {"ratio_level": "sequence_product"}),
    "truncated importance": (
        "grpo",
        {"importance_correction": "token_truncate", "importance_cap": 1.1},
    ),
    "masked importance": (
        "grpo",
        {"importance_correction": "sequence_mask", "importance_cap": 1.5},
    ),
    "truncated importance of a sequence": (
        "grpo",
        {"importance_correction": "sequence_truncate", "importance_cap": 1.1},
    ),
    "masked importance of a token": (
        "grpo",
        {"importance_correction": "token_mask", "importance_cap": 1.2, "importance_floor": 0.5},
    ),
    "entropy": ("grpo", {"kl_coef": 0.0, "ent_coef": 0.3}),
    "steps from equal states": ("gigpo", {}),
    "returns that follow": ("reinforce", {"gamma": 0.9}),
    "gated returns": ("gra", {"credit": "turn"}),
    "information gain": ("igpo", {"kl_coef": 0.1, "ent_coef": 0.05}),
    "implicit rewards, mean over turns": ("oprl", {}),
    "implicit rewards, as published": (
        "oprl",
        {"ratio_level": "token", "loss_aggregation": "token", "outcome_advantage": "rloo"},
    ),
    "mean over trajectories": ("inspo", {"loss_aggregation": "trajectory"}),
    "k1 in the reward": ("rloo", {"kl_in_reward": True, "kl_estimator": "k1"}),
    "off-policy mask": ("grpo", {"off_policy_mask": 0.02}),
    "clip-higher": ("dapo", {"dynamic_sampling": False}),
    "constant length": ("dr_grpo", {"max_completion_length": 16}),
    "length-normalised ratio": ("gspo", {"clip_ratio_low": 0.05, "clip_ratio_high": 0.05}),
    "cispo": ("cispo", {"cispo_max_ratio": 1.1}),
    "sapo": ("sapo", {}),
    "vespo": ("vespo", {}),
    "whitened returns": ("reinforce_plus_plus", {}),
    "whitened differences": ("reinforce_plus_plus_baseline", {}),
    "values by token": ("ppo", {"vf_coef": 0.7, "value_clip": 0.1}),
    "values by turn": ("ppo", {"level": "turn", "vf_coef": 0.7, "value_clip": None}),
}
STOPPED = ("cispo", "vespo")
ACTIVE = {
    "clip, dual clip, k3 and entropy": {"clip_fraction", "dual_clip_fraction", "kl", "entropy"},
    "masked importance": {"importance_masked"},
    "masked importance of a token": {"importance_masked"},
    "off-policy mask": {"off_policy_masked"},
    "clip-higher": {"clip_fraction"},
    "length-normalised ratio": {"clip_fraction"},
    "cispo": {"clip_fraction"},
    "values by token": {"clip_fraction", "value_clip_fraction"},
}
"""What must not be idle where the gradient is compared."""


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def make_learner(algorithm):
    # GPT-2, because its norms stay in float64.
    config = GPT2Config(
        vocab_size=11, n_positions=16, n_embd=16, n_layer=1, n_head=2, initializer_range=0.4
    )
    learner = HFLearner(GPT2LMHeadModel(config))
    algorithm.setup(learner)
    for head in learner.heads.values():
        torch.nn.init.normal_(head.weight, std=0.3)
    for name in sorted(algorithm.needs.models):
        learner.add_model(name)
    for name, model in learner.models.items():
        if name != "policy":
            for parameter in model.parameters():
                parameter.data += 0.1 * torch.randn_like(parameter)
    return learner


def played(learner):
    """Two groups of three, with the log-probabilities of nearly the policy."""
    groups = []
    for g in range(2):
        made = [
            records.episode(
                f"{g}.{i}",
                [[5, 6 + i], [7, 8, 3 + g]][: 1 + (i + g) % 2],
                [0.1 * i, 1.0 - i][: 1 + (i + g) % 2],
                group=str(g),
                stop="turns" if i == 2 else "env",
                score=i / 2,
                reference=["fox"],
            )
            for i in range(3)
        ]
        groups.append(records.group(*made))
    trajectories = [t for g in groups for t in g.trajectories]
    scores = Scorer(learner).tokens(trajectories)["logprobs"]
    for t in trajectories:
        for turn, own in zip(t.turns, scores[t.trajectory_id], strict=True):
            exact = torch.tensor(own)
            generation = turn.generations[0]
            generation.old_logprobs = (exact + 0.4 * torch.randn(len(own))).tolist()
            generation.sampler_logprobs = (exact + 0.4 * torch.randn(len(own))).tolist()
    return groups


def services(learner):
    answers = records.GoldTokens(9, 3)
    return Services(scorer=Scorer(learner), learner=learner, generate=None, answers=answers)


class Exact:
    """The same models in float64, scored by a plain forward of each segment."""

    def __init__(self, learner, items):
        self.items = items
        self.policy = copy.deepcopy(learner.model).double()
        self.reference = copy.deepcopy(learner.models.get("ref", learner.model)).double()
        self.head = copy.deepcopy(learner.heads.get("values", torch.nn.Linear(16, 1))).double()
        self.parameters = [*self.policy.parameters(), *self.head.parameters()]

    def outputs(self):
        width = max(len(s.input_ids) for s in self.items)
        rows = [self.row(torch.tensor([s.input_ids])) for s in self.items]
        logprobs, entropy, values, reference = (
            torch.stack([torch.nn.functional.pad(v, (1, width - len(v) - 1)) for v in column])
            for column in zip(*rows, strict=True)
        )
        return Outputs(logprobs, entropy, values, {"ref": reference.detach()})

    def row(self, ids):
        hidden = self.policy.transformer(input_ids=ids).last_hidden_state[0, :-1]
        logs = self.policy.lm_head(hidden).log_softmax(-1)
        reference = self.reference(input_ids=ids).logits[0, :-1].log_softmax(-1)
        targets = ids[0, 1:, None]
        return (
            logs.gather(1, targets)[:, 0],
            -(logs.exp() * logs).sum(-1),
            self.head(hidden)[:, 0],
            reference.gather(1, targets)[:, 0],
        )

    def derivative(self, loss, direction):
        """Returns autograd's directional derivative and that by a central difference."""
        grads = torch.autograd.grad(loss(self.outputs()), self.parameters, allow_unused=True)
        numeric = difference(self.parameters, direction, lambda: loss(self.outputs()))
        return along(grads, direction), numeric


@torch.no_grad()
def difference(parameters, direction, loss):
    """Returns the central difference of a loss along a direction."""
    h, values = 1e-6, []
    for shift in (h, -2 * h):
        for parameter, step in zip(parameters, direction, strict=True):
            parameter += shift * step
        values.append(float(loss()))
    return (values[0] - values[1]) / (2 * h)


def along(grads, direction):
    """Returns the sum of products; a gradient may be None."""
    return sum(
        float((g.double() * d).sum())
        for g, d in zip(grads, direction, strict=False)
        if g is not None
    )


def holding_the_weight(algorithm):
    """Makes the surrogate keep the ratio of its first call, as the stopped gradient means it."""
    held = copy.copy(algorithm)
    ratios = []

    def surrogate(log_ratio, logprobs, advantages):
        ratios.append(log_ratio.detach())
        return algorithm.surrogate(ratios[0], logprobs, advantages)

    held.surrogate = surrogate
    return held


@pytest.mark.parametrize("case", CASES)
def test_gradient_equals_finite_differences(case):
    name, fields = CASES[case]
    algorithm = ALGORITHMS[name](ALGORITHMS[name].Config(**fields))
    learner = make_learner(algorithm)
    groups = played(learner)
    algorithm.shape(groups, services(learner))
    credits = {c.trajectory_id: c for c in algorithm.assign_credit(groups)}
    items = [s for g in groups for t in g.valid for s in segments(t, credits[t.trajectory_id])]
    batch = make_batch(items, count_norms(items), torch.device("cpu"))
    for head in learner.heads.values():
        head.bias.data += 0.3  # away from the old values

    outputs = learner.forward(items, algorithm.needs.outputs, algorithm.needs.models)
    loss, metrics = algorithm.loss(outputs, batch)
    learner.backward(loss)
    assert all(map(math.isfinite, metrics.values()))
    assert all(metrics[metric] > 0 for metric in ACTIVE.get(case, ()))

    exact = Exact(learner, items)
    direction = [torch.randn_like(p) for p in exact.parameters]
    differenced = holding_the_weight(algorithm) if name in STOPPED else algorithm
    automatic, numeric = exact.derivative(lambda o: differenced.loss(o, batch)[0], direction)
    trained = [*learner.model.parameters()]
    if "values" in learner.heads:
        trained += learner.heads["values"].parameters()
    real = along([p.grad for p in trained], direction)
    assert abs(numeric) > 1e-3
    assert automatic == pytest.approx(numeric, rel=1e-6)
    assert real == pytest.approx(numeric, rel=1e-3, abs=1e-5)


def test_every_algorithm_is_among_the_cases():
    assert {name for name, _ in CASES.values()} == set(ALGORITHMS)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("tokens", [1, 24, 10_000])
def test_preference_gradient_equals_finite_differences(tokens, mean):
    algorithm = ALGORITHMS["oprl"]()
    learner = make_learner(algorithm)
    groups = played(learner)
    table = algorithm.table(groups)
    pairs = preference_pairs(table.returns, table.group_ids)
    assert len(pairs) == 4
    learner.step = dict  # keeps the gradient, to be looked at
    model = ImplicitRewardModel(
        services(learner), "reward", table, beta=0.5, mean=mean, micro_batch_tokens=tokens
    )
    value = model.update(model.log_ratios(), pairs)["reward_model/loss"]
    real = [p.grad for p in learner.models["reward"].parameters()]
    assert all(p.grad is None for p in learner.model.parameters())

    phi = copy.deepcopy(learner.models["reward"]).double()
    old = copy.deepcopy(learner.model).double()

    def score(trajectory):
        (segment,) = segments(trajectory)
        ids, mask = torch.tensor([segment.input_ids]), torch.tensor(segment.loss_mask[1:])
        logs = [
            m(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[mask].sum()
            for m in (phi, old)
        ]
        return 0.5 * (logs[0] - logs[1]) / (len(trajectory.turns) if mean else 1)

    def loss():
        scores = [score(t) for t in table.trajectories]
        margins = torch.stack([scores[a] - scores[b] for a, b in pairs])
        return (1 + (-margins).exp()).log().mean()

    assert value == pytest.approx(float(loss().detach()), abs=1e-5)
    direction = [torch.randn_like(p) for p in phi.parameters()]
    numeric = difference(list(phi.parameters()), direction, loss)
    assert abs(numeric) > 1e-2
    assert along(real, direction) == pytest.approx(numeric, rel=1e-3)
