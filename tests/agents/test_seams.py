"""The seams are accepted when unusual algorithms run through the unchanged trainer.

Five stubs, each of which asks for something that a plain GRPO does not: a second wave of rollouts,
a retry from a snapshot with a reflection in the prompt, a second trained model, a value head, and a
turn of two generations.
"""

import pytest
import torch
from doors import make_trainer

from turnwise_agents.algorithms.base import Algorithm, Needs
from turnwise_agents.types import Branch, Credit, RolloutSpec


class Plain(Algorithm):
    """REINFORCE with the group's mean return as baseline."""

    def assign_credit(self, groups):
        credits = []
        for group in groups:
            mean = sum(t.episode_return for t in group.valid) / max(1, len(group.valid))
            credits += [
                Credit(
                    trajectory_id=t.trajectory_id,
                    turn=[(t.episode_return - mean) if u.trainable else 0.0 for u in t.turns],
                )
                for t in group.valid
            ]
        return credits

    def loss(self, outputs, batch):
        terms = -(outputs.logprobs * batch.advantages)[batch.loss_mask]
        return terms.sum() / batch.norms.tokens, {"pg": float(terms.detach().sum())}


def test_plain_algorithm_learns():
    trainer = make_trainer(Plain(), iterations=40)
    before = trainer.iterate()["rollout/success_rate"]
    after = trainer.train()["rollout/success_rate"]
    assert before < 0.4
    assert after > 0.8


@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_both_schedules_give_whole_groups(schedule):
    trainer = make_trainer(Plain(), schedule=schedule, max_concurrent=20)
    groups = trainer.collect()
    assert [len(g.trajectories) for g in groups] == [8] * 16
    assert all(t.stop == "env" and len(t.turns) == 3 for g in groups for t in g.trajectories)


def test_lockstep_is_reproducible_and_schedules_draw_alike():
    def actions(**kwargs):
        groups = make_trainer(Plain(), **kwargs).collect()
        return {
            t.trajectory_id: [u.action for u in t.turns] for g in groups for t in g.trajectories
        }

    assert actions() == actions() == actions(schedule="async") == actions(max_concurrent=7)
    assert actions() != actions(seed=1)


class Resampling(Plain):
    """Dynamic sampling: replaces groups without variance, one more wave at most."""

    waves = 0

    def plan(self, pool, finished):
        if not finished:
            self.waves = 1
            return super().plan(pool, [])
        flat = [g for g in finished if len({t.episode_return for t in g.valid}) == 1]
        if self.waves == 2 or not flat:
            return []
        self.waves = 2
        return [
            RolloutSpec(env_id=g.env_id, task_id=g.task_id, group_id=f"{g.group_id}b", count=16)
            for g in flat
        ]

    def select(self, groups):
        return [g for g in groups if len({t.episode_return for t in g.valid}) > 1]


def test_two_waves_and_every_step_counts():
    trainer = make_trainer(Resampling())
    metrics = trainer.iterate()
    assert trainer.algorithm.waves == 2
    assert metrics["rollout/groups"] > 16
    assert metrics["rollout/chosen_groups"] < metrics["rollout/groups"]
    assert metrics["rollout/env_steps"] == 3 * metrics["rollout/episodes"]
    assert trainer.env_steps == metrics["rollout/env_steps"]


class Retrying(Plain):
    """Goes back one turn after a failure, with a reflection in the prompt."""

    def plan(self, pool, finished):
        if not finished:
            specs = super().plan(pool, [])
            for spec in specs:
                spec.keep_snapshots = True
            return specs
        if any(t.origin == "retry" for g in finished for t in g.trajectories):
            return []
        return [
            RolloutSpec(
                env_id=g.env_id,
                task_id=g.task_id,
                group_id=g.group_id,
                count=1,
                parent=Branch(trajectory=t, turn_index=1, snapshot=t.turns[1].snapshot),
                prompt_patch="Last time the second door was wrong.",
                origin="retry",
            )
            for g in finished
            for t in g.trajectories
            if not t.success
        ]


def test_retry_from_a_snapshot_after_reflection():
    trainer = make_trainer(Retrying())
    groups = trainer.collect()
    by_id = {t.trajectory_id: t for g in groups for t in g.trajectories}
    retries = [t for t in by_id.values() if t.origin == "retry"]
    assert len(by_id) == sum(len(g.trajectories) for g in groups)
    assert retries
    for retry in retries:
        parent_id, turn = retry.parent
        parent = by_id[parent_id]
        assert turn == 1
        assert retry.turns[0].action == parent.turns[0].action
        assert not retry.turns[0].trainable
        assert retry.turns[1].state_key == parent.turns[1].state_key
        assert retry.turns[1].trainable
        generation = retry.turns[1].generations[0]
        assert generation.train_prompt_ids is not None
        assert generation.train_prompt_ids != generation.prompt_ids
    metrics = trainer.iterate()
    episodes, extra = metrics["rollout/episodes"], metrics["rollout/episodes"] - 128
    assert metrics["rollout/env_steps"] == 3 * episodes - extra


class TwoModels(Plain):
    """Trains a second model in `observe`."""

    def setup(self, learner):
        learner.add_model("reward", trainable=True)

    def observe(self, groups, services):
        from turnwise_agents.segments import segments

        items = [s for g in groups for t in g.valid for s in segments(t)]
        outputs = services.learner.forward(items, model="reward")
        loss = -outputs.logprobs.sum() / len(items)
        services.learner.backward(loss)
        services.learner.step()
        return {"reward/loss": float(loss.detach())}


def test_second_model_is_trained():
    trainer = make_trainer(TwoModels())
    losses = [trainer.iterate()["reward/loss"] for _ in range(6)]
    assert losses[-1] < losses[0]
    assert "reward" in str(trainer.learner.state_dict().keys()) or trainer.learner.state_dict()


class WithValues(Plain):
    """Subtracts a learned value from the return."""

    needs = Needs(outputs=frozenset({"values"}))

    def setup(self, learner):
        learner.add_head("values")

    def assign_credit(self, groups):
        return [
            Credit(trajectory_id=t.trajectory_id, turn=[t.episode_return] * len(t.turns))
            for g in groups
            for t in g.valid
        ]

    def loss(self, outputs, batch):
        mask = batch.loss_mask
        errors = (batch.advantages - outputs.values)[mask]
        policy = -(outputs.logprobs[mask] * errors.detach()).sum()
        value = (errors**2).sum()
        return (policy + 0.5 * value) / batch.norms.tokens, {
            "value": float(value.detach()) / batch.norms.tokens
        }


def test_value_head_is_trained():
    trainer = make_trainer(WithValues(), iterations=30)
    first = trainer.iterate()["loss/value"]
    trainer.train()
    groups = trainer.collect()
    from turnwise_agents.segments import segments

    items = [s for g in groups for t in g.valid for s in segments(t)]
    with torch.no_grad():
        outputs = trainer.learner.forward(items, frozenset({"values"}))
    assert outputs.values.abs().max() > 0
    assert first > 0


class ThinkThenAct(Plain):
    """Every turn generates twice; both generations are trained."""

    def plan(self, pool, finished):
        specs = super().plan(pool, finished)
        for spec in specs:
            spec.roles = ("think", "act")
        return specs


def test_turn_of_two_generations():
    trainer = make_trainer(ThinkThenAct())
    groups = trainer.collect()
    turn = groups[0].trajectories[0].turns[0]
    assert [g.role for g in turn.generations] == ["think", "act"]
    metrics = trainer.iterate()
    assert metrics["loss/trained_tokens"] == 2 * metrics["rollout/env_steps"]
