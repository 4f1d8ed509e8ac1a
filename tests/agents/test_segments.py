"""Cutting trajectories into segments, and segments into batches."""

import numpy as np
import pytest
import torch

from turnwise_agents.segments import count_norms, make_batch, microbatches, minibatches, segments
from turnwise_agents.types import Credit, Generation, Segment, Trajectory, Turn


def generation(prompt, completion, **kwargs):
    return Generation(
        prompt_ids=prompt,
        completion_ids=completion,
        sampler_logprobs=[-0.1 * (i + 1) for i in range(len(completion))],
        **kwargs,
    )


def trajectory(*turns, name="t"):
    return Trajectory(
        env_id="e",
        task_id="k",
        group_id="g",
        trajectory_id=name,
        turns=[
            Turn(turn_index=i, observation="", generations=generations)
            for i, generations in enumerate(turns)
        ],
    )


def test_full_history_is_one_segment():
    played = trajectory([generation([1, 2], [3, 4])], [generation([1, 2, 3, 4, 5], [6])])
    (segment,) = segments(played, Credit(trajectory_id="t", turn=[0.5, -1.0]))
    assert segment.input_ids == [1, 2, 3, 4, 5, 6]
    assert segment.loss_mask == [False, False, True, True, False, True]
    assert segment.turn_indices == [-1, -1, 0, 0, -1, 1]
    assert segment.advantages == [0, 0, 0.5, 0.5, 0, -1.0]
    assert segment.sampler_logprobs == [0, 0, -0.1, -0.2, 0, -0.1]
    assert segment.old_logprobs == segment.sampler_logprobs


def test_windowed_history_is_one_segment_a_turn():
    played = trajectory([generation([1, 2], [3])], [generation([1, 9], [4, 5])])
    first, second = segments(played)
    assert first.input_ids == [1, 2, 3]
    assert second.input_ids == [1, 9, 4, 5]


def test_think_and_act_in_one_turn_share_the_segment():
    played = trajectory([generation([1], [2], role="think"), generation([1, 2, 7], [3])])
    (segment,) = segments(played, Credit(trajectory_id="t", turn=[2.0]))
    assert segment.input_ids == [1, 2, 7, 3]
    assert segment.turn_indices == [-1, 0, -1, 0]
    assert segment.advantages == [0, 2.0, 0, 2.0]


def test_prompt_patch_is_not_trained_on():
    played = trajectory([generation([1, 99, 2], [3], train_prompt_ids=[1, 2])])
    (segment,) = segments(played)
    assert segment.input_ids == [1, 2, 3]


def test_untrained_prefix_is_context_only():
    played = trajectory(
        [generation([1], [2], trainable=False)], [generation([1, 2, 3], [4], trainable=True)]
    )
    (segment,) = segments(played, Credit(trajectory_id="t", turn=[9.0, 1.0]))
    assert segment.loss_mask == [False, False, False, True]
    assert segment.advantages == [0, 0, 0, 1.0]
    assert segments(trajectory([generation([1], [2], trainable=False)])) == []


def test_another_temperature_opens_another_segment():
    played = trajectory([generation([1], [2])], [generation([1, 2, 3], [4], temperature=0.5)])
    assert [s.temperature for s in segments(played)] == [1.0, 0.5]


def test_token_credit_overrides_turn_credit():
    played = trajectory([generation([1], [2, 3])])
    credit = Credit(trajectory_id="t", turn=[5.0], token=[[0.25, 0.75]])
    assert segments(played, credit)[0].advantages == [0, 0.25, 0.75]
    with pytest.raises(ValueError, match="one entry per trainable completion token"):
        segments(played, Credit(trajectory_id="t", turn=[5.0], token=[[0.25]]))
    with pytest.raises(ValueError, match="one entry per turn"):
        segments(played, Credit(trajectory_id="t", turn=[]))


def make_segment(name, length, group="g", trained=1):
    return Segment(
        trajectory_id=name,
        group_id=group,
        input_ids=list(range(length)),
        loss_mask=[False] * (length - trained) + [True] * trained,
        turn_indices=[-1] * (length - trained) + [0] * trained,
        advantages=[0.0] * (length - trained) + [1.0] * trained,
        sampler_logprobs=[0.0] * length,
        old_logprobs=[0.0] * length,
    )


def test_minibatches_keep_trajectories_together_and_lose_nothing():
    items = [make_segment(f"t{i // 2}", 3 + i, group=f"g{i // 4}") for i in range(12)]
    dealt = minibatches(items, 3, np.random.default_rng(0), whole_groups=False)
    assert sorted(len(s.input_ids) for m in dealt for s in m) == sorted(range(3, 15))
    owners = [{s.trajectory_id for s in m} for m in dealt]
    assert not owners[0] & owners[1]
    assert not owners[1] & owners[2]
    whole = minibatches(items, 2, np.random.default_rng(0), whole_groups=True)
    groups = [{s.group_id for s in m} for m in whole]
    assert not groups[0] & groups[1]


def test_microbatches_respect_the_limit_and_norms_ignore_the_cut():
    items = [make_segment(f"t{i}", 2 + i % 5, trained=1 + i % 2) for i in range(20)]
    norms = count_norms(items)
    assert (norms.segments, norms.trajectories, norms.groups) == (20, 20, 1)
    cut = microbatches(items, 12, whole_groups=False)
    assert sum(len(m) for m in cut) == 20
    assert all(len(m) * max(len(s.input_ids) for s in m) <= 12 for m in cut)
    assert norms.tokens == sum(s.num_tokens for m in cut for s in m)
    assert len(microbatches(items, 3, whole_groups=True)) == 1


def test_batch_is_padded_with_zeros():
    items = [make_segment("a", 2), make_segment("b", 4)]
    batch = make_batch(items, count_norms(items), torch.device("cpu"))
    assert batch.loss_mask.tolist() == [[False, True, False, False], [False, False, False, True]]
    assert batch.advantages.tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]
    assert batch.turn_indices.tolist() == [[-1, 0, -1, -1], [-1, -1, -1, 0]]
