"""Populations, failures, screens and proposers of instructions, with numbers by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_endpoint import serving

from turnwise_agents.endpoint import EndpointConfig
from turnwise_agents.instructions.failures import (
    HIDDEN,
    MAX_CHARS,
    Failure,
    FailureBuffer,
    hide,
    mentions,
)
from turnwise_agents.instructions.held_out import TrainingPool, is_held_out
from turnwise_agents.instructions.population import Population, sampling_probabilities
from turnwise_agents.instructions.proposers import (
    Clause,
    ClauseProposer,
    ProposalRequest,
    join_clauses,
    load_library,
    split_clauses,
)
from turnwise_agents.instructions.reflection import (
    EndpointText,
    ProposerFault,
    ReflectionProposer,
    make_proposer,
    read_proposal,
    reflection_prompt,
)
from turnwise_agents.instructions.screen import FAULTS, Screen, lost_markers
from turnwise_agents.journal import Journal
from turnwise_agents.types import Generation, Trajectory, Turn
from turnwise_envs.errors import DataError, UsageError

DRAW = {"temperature": 0.1, "epsilon": 0.0}


def trajectory(task="t", instruction="", said="go", seen="It was the fox.", **fields):
    generation = Generation(prompt_ids=[1], completion_ids=[2], sampler_logprobs=[0.0], text=said)
    turn = Turn(turn_index=0, observation="Who took the cheese?", generations=[generation])
    return Trajectory(
        env_id="e",
        task_id=task,
        group_id=task,
        trajectory_id=f"{task}.0",
        turns=[turn],
        final_observation=seen,
        instruction_id=instruction,
        verdict="wrong",
        **fields,
    )


def failure(text="> look barn\nThere is nobody.", verdict="wrong", secrets=()):
    return Failure(
        task_id="t",
        instruction_id="",
        reward=0.0,
        iteration=0,
        verdict=verdict,
        transcript=text,
        secrets=tuple(secrets),
    )


# ------------------------------------------------------------------ drawing and weighing


def test_softmax_by_hand():
    w = [0.5, 0.3, 0.1]
    one = sampling_probabilities(w, temperature=1.0)
    np.testing.assert_allclose(one, [0.40176, 0.32893, 0.26931], atol=1e-5)
    tenth = sampling_probabilities(w, temperature=0.1)
    np.testing.assert_allclose(tenth, [0.86681, 0.11731, 0.01588], atol=1e-5)
    mixed = sampling_probabilities(w, temperature=0.1, epsilon=0.3)
    np.testing.assert_allclose(mixed, 0.7 * tenth + 0.1)
    np.testing.assert_allclose(sampling_probabilities(w, temperature=1e9), [1 / 3] * 3)
    np.testing.assert_allclose(sampling_probabilities([1e6, 0.0], temperature=0.1), [1, 0])
    for weights, fields, message in (
        ([], {}, "weights must have rank 1 and an entry"),
        (w, {"temperature": 0.0}, "temperature must be positive"),
        (w, {"epsilon": 1.5}, "epsilon must be in"),
    ):
        with pytest.raises(UsageError, match=message):
            sampling_probabilities(weights, **fields)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.floats(0, 1), st.floats(0, 0.999999))
def test_probabilities_sum_to_one_and_draws_land(weights, epsilon, u):
    p = sampling_probabilities(weights, epsilon=epsilon)
    assert math.isclose(p.sum(), 1.0)
    assert (p >= epsilon / len(weights) - 1e-12).all()
    population = Population("seed", [f"text {i}" for i in range(len(weights) - 1)])
    for one, weight in zip(population.records, weights, strict=True):
        one.weight = weight
    drawn = population.draw(u, temperature=0.1, epsilon=epsilon)
    index = population.records.index(drawn)
    assert p[:index].sum() - 1e-9 <= u <= p[: index + 1].sum() + 1e-9


def test_weights_move_by_hand():
    population = Population("seed", ["a", "b"])
    seed, a, b = population.records
    assert [one.id for one in population.records] == ["", "i1", "i2"]
    # The first rewards set all weights to their mean, .5, before anyone moves.
    population.reward({"": [1.0, 0.0], "i1": [0.5]}, rate=0.1)
    assert [one.weight for one in population.records] == pytest.approx([0.5, 0.5, 0.5])
    population.reward({"i1": [1.0, 0.5]}, rate=0.1)
    assert a.weight == pytest.approx(0.9 * 0.5 + 0.1 * 0.75)
    assert (seed.weight, b.weight) == (0.5, 0.5)  # credit goes to the one that was drawn alone
    assert (a.draws, a.mean_reward) == (3, pytest.approx(2 / 3))
    assert population.best is a


def weighted(*weights, draws=100):
    population = Population("seed", [f"text {i}" for i in range(1, len(weights))])
    for one, weight in zip(population.records, weights, strict=True):
        one.weight, one.draws = weight, draws
    return population


def test_pruning_halves_and_keeps_the_seed_and_the_best():
    population = weighted(0.0, 0.4, 0.1, 0.3, 0.2, 0.9)
    dropped = population.prune(7, min_draws=16, min_size=2)
    assert [one.id for one in dropped] == ["i2", "i4"]  # the seed is of the lower half too
    assert [one.id for one in population.living] == ["", "i1", "i3", "i5"]
    assert {(one.status, one.died) for one in dropped} == {("pruned", 7)}
    # Too few draws protect, and so does the smallest size.
    assert weighted(0.5, 0.1, 0.2, 0.3, draws=15).prune(0, min_draws=16, min_size=2) == []
    assert weighted(0.5, 0.1, 0.2, 0.3).prune(0, min_draws=16, min_size=4) == []
    # Of equal weights the younger goes; one alone never goes.
    assert [o.id for o in weighted(0.5, 0.5, 0.5, 0.5).prune(0, min_draws=0, min_size=1)] == [
        "i3",
        "i2",
    ]
    assert weighted(0.0).prune(0, min_draws=0, min_size=1) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(1, 4))
def test_pruning_never_empties_and_keeps_the_argmax(weights, min_size):
    population = weighted(*weights)
    best = population.best
    for iteration in range(5):
        population.prune(iteration, min_draws=0, min_size=min_size)
        assert best in population.living
        assert len(population.living) >= min(min_size, len(weights))
        assert population.find("") in population.living


def test_candidates_enter_that_do_as_well_as_the_median():
    population = weighted(0.2, 0.6)
    ids = [population.propose(t, [""], iteration=3).id for t in ("x", "y", "z")]
    assert ids == ["i2", "i3", "i4"]
    assert [one.id for one in population.living] == ["", "i1"]  # candidates are not drawn
    means = {"": 0.2, "i1": 0.6, "i2": 0.4, "i3": 0.39, "i4": 0.9}
    entered = population.decide(means, 4, max_size=4)
    assert [one.id for one in entered] == ["i4", "i2"]  # median .4; the best first
    assert [one.weight for one in entered] == pytest.approx([0.4, 0.4])  # the mean weight
    assert population.find("i3").status == "rejected"
    assert population.propose("x again", [], iteration=5).id == "i5"  # ids are never used twice
    assert population.decide({}, 6, max_size=8) == []  # nothing measured, nobody enters
    full = weighted(0.2, 0.6)
    full.propose("x", [], iteration=0)
    assert full.decide({"": 0.0, "i1": 0.0, "i2": 1.0}, 1, max_size=2) == []


def test_a_population_survives_its_state():
    population = weighted(0.1, 0.7)
    population.propose("new", ["", "i1"], iteration=2, note="recombine")
    other = Population("")
    other.load_state_dict(population.state_dict())
    assert other.records == population.records


# ------------------------------------------------------------------ failures


def test_secrets_are_hidden_and_found():
    text = "It was the Fox, not the foxglove. Paid 1,234 in São_Paulo."
    assert hide(text, ["fox"]) == text.replace("Fox", HIDDEN)
    assert mentions(text, "the FOX")
    assert not mentions(text, "foxes")
    assert mentions(text, "1234")
    assert mentions(text, "sao paulo")
    assert mentions("a ∞ b", "∞")
    assert not mentions(text, "")
    assert not mentions(text, "oxglove")
    assert hide("the sly fox", ["fox", "the sly fox"]) == HIDDEN
    assert mentions("_fox_!", "fox")
    assert hide("_fox_", ["fox"]) == f"_{HIDDEN}_"


@given(
    st.lists(st.text("abc XY_,.é1", max_size=12), max_size=4),
    st.text("abc XY_,.é1", max_size=60),
)
def test_what_is_hidden_is_not_mentioned(secrets, text):
    shown = hide(text, [s for s in secrets if s.strip()])
    for secret in secrets:
        # Accents and thousands' commas are compared more strictly than they are hidden.
        if secret.isascii() and "1" not in secret and text.isascii():
            assert not mentions(shown, secret)


def test_the_buffer_keeps_the_worst_of_every_question():
    buffer = FailureBuffer(capacity=2)
    good = trajectory("a", success=True)
    bad = trajectory("a", said="answer fox", reference=["the sly fox", "fox"], evidence=["cheese?"])
    buffer.add([(good, 1.0), (bad, 0.25)], iteration=0, public="Find out who took the cheese?")
    (kept,) = buffer.worst("", 9)
    assert (kept.task_id, kept.reward, kept.verdict) == ("a", 0.25, "wrong")
    assert kept.secrets == ("the sly fox", "fox")  # what is public is no secret
    assert "fox" not in kept.transcript.lower()
    assert "cheese" in kept.transcript
    buffer.add([(trajectory("b"), 0.0)], iteration=1)
    buffer.add([(trajectory("c"), 0.0)], iteration=2)
    assert [f.task_id for f in buffer.worst("", 9)] == ["c", "b"]  # newest first among equals
    buffer.add([(trajectory("c", success=True), 1.0)], iteration=3)
    assert [f.task_id for f in buffer.worst("", 9)] == ["b"]  # solved
    buffer.add([(trajectory("d", "i1", seen="x" * 9999), 0.0)], iteration=4)
    assert len(buffer.worst("i1", 1)[0].transcript) <= MAX_CHARS
    again = FailureBuffer(2)
    again.load_state_dict(buffer.state_dict())
    assert again.state_dict() == buffer.state_dict()
    assert len(again) == 2
    again.drop("i1")
    assert again.worst("i1", 1) == []


# ------------------------------------------------------------------ the screen


def screen(**fields):
    return Screen(
        **{
            "seed": "Reply to {question} in <answer> and </answer>.",
            "public": "Reply to {question} in <answer> and </answer>. Commands: look barn.",
            "known": ["Reply to {question} in <answer> and </answer>."],
            "secrets": ["the sly fox", "look barn"],
            "failures": [failure("one two three four five six seven eight nine ten")],
            "max_chars": 200,
            **fields,
        }
    )


GOOD = "Think, then reply to {question} in <answer> and </answer>"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD, ""),
        (f"{GOOD}: look barn", ""),  # it is public
        (f"{GOOD}: two three four five six seven eight", ""),  # seven words are no quotation
        (None, "not_text"),
        (" \n", "empty"),
        (GOOD + "x" * 200, "too_long"),
        ("Think, then reply.", "placeholder"),
        (GOOD.replace("{question}", "the question"), "placeholder"),
        (GOOD.replace("</answer>", ""), "placeholder"),
        (f"{GOOD} {{hint}}", "placeholder"),
        ("reply to {QUESTION} {question}; in <answer>, and </answer>", "placeholder"),
        ("reply to {question}; in <answer>, AND </answer>!", "duplicate"),
        (f"{GOOD}. It is always The *sly*  fox", "answer"),
        (f"{GOOD}: one, two, three, four, five, six, seven, eight", "quote"),
    ],
)
def test_faults(text, fault):
    assert fault in ("", *FAULTS)
    assert screen().fault(text) == fault


@given(st.text("fox sly THE-é_.", max_size=40), st.text("fox sly the", min_size=1, max_size=12))
def test_no_secret_enters(text, secret):
    examined = screen(seed="", public="", known=[], secrets=[secret], failures=[])
    if not examined.fault(text):
        assert not mentions(text, secret)


def test_lost_markers():
    assert lost_markers("{a} {c}", "{a} {b} <x>") == ["<x>", "{b}", "{c}"]
    assert lost_markers("any", "any") == []


# ------------------------------------------------------------------ proposers

LIBRARY = {
    "": [Clause("Be quick."), Clause("Be sure.", "wrong")],
    "tests/Quiz": [Clause("Look first.", "turn_limit")],
}


def request(population=None, **fields):
    population = population or Population("Find out.")
    return ProposalRequest(
        **{
            "env_id": "tests/Quiz-v0",
            "parents": sorted(population.living, key=lambda one: -one.weight),
            "failures": [failure()],
            "public": "Commands: look.",
            "keep": [],
            "count": 3,
            "max_chars": 500,
            "key": "0|1",
            **fields,
        }
    )


def test_the_clause_proposer_is_deterministic_and_edits():
    proposer = ClauseProposer(LIBRARY)
    first = proposer(request())
    assert first == ClauseProposer(LIBRARY)(request())
    # From no clause at all, each of the three can be added, and nothing else is possible.
    assert {p.text for p in first} == {
        "Find out. Be quick.",
        "Find out. Be sure.",
        "Find out. Look first.",
    }
    assert {(p.parents, p.note) for p in first} == {(("",), "add")}
    assert len(proposer(request(env_id="other"))) == 2
    assert ClauseProposer({"x": LIBRARY[""]})(request()) == []
    population = Population("Find out.", ["Find out. Be quick.", "Find out. Look first. Be sure."])
    population.find("i1").weight = 1.0
    made = proposer(request(population, count=12))
    notes = {p.note for p in made}
    assert {"add", "swap", "recombine"} <= notes <= {"add", "drop", "swap", "recombine"}
    assert all(p.text.startswith("Find out.") and p.parents[0] == "i1" for p in made)
    assert {p.text for p in made}.isdisjoint(one.text for one in population.living)


def test_cues_make_clauses_likelier():
    assert LIBRARY[""][1].weight([failure(), failure(verdict="lost")]) == 2.0
    assert LIBRARY[""][0].weight([failure()]) == 1.0
    counts = {"Be sure.": 0, "Be quick.": 0, "Look first.": 0}
    for key in range(200):
        (p,) = ClauseProposer(LIBRARY)(request(count=1, key=str(key), failures=[failure()] * 8))
        counts[p.text.removeprefix("Find out. ")] += 1
    assert counts["Be sure."] > 140  # 9 of 11


def test_clauses_are_split_and_joined():
    clauses = LIBRARY[""]
    base, present = split_clauses("Find out. Be sure. Be quick.", clauses)
    assert (base, [c.text for c in present]) == ("Find out.", ["Be sure.", "Be quick."])
    assert join_clauses(base, present) == "Find out. Be sure. Be quick."
    assert split_clauses("  as it\n is ", clauses) == ("  as it\n is ", [])


def test_the_shipped_library_and_files(tmp_path):
    library = load_library()
    assert {"", "turnwise/Household", "turnwise/MultiHopSearch"} <= set(library)
    texts = [c.text for own in library.values() for c in own]
    assert len(set(texts)) == len(texts)
    file = tmp_path / "clauses.json"
    for text, message in (
        ("[", "must be a JSON file of clauses"),
        ("[]", "at least one clause, got none"),
        ("[3]", "must hold lists of sentences"),
        ('[" "]', "is no sentence"),
        ('[{"text": "a", "cue": "("}]', "error"),
        ('[{"text": "a", "hue": "b"}]', "hue"),
        ('{"x": 1}', "TypeError"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=message):
            make_proposer(f"clauses:{file}", tmp_path, None, model="tiny")
    file.write_text('["Be quick."]')
    proposer = make_proposer(f"clauses:{file}", tmp_path, None, model="tabular")
    assert [p.text for p in proposer(request(count=1))] == ["Find out. Be quick."]
    with pytest.raises(UsageError, match="for a tabular policy"):
        make_proposer("policy", tmp_path, None, model="tabular")
    with pytest.raises(UsageError, match="proposer must be"):
        make_proposer("gpt", tmp_path, None, model="tiny")


def test_reflection_reads_the_last_block():
    assert (
        read_proposal("a <instruction> x </instruction> <instruction>\ny\n</instruction> z") == "y"
    )
    assert read_proposal("<instruction>x") == ""
    asked = request(keep=["{q}"], failures=[failure("> one"), failure("> two")])
    first, second = (reflection_prompt(asked, n) for n in (0, 1))
    assert first.index("> one") < first.index("> two")
    assert second.index("> two") < second.index("> one")
    assert "Find out." in first
    assert "{q}" in first
    assert "Commands: look." in first
    assert "Proposal 2 of 3" in second


def test_the_policy_reflects():
    def generate(prompts, max_new_tokens=256):
        return [f"<instruction>idea {i}</instruction>" if i else "hm" for i in range(len(prompts))]

    made = ReflectionProposer(generate)(request())
    assert [(p.text, p.parents) for p in made] == [("idea 1", ("",)), ("idea 2", ("",))]
    with pytest.raises(ProposerFault, match="none of 3 replies"):
        ReflectionProposer(lambda prompts, max_new_tokens=256: ["nonsense"] * 3)(request())


def test_an_endpoint_reflects_is_journalled_and_fails_softly(tmp_path):
    def text(server):
        return EndpointText(
            f"openai:m@{server.url}",
            Journal(tmp_path / "proposer.jsonl"),
            config=EndpointConfig(timeout_s=5.0, max_retries=0, backoff_s=0.001),
            concurrency=1,
        )

    with serving("<instruction>idea</instruction>") as server:
        server.replies[:] = [(500, {}), "garbage"]
        made = ReflectionProposer(text(server))(request())
        assert [p.text for p in made] == ["idea"]
        assert len(server.requests) == 3
        assert "Find out." in server.requests[0][2]["messages"][0]["content"]
        server.replies[:] = ["drop", (401, {})]
        assert len(ReflectionProposer(text(server))(request())) == 1  # the third from the journal
        assert len(server.requests) == 5
        server.replies[:] = ["drip"] * 3
        stalled = text(server)
        stalled._endpoint.config = EndpointConfig(timeout_s=0.1, max_retries=0)
        with pytest.raises(ProposerFault, match=r"no answer in 1 attempts.*too slowly"):
            ReflectionProposer(stalled)(request(key="slow", public="third"))
        server.replies[:] = [(401, {})] * 3
        with pytest.raises(ProposerFault, match="401"):
            ReflectionProposer(text(server))(request(key="new", public="other"))


# ------------------------------------------------------------------ held-out questions


class Tasks:
    iteration, seed, drawn = 0, 0, 0

    def draw(self, count):
        self.drawn += count
        return [("e", f"task-{i % 50}") for i in range(self.drawn - count, self.drawn)]


def test_held_out_questions_are_never_trained_on():
    kept = []
    pool = TrainingPool(Tasks(), 0.2, lambda env_id: kept)
    trained = {task for _, task in pool.draw(200)}
    assert trained.isdisjoint(kept)
    assert len(trained) + len(kept) == 50
    assert 3 <= len(kept) <= 20
    assert len(set(kept)) == len(kept)
    assert all(is_held_out(task, 0.2) for task in kept)
    share = np.mean([is_held_out(str(i), 0.2) for i in range(5000)])
    assert abs(share - 0.2) < 0.02
    with pytest.raises(UsageError, match="held_out_share must leave tasks"):
        TrainingPool(Tasks(), 1.0, lambda env_id: kept).draw(1)
