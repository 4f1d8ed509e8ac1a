"""Judges: rules, an endpoint that fails in every way, and the journal of its replies."""

import math
import shutil
import time

import pytest
import quiz
from scripted_endpoint import serving
from short_runs import assert_same, final_state, interrupted, make_config, start

from turnwise_agents.algorithms.base import Services
from turnwise_agents.endpoint import EndpointConfig
from turnwise_agents.journal import Journal
from turnwise_agents.judge import (
    EndpointJudge,
    JudgeReward,
    Rule,
    RuleJudge,
    make_judge,
    observations,
    transcript,
)
from turnwise_agents.types import Generation, Group, Trajectory, Turn
from turnwise_envs.errors import DataError, UsageError


def trajectory(name, *turns, final="Bye."):
    return Trajectory(
        env_id="e",
        task_id="t",
        group_id="g",
        trajectory_id=name,
        turns=[
            Turn(
                turn_index=i,
                observation=seen,
                generations=[
                    Generation(
                        prompt_ids=[1], completion_ids=[2], sampler_logprobs=[0.0], text=said
                    )
                ],
            )
            for i, (seen, said) in enumerate(turns)
        ],
        final_observation=final,
        reference=["gold answer"],
    )


POLITE = trajectory("a", ("Hello.", "Please, and thank you."), ("Hm.", "THANK you"))
RUDE = trajectory("b", ("Hello.", "shut up"), final="Nothing happens.")


# ------------------------------------------------------------------ rules


def test_rules():
    thanks = Rule(pattern="please|thank", points=2)
    nothing = Rule(pattern="nothing happens", points=-1, where="observation")
    judge = RuleJudge([thanks, nothing], start=5)
    assert judge([POLITE, RUDE]) == [9.0, 4.0]  # a turn earns once, whatever its case
    assert RuleJudge([Rule(pattern="thank", points=2, most=1)])([POLITE]) == [2.0]
    assert RuleJudge([Rule(pattern="thank", points=99)])([POLITE, RUDE]) == [10.0, 0.0]
    assert RuleJudge([])([]) == []
    # What the episode opens with was answered to nobody.
    assert RuleJudge([Rule(pattern="hello", points=3, where="observation")])([POLITE]) == [0.0]


def test_rule_files(tmp_path):
    file = tmp_path / "rules.json"
    file.write_text('{"low": -1, "high": 3, "start": 1, "rules": [{"pattern": "up", "points": 1}]}')
    judge = make_judge(f"rules:{file}", tmp_path)
    assert judge([POLITE, RUDE]) == [1.0, 2.0]
    for text, error, message in (
        ("[1]", DataError, "must be a JSON object with rules"),
        ("{}", DataError, "KeyError"),
        ("{", DataError, "JSONDecodeError"),
        ('{"rules": [{"pattern": "x"}]}', DataError, "points"),
        ('{"rules": [], "colour": 1}', DataError, "colour"),
        ('{"rules": [{"pattern": "(", "points": 1}]}', UsageError, "regular expression"),
        ('{"rules": [{"pattern": "x", "points": "1"}]}', UsageError, "points of a rule"),
        ('{"rules": [{"pattern": "x", "points": 1, "most": "2"}]}', UsageError, "most of a rule"),
        ('{"rules": [{"pattern": "x", "points": 1, "where": "title"}]}', UsageError, "where must"),
        ('{"rules": [], "start": 11}', UsageError, r"start must be in \[low, high\]"),
        ('{"rules": [], "high": "x"}', UsageError, "start must be in"),
    ):
        file.write_text(text)
        with pytest.raises(error, match=message):
            make_judge(f"rules:{file}", tmp_path)
    with pytest.raises(DataError, match="FileNotFoundError"):
        make_judge(f"rules:{tmp_path / 'none.json'}", tmp_path)
    for name in ("rules:", "rules", "gpt", "model@http://x"):
        with pytest.raises(UsageError, match="judge must be"):
            make_judge(name, tmp_path)
    assert make_judge("", tmp_path) is None


# ------------------------------------------------------------------ an endpoint


@pytest.fixture
def server():
    with serving("Score: 7") as handler:
        yield handler


def name(server):
    return f"openai:m@{server.url}"


def endpoint(server, journal=None, retries=0, **kwargs):
    config = EndpointConfig(timeout_s=5.0, max_retries=retries, backoff_s=0.001)
    kwargs = {"concurrency": 1, **kwargs}
    kept = Journal() if journal is None else journal
    return EndpointJudge(name(server), kept, config=config, **kwargs)


def test_an_endpoint_sees_the_transcript_and_no_gold_answer(server):
    assert endpoint(server)([POLITE]) == [7.0]
    ((_, _, body),) = server.requests
    system, user = (message["content"] for message in body["messages"])
    assert "0 (failed) to 10" in system
    assert user == transcript(POLITE)
    assert user.splitlines()[:2] == ["Hello.", "> Please, and thank you."]
    assert "gold answer" not in user
    assert body["temperature"] == 0.0
    assert observations(POLITE) == ["Hello.", "Hm.", "Bye."]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Score: 3", 3.0),
        ("I thought of Score: 2, but\n**Score:** 8.5", 8.5),
        ("score 10", 10.0),
        ("Score: 11", None),
        ("Score: -1", None),
        ("Splendid!", None),
        ("", None),
        (None, None),
    ],
)
def test_replies(server, reply, score):
    assert endpoint(server).read(reply) == score


def test_failures_and_nonsense_void_an_episode_each(server):
    server.replies[:] = ["Score: 4", (500, {}), "no idea", (400, {})]
    others = [trajectory(str(i), ("x", str(i))) for i in range(4)]
    assert endpoint(server)(others) == [4.0, None, None, None]
    assert endpoint(server, retries=1)([POLITE]) == [7.0]
    server.replies[:] = [(503, {})]
    assert endpoint(server, retries=1)([POLITE]) == [7.0]


def test_equal_transcripts_are_asked_once_and_replies_are_kept(server, tmp_path):
    judge = endpoint(server, Journal(tmp_path / "judge.jsonl"))
    assert judge([POLITE, RUDE, POLITE]) == [7.0, 7.0, 7.0]
    assert len(server.requests) == 2
    server.replies[:] = ["Score: 1"] * 9
    again = endpoint(server, Journal(tmp_path / "judge.jsonl"))
    assert again([RUDE, POLITE]) == [7.0, 7.0]  # the replies of before, in another process
    assert len(server.requests) == 2
    assert endpoint(server, Journal(tmp_path / "judge.jsonl"), high=5)([POLITE]) == [1.0]


def test_refused_at_the_start_is_a_wrong_setting_and_later_a_failure(server):
    server.replies[:] = [(401, {})]
    judge = endpoint(server)
    with pytest.raises(UsageError, match="Check address, model"):
        judge([POLITE])
    assert judge([POLITE]) == [7.0]
    server.replies[:] = [(401, {})]
    assert judge([RUDE]) == [None]


def test_a_silent_endpoint_is_not_asked_for_the_rest_of_the_iteration(server):
    server.replies[:] = [(500, {})] * 100
    judge = endpoint(server, patience=3)
    many = [trajectory(str(i), ("x", str(i))) for i in range(20)]
    assert judge(many) == [None] * 20
    assert len(server.requests) == 3
    server.replies.clear()
    assert judge(many) == [7.0] * 20


# ------------------------------------------------------------------ the shaper and the run


def test_an_answer_that_drips_is_a_lost_request(server):
    server.replies[:] = ["drip"]
    config = EndpointConfig(timeout_s=0.3, max_retries=0)
    judge = EndpointJudge(name(server), Journal(), config=config, concurrency=1)
    started = time.monotonic()
    assert judge([POLITE]) == [None]
    assert time.monotonic() - started < 10  # all of it would take 20 s
    assert judge([POLITE]) == [7.0]


def crashed(trajectories):
    raise ConnectionError("no route")


@pytest.mark.parametrize(
    "judge",
    [
        crashed,
        lambda trajectories: 1 / 0,
        lambda trajectories: None,
        lambda trajectories: 3.0,
        lambda trajectories: [3.0] * (len(trajectories) + 1),
        lambda trajectories: ["7"] * len(trajectories),
        lambda trajectories: [math.inf] * len(trajectories),
    ],
)
def test_a_judge_that_crashes_or_talks_nonsense_voids_what_it_was_asked(judge):
    made = [trajectory(n, ("x", "y")) for n in "ab"]
    group = Group(group_id="g", env_id="e", task_id="t", trajectories=made)
    shaper = JudgeReward()
    shaper([group], Services(scorer=None, learner=None, generate=None, judge=judge))
    assert group.valid == []
    assert shaper.metrics["judge/void_share"] == 1.0
    assert "judge/score" not in shaper.metrics


def test_unsound_scores_void_the_episode():
    def odd(trajectories):
        return [3.0, None, math.nan]

    made = [trajectory(n, ("x", "y")) for n in "abc"]
    broken = trajectory("d", ("x", "y"))
    broken.stop = "error"
    group = Group(group_id="g", env_id="e", task_id="t", trajectories=[*made, broken])
    shaper = JudgeReward()
    shaper([group], Services(scorer=None, learner=None, generate=None, judge=odd))
    assert made[0].turns[0].channels == {"judge": 3.0}
    assert [t.trajectory_id for t in group.valid] == ["a"]
    assert made[1].error == "The judge gave no sound score."
    assert shaper.metrics["judge/void_share"] == pytest.approx(2 / 3)
    assert shaper.metrics["judge/score"] == 3.0
    assert shaper.metrics["time/judge_s"] >= 0


def test_a_failing_judge_costs_an_iteration_not_the_run(tmp_path, server):
    config = make_config(
        tmp_path / "run",
        "oprl",
        "tabular",
        quiz.ENV_ID,
        judge=name(server),
        algo={"outcome": "judge", "success_threshold": 5.0, "group_size": 2},
        trainer={"iterations": 3},
    )
    run = start(config)
    run.trainer.services.judge = endpoint(server, Journal(tmp_path / "judge.jsonl"))
    first = run.trainer.iterate()
    assert first["judge/void_share"] == 0.0
    server.replies[:] = [(500, {})] * 8
    second = run.trainer.iterate()
    assert second["judge/void_share"] == second["rollout/stop_error"] > 0
    server.replies.clear()
    third = run.trainer.iterate()
    assert third["judge/void_share"] == 0.0
    assert third["judge/score"] == 7.0


def test_a_resumed_run_is_graded_as_it_was(tmp_path, server):
    def config(folder):
        return make_config(
            tmp_path / folder,
            "oprl",
            "tabular",
            quiz.ENV_ID,
            judge=name(server),
            algo={"outcome": "judge", "success_threshold": 5.0},
        )

    server.replies[:] = [f"Score: {i % 11}" for i in range(1000)]
    cut = config("cut")
    run = interrupted(cut, after=2, lost=2)
    asked = len(server.requests)
    server.replies[:] = ["Score: 5"] * 1000  # which would be another judge
    run.train()
    assert len(server.requests) == asked  # the lost iterations are graded from the journal
    shutil.copytree(tmp_path / "cut", tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole" / "checkpoints")
    whole = config("whole")
    start(whole).train()
    assert len(server.requests) == asked
    assert_same(final_state(tmp_path / "whole"), final_state(tmp_path / "cut"))


# ------------------------------------------------------------------ the journal


def test_journal_keeps_replies_and_survives_a_torn_line(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path)
    key = Journal.key("model", {"b": 1, "a": "ä"})
    assert key == Journal.key("model", {"a": "ä", "b": 1})
    assert journal.get(key) is None
    journal.add(key, {"text": "x\ny"})
    with path.open("ab") as file:
        file.write(b'{"key": "torn", "rep')
    reopened = Journal(path)
    assert len(reopened) == 1
    assert reopened.get(key) == {"text": "x\ny"}
    reopened.add("other", 2)
    assert Journal(path).get("other") == 2
    assert Journal(path).get("torn") is None
    in_memory = Journal()
    in_memory.add("k", "v")
    assert in_memory.get("k") == "v"
