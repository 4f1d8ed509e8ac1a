"""Text policies, and an endpoint that fails now and then."""

import sys

import pytest
from scripted_endpoint import serving

from turnwise_agents.endpoint import EndpointConfig, EndpointPolicy, retry_after, system_text
from turnwise_agents.policies import (
    SIMPLE,
    ImportedPolicy,
    PolicyFault,
    import_object,
    is_text_policy,
)
from turnwise_agents.text_rollout import Job, make_env, play_jobs, play_text_episode
from turnwise_envs import UsageError, tasks

ENV = "turnwise/HouseholdSmall-v0"


def jobs(count, episodes=1):
    some = tasks(ENV, "valid_seen")
    return [Job(some[i], 0, episode) for i in range(count) for episode in range(episodes)]


def play(policy, count=2, **kwargs):
    kwargs = {"split": "valid_seen", **kwargs}
    return list(play_jobs(policy, jobs(count), env_id=ENV, env_kwargs=kwargs, concurrency=4))


@pytest.fixture
def server():
    with serving() as handler:
        yield handler


def endpoint(server, waits=None, **config):
    sleep = (lambda s: None) if waits is None else waits.append
    config = EndpointConfig(**{"timeout_s": 5.0, "max_retries": 4, **config})
    return EndpointPolicy(f"openai:m/x@{server.url}", config=config, temperature=0.0, sleep=sleep)


def test_expert_wins_random_and_null_do_not():
    for form in ("plain", "xml", "tool_json"):
        assert all(t.success for t in play(SIMPLE["expert"](), action_format=form))
    random = play(SIMPLE["random"](), 3)
    assert [[u.action for u in t.turns] for t in random] == [
        [u.action for u in t.turns] for t in play(SIMPLE["random"](), 3)
    ]
    null = play(SIMPLE["null"](), 1)[0]
    assert (null.success, null.stop, len(null.turns)) == (False, "turns", 20)


def test_records_hold_what_the_viewer_and_rescoring_need():
    record = play(SIMPLE["expert"](), 1)[0]
    assert record.turns[0].anchor_key
    assert record.turns[-1].reward == sum(record.turns[-1].reward_components.values()) > 0
    assert record.turns[0].generations[0].text == record.turns[0].action
    assert record.final_observation
    assert (record.purpose, record.train, record.verdict) == ("probe", False, "solved")


def test_names():
    for name in ("expert", "openai:m@http://x", "a.b:C"):
        assert is_text_policy(name)
    for name in ("Qwen/Qwen3-0.6B", "runs/latest", "C:\\models", "./m:x/y"):
        assert not is_text_policy(name)


def test_imported_policies(tmp_path, monkeypatch):
    (tmp_path / "own_policy.py").write_text(
        "class Agent:\n"
        "    def __init__(self): self.n = 0\n"
        "    def act(self, observation, info, env):\n"
        "        self.n += 1\n"
        "        return f'look {self.n}'\n"
        "def act(observation, info, env): return info['admissible_actions'][0]\n"
        "number = 3\n"
    )
    (tmp_path / "broken_policy.py").write_text("import surely_missing_module\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    first, second = play(ImportedPolicy("own_policy:Agent"))
    assert first.turns[1].generations[0].text == "look 2"
    assert second.turns[0].generations[0].text == "look 1"  # one instance per episode
    assert play(ImportedPolicy("own_policy:act"), 1)[0].turns[0].action_is_valid
    with pytest.raises(UsageError, match="class or a function"):
        ImportedPolicy("own_policy:number")
    with pytest.raises(UsageError, match="must have 'nothing'"):
        import_object("own_policy:nothing")
    with pytest.raises(UsageError, match="must be importable"):
        import_object("no_such_module:x")
    with pytest.raises(ModuleNotFoundError, match="surely_missing_module"):
        import_object("broken_policy:x")


def test_endpoint_survives_passing_failures(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    server.replies[:] = [(429, {"Retry-After": "7"}), (503, {}), "drop", "garbage", "inventory"]
    waits: list[float] = []
    policy = endpoint(server, waits)
    env = make_env(ENV, split="valid_seen")
    record = play_text_episode(policy, env, ENV, jobs(1)[0])
    assert record.stop == "turns"
    assert record.turns[0].action == "inventory"
    assert record.turns[0].cost["completion_tokens"] == 2.0
    # 7 is Retry-After; then 1 * 2^k jittered by half
    assert len(waits) == 4
    assert waits[0] == 7.0
    assert all(0.5 <= w / 2**k <= 1.5 for k, w in enumerate(waits) if k)
    path, key, body = server.requests[-1]
    assert (path, key, body["model"]) == ("/v1/chat/completions", "Bearer k", "m/x")
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", *["user", "assistant"] * 19, "user"]
    assert body["messages"][0]["content"] == system_text(env)
    assert "go to RECEPTACLE" in system_text(env)


def test_jitter_is_keyed():
    policy = EndpointPolicy("openai:m@http://x")
    assert policy.wait_s(2, "a") == policy.wait_s(2, "a") != policy.wait_s(2, "b")
    assert policy.wait_s(50, "a") == 60.0


def test_endpoint_that_stays_away_voids_the_episode(server):
    server.replies[:] = [(500, {})] * 5
    record = play(endpoint(server), 1)[0]
    assert record.failed
    assert "5 attempts" in record.error
    assert "try later" in record.error


def test_refused_request_voids_the_episode_at_once(server):
    server.replies[:] = [(400, {})]
    assert "status 400" in play(endpoint(server), 1)[0].error
    assert len(server.requests) == 1


def test_refused_key_ends_the_evaluation(server):
    server.replies[:] = [(401, {})] * 8
    with pytest.raises(UsageError, match="Check address, model"):
        play(endpoint(server), 4)


def test_timeout_counts_as_passing():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"openai:m@http://127.0.0.1:{silent.getsockname()[1]}"
        config = EndpointConfig(timeout_s=0.05, max_retries=1, backoff_s=0.01)
        with pytest.raises(PolicyFault, match="2 attempts"):
            EndpointPolicy(name, config=config).complete([], key="k", seed=0)


def test_bad_endpoint_names():
    for name in ("openai:m", "openai:m@localhost", "openai:@http://x"):
        with pytest.raises(UsageError, match="openai:MODEL@BASE_URL"):
            EndpointPolicy(name)
    with pytest.raises(UsageError, match="timeout_s must be positive"):
        EndpointConfig(timeout_s=0)


def test_retry_after():
    assert retry_after(None) == 0.0
    assert retry_after("1.5") == 1.5
    assert retry_after("Thu, 01 Jan 1970 00:01:40 GMT", now=40.0) == 60.0
    assert retry_after("soon") == 0.0


def test_unknown_argument_is_named():
    with pytest.raises(UsageError, match="'colour'"):
        make_env(ENV, colour=1)
