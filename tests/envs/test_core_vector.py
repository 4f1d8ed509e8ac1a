"""Vector environments: info undone exactly, snapshots restored inside."""

import gymnasium as gym
import numpy as np
import pytest
import two_rooms
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

import turnwise_envs
from turnwise_envs import restore_vector, unbatch_info

FLOATS = st.dictionaries(st.sampled_from(["goal", "mistake", "x"]), st.floats(allow_nan=False))
INFOS = st.fixed_dictionaries(
    {
        "text": st.text(max_size=5),
        "flag": st.booleans(),
        "count": st.integers(-(2**60), 2**60),
        "score": st.floats(allow_nan=False),
        "menu": st.none() | st.lists(st.text(max_size=3), max_size=3),
        "parts": FLOATS,
    },
    optional={"deep": st.fixed_dictionaries({"parts": FLOATS, "name": st.text(max_size=3)})},
)


@given(st.lists(INFOS, min_size=1, max_size=4))
def test_unbatch_reverses_gymnasiums_batching(infos):
    vec = SyncVectorEnv([two_rooms.TwoRoomsEnv] * len(infos))
    batched = {}
    for index, info in enumerate(infos):
        batched = vec._add_info(batched, info, index)
    for index, info in enumerate(infos):
        got = unbatch_info(batched, index)
        assert got == info
        assert {k: type(v) for k, v in got.items()} == {k: type(v) for k, v in info.items()}


def test_unbatch_keeps_arrays_and_final_values():
    vec = SyncVectorEnv([two_rooms.TwoRoomsEnv] * 2)
    info = {"image": np.arange(3), "final_obs": "text", "final_info": {"score": 1.0, "parts": {}}}
    batched = vec._add_info(vec._add_info({}, {"score": 0.5}, 0), info, 1)
    got = unbatch_info(batched, 1)
    np.testing.assert_array_equal(got.pop("image"), [0, 1, 2])
    assert got == {"final_obs": "text", "final_info": {"score": 1.0, "parts": {}}}
    assert unbatch_info(batched, 0) == {"score": 0.5}


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_same_step_returns_final_observation_and_info(mode):
    vec = gym.make_vec(
        two_rooms.ENV_ID,
        num_envs=2,
        vectorization_mode=mode,
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        max_turns=1,
    )
    single = gym.make(two_rooms.ENV_ID, max_turns=1)
    single.reset(seed=6)
    vec.reset(seed=5)
    observation, _, _, _, info = single.step("dance")
    observations, _, _, truncated, infos = vec.step(["walk", "dance"])
    assert truncated.all()
    got = unbatch_info(infos, 1)
    assert got.pop("final_obs") == observation
    assert got.pop("final_info") == info
    assert observations[1], got["action"] == single.reset()[0]
    vec.close()


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_asynchronous_observations_are_not_stale(context):
    vec = gym.make_vec(
        two_rooms.ENV_ID,
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": context, "autoreset_mode": AutoresetMode.DISABLED},
    )
    first, _ = vec.reset(seed=0)
    assert first in vec.observation_space
    second = vec.step(("dance", "\ud800"))[0]
    assert second == ("Nothing happens.",) * 2
    assert first != second
    env = gym.make(two_rooms.ENV_ID)
    env.reset(seed=9)
    blob = turnwise_envs.snapshot(env)
    third, info = restore_vector(vec, 1, blob, seed=4)
    assert third[0] == second[0]
    assert info["task_id"] == env.unwrapped.task.id
    turnwise_envs.restore(env, blob, seed=4)
    assert vec.step(("dance", "walk"))[0][1] == env.step("walk")[0]
    with pytest.raises(turnwise_envs.UsageError, match=r"index must be in \[0, 2\)"):
        restore_vector(vec, 2, blob)
    vec.close()


def test_restoring_an_ended_environment_without_shared_memory_is_refused():
    kwargs = {"shared_memory": False, "autoreset_mode": AutoresetMode.NEXT_STEP}
    vec = gym.make_vec(
        two_rooms.ENV_ID, num_envs=1, vectorization_mode="async", vector_kwargs=kwargs
    )
    with pytest.raises(turnwise_envs.UsageError, match="shared_memory=True"):
        restore_vector(vec, 0, b"")
    vec.close()
