"""INSPO through the real trainer: drawing, attribution, verification, evolution, bad proposers."""

import dataclasses
import json
import shutil

import pytest
import quiz
from doors import ENV, DoorsEnv, make_trainer
from scripted_endpoint import serving
from short_runs import assert_same, final_state, interrupted, make_config, start

from turnwise_agents.algorithms import ALGORITHMS, load_algorithm
from turnwise_agents.algorithms.gigpo import GiGPO
from turnwise_agents.algorithms.grpo import GRPO, GRPOConfig
from turnwise_agents.algorithms.inspo import INSPO, INSPOConfig
from turnwise_agents.checkpoint import latest_checkpoint
from turnwise_agents.instructions.failures import HIDDEN, mentions
from turnwise_agents.instructions.proposers import Clause, ClauseProposer, Proposal
from turnwise_agents.instructions.reflection import PROPOSER_FILE
from turnwise_agents.run import Run, train
from turnwise_agents.tabular import TabularContext, TabularContexts
from turnwise_agents.trainer import specs_for_eval
from turnwise_envs.errors import DataError, UsageError

SMALL = {"group_size": 4, "groups_per_iteration": 8, "kl_coef": 0.0}
QUICK = {"evolve_every": 2, "verify_questions": 4, "held_out_share": 0.0, "min_draws": 1}
LIBRARY = {"": [Clause(f"Clause {i}.") for i in range(6)]}


def make(algorithm=INSPO, iterations=6, proposer=None, met=True, **fields):
    chosen = algorithm(algorithm.Config(**{**SMALL, **QUICK, **fields}))
    if met:
        chosen.meet(ENV, DoorsEnv(instruction="Open doors."))
    return make_trainer(chosen, iterations, proposer=proposer or ClauseProposer(LIBRARY))


def population(trainer):
    return trainer.algorithm.world(ENV).population


def numbers(metrics):
    return {k: v for k, v in metrics.items() if not k.startswith("time/")}


# ------------------------------------------------------------------ a population of one


@pytest.mark.parametrize("fields", [{"population_size": 1}, {"evolve_every": 0}])
def test_a_population_of_one_is_the_underlying_algorithm(fields):
    alone = make(met=False, **fields)
    plain = make_trainer(GRPO(GRPOConfig(**SMALL)))
    for _ in range(4):
        assert numbers(alone.iterate()) == numbers(plain.iterate())
    assert_same(alone.learner.state_dict(), plain.learner.state_dict())
    assert alone.algorithm.needs == plain.algorithm.needs


# ------------------------------------------------------------------ drawing and attribution


@pytest.fixture
def given_file(tmp_path):
    file = tmp_path / "given.json"
    file.write_text(json.dumps(["Go left.", "Go right."]))
    return str(file)


def test_a_group_never_mixes_instructions_and_weights_follow_their_own(given_file):
    trainer = make(
        instructions_file=given_file, evolve_every=0, sampling_temperature=9.0, weight_rate=0.5
    )
    trainer.pool.iteration = 0
    groups = trainer.collect()
    drawn = [{t.instruction_id for t in g.trajectories} for g in groups]
    assert all(len(names) == 1 for names in drawn)
    assert set().union(*drawn) == {"", "i1", "i2"}
    metrics = trainer.algorithm.observe(groups, trainer.services)
    means = {name: [] for name in ("", "i1", "i2")}
    for group in groups:
        (name,) = {t.instruction_id for t in group.trajectories}
        means[name].append(sum(t.score for t in group.trajectories) / 4)
    every = [mean for own in means.values() for mean in own]
    first = sum(every) / len(every)
    for one in population(trainer).living:
        own = sum(means[one.id]) / len(means[one.id])
        assert one.weight == pytest.approx(0.5 * first + 0.5 * own)
        assert one.draws == len(means[one.id])
        assert metrics[f"instructions/share/{one.label}"] == one.draws / 8
        assert metrics[f"instructions/weight/{one.label}"] == one.weight


def test_the_seed_is_drawn_as_the_worlds_own_and_others_by_text(given_file):
    trainer = make(instructions_file=given_file, evolve_every=0, sampling_temperature=9.0)
    specs = trainer.algorithm.plan(trainer.pool, [])
    assert {(s.instruction_id, s.instruction) for s in specs} == {
        ("", None),
        ("i1", "Go left."),
        ("i2", "Go right."),
    }


def test_the_questions_own_mean_takes_difficulty_out(given_file):
    trainer = make(instructions_file=given_file, evolve_every=0, question_baseline=True)
    world = trainer.algorithm.world(ENV)
    groups = trainer.collect()[:1]

    def episode(score):
        for t in groups[0].trajectories:
            t.score, t.instruction_id = score, "i1"
        world.learn(groups, 0)

    episode(0.5)
    assert (world.population.find("i1").weight, world.population.find("i1").draws) == (0.0, 0)
    episode(0.9)  # .4 above the question's mean, from which all weights start
    assert world.population.find("i1").weight == pytest.approx(0.4)
    episode(0.7)  # as before on average: the mean was .7
    assert world.population.find("i1").weight == pytest.approx(0.36)


def test_evaluations_play_the_best(given_file):
    trainer = make(instructions_file=given_file, evolve_every=0)
    population(trainer).find("i2").weight = 1.0
    specs = specs_for_eval(ENV, list(trainer.pool.sources[0].tasks))
    played = trainer.algorithm.deploy(specs)
    assert {s.instruction for s in played} == {"Go right."}
    assert [dataclasses.replace(s, instruction=None, instruction_id="") for s in played] == specs


# ------------------------------------------------------------------ evolution


def test_candidates_are_verified_on_the_incumbents_questions():
    trainer = make()
    for _ in range(2):
        metrics = trainer.iterate()
    assert metrics["instructions/proposed"] == 4.0
    assert metrics["instructions/population"] == 1.0
    groups = trainer.collect()
    tried = [g for g in groups if g.purpose == "verify"]
    assert len(tried) == 4
    for group in tried:
        assert [t.instruction_id for t in group.trajectories] == ["", "i1", "i2", "i3", "i4"]
        assert {t.task_id for t in group.trajectories} == {group.task_id}
        assert not any(t.train for t in group.trajectories)
    assert trainer.algorithm.select(groups) == [g for g in groups if g.purpose == "train"]
    metrics = trainer.iterate()
    assert metrics["rollout/episodes"] == 8 * 4 + 4 * 5
    assert metrics["rollout/env_steps"] == 3 * metrics["rollout/episodes"]  # all of them count
    assert metrics["instructions/verify_step_share"] == pytest.approx(20 / 52)
    assert metrics["instructions/verified"] == 4.0
    assert not population(trainer).candidates


def test_a_question_that_broke_for_one_member_counts_for_none():
    trainer = make()
    for _ in range(2):
        trainer.iterate()
    tried = [g for g in trainer.collect() if g.purpose == "verify"]
    for group in tried:
        for t in group.trajectories:
            t.score = float(t.instruction_id == "i2")
    tried[0].trajectories[2].score = 0.0
    tried[0].trajectories[4].stop = "error"
    metrics = trainer.algorithm.world(ENV).conclude(tried, 2)
    assert metrics["verified_best"] == 1.0
    assert metrics["verified_median"] == 0.0
    for group in tried:
        group.trajectories[0].stop = "error"
    population(trainer).propose("late", [""], iteration=3)
    assert "verified_best" not in trainer.algorithm.world(ENV).conclude(tried, 3)
    assert population(trainer).find("i5").status == "rejected"


class Heeding(TabularContext):
    """Takes the right door if it is told to be wise, the wrong one if to be foolish."""

    def __init__(self, vocabulary, env, spec, thoughts):
        super().__init__(vocabulary, env, spec, thoughts)
        self.env, self.told = env.unwrapped, spec.instruction or ""

    def request(self, role):
        asked = super().request(role)
        right = self.env.task.index >> (self.env.room % 2) & 1
        if "wise" in self.told or "foolish" in self.told:
            asked.choices = [right if "wise" in self.told else 1 - right]
        return asked


class HeedingContexts(TabularContexts):
    def new(self, env, spec):
        return Heeding(self.vocabulary, env, spec, self.thoughts)


def test_evolution_finds_what_a_heeding_policy_needs():
    clauses = ("Be wise.", "Be foolish.", "Be calm.")
    trainer = make(
        iterations=24, proposer=ClauseProposer({"": [Clause(c) for c in clauses]}), proposals=3
    )
    trainer.rollout.contexts = HeedingContexts(trainer.learner.vocabulary)
    trainer.learner._models["policy"].learning_rate = 0.0  # instructions alone
    first = trainer.iterate()["rollout/success_rate"]
    last = trainer.train()
    assert first < 0.4
    assert last["rollout/success_rate"] > 0.7
    assert "wise" in population(trainer).best.text
    living = [one.text for one in population(trainer).living]
    assert not [t for t in living if "foolish" in t and "wise" not in t]
    assert last["instructions/best_weight"] > 0.6
    ids = [one.id for one in population(trainer).records]
    assert len(set(ids)) == len(ids)


def test_proposals_come_from_the_best_and_hide_answers():
    asked = []

    def proposer(request):
        asked.append(request)
        return []

    trainer = make(proposer=proposer)
    for _ in range(2):
        trainer.iterate()
    (request,) = asked
    assert request.parents == population(trainer).living
    assert request.count == 4
    assert 0 < len(request.failures) <= 4
    assert all(f.reward == 0.0 and "room 1" in f.transcript for f in request.failures)


# ------------------------------------------------------------------ bad proposers


def unreachable(request):
    raise ConnectionError("no route")


@pytest.mark.parametrize(
    "proposer",
    [
        unreachable,
        lambda request: None,
        lambda request: [None, 3],
        lambda request: ["Open doors."],
        lambda request: 1 / 0,
    ],
)
def test_a_proposer_that_fails_costs_an_iteration_of_evolution(proposer, caplog):
    trainer = make(proposer=proposer)
    failures = [trainer.iterate().get("instructions/proposer_failures") for _ in range(4)]
    assert failures == [0.0, 1.0, 0.0, 1.0]
    assert "The proposer failed" in caplog.text
    assert len(population(trainer).records) == 1


def test_unsound_proposals_do_not_enter():
    texts = ["Open doors.", "", "x" * 2000, None, "Look {here}.", "Knock first.", "knock, first"]
    trainer = make(proposer=lambda request: [Proposal(t, ("", "i99")) for t in texts])
    trainer.iterate()
    metrics = trainer.iterate()
    assert metrics["instructions/proposed"] == 1.0
    for fault in ("empty", "too_long", "not_text", "placeholder"):
        assert metrics[f"instructions/rejected_{fault}"] == 1.0
    assert metrics["instructions/rejected_duplicate"] == 2.0
    (candidate,) = population(trainer).candidates
    assert (candidate.text, candidate.parents) == ("Knock first.", ("",))


# ------------------------------------------------------------------ with every algorithm


@pytest.mark.parametrize("name", [n for n in ALGORITHMS if n not in ("igpo", "inspo")])
def test_it_works_with_every_algorithm(name):
    kind = load_algorithm(f"inspo+{name}")
    assert issubclass(kind, ALGORITHMS[name])
    own = {
        f.name: getattr(ALGORITHMS[name].Config(), f.name)
        for f in dataclasses.fields(ALGORITHMS[name].Config)
    }
    assert own.items() <= dataclasses.asdict(kind.Config()).items()
    few = {"group_size": 4, "groups_per_iteration": 4, **QUICK, "evolve_every": 1}
    algorithm = kind(kind.Config(**few))
    algorithm.meet(ENV, DoorsEnv(instruction="Open doors."))
    trainer = make_trainer(algorithm, 3, proposer=ClauseProposer(LIBRARY))
    trainer.iterate()
    metrics = trainer.iterate()
    assert metrics["instructions/verified"] == 4.0
    assert metrics["loss/optimiser_steps"] >= 1.0
    before = trainer.algorithm.state_dict()
    again = kind(kind.Config(**few))
    again.setup(trainer.learner)
    again.load_state_dict(before)
    assert_same(again.state_dict(), before)


def test_names_and_needs():
    assert load_algorithm("inspo") is INSPO
    assert load_algorithm("inspo+gigpo") is load_algorithm("inspo+gigpo")
    assert issubclass(load_algorithm("inspo+turnwise_agents.algorithms.gigpo:GiGPO"), GiGPO)
    with pytest.raises(UsageError, match="must name another algorithm"):
        load_algorithm("inspo+inspo")
    with pytest.raises(UsageError, match="algorithm must be one of"):
        load_algorithm("inspo+gipgo")
    with pytest.raises(UsageError, match=r"needs services\.proposer"):
        make_trainer(INSPO())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"population_size": 0}, "population_size must be at least 1"),
        ({"sampling_temperature": 0.0}, "sampling_temperature must be positive"),
        ({"sampling_epsilon": 2.0}, "sampling_epsilon must be in"),
        ({"held_out_share": 1.0}, "held_out_share must be in"),
        ({"verify_questions": 0}, "verify_questions must be at least 1"),
        ({"instruction_reward": "f1"}, "instruction_reward must be one of"),
        ({"clip_ratio_low": 1.0}, "clip_ratio_low must be below 1"),
    ],
)
def test_configurations_that_cannot_be(fields, message):
    with pytest.raises(UsageError, match=message):
        INSPOConfig(**fields)


def test_default_settings():
    config = INSPOConfig()
    assert (config.population_size, config.sampling_temperature, config.weight_rate) == (
        8,
        0.1,
        0.1,
    )
    assert (config.evolve_every, config.proposals, config.verify_questions) == (25, 4, 64)
    assert (config.failures_kept, config.sampling_epsilon, config.min_draws) == (256, 0.05, 16)


# ------------------------------------------------------------------ whole runs


def run_config(tmp_path, algorithm="inspo", model="tabular", **fields):
    algo = {**QUICK, **fields.pop("algo", {})}
    return make_config(tmp_path / "run", algorithm, model, quiz.ENV_ID, algo=algo, **fields)


@pytest.mark.parametrize("algorithm", ["inspo", "inspo+igpo", "inspo+dapo"])
def test_a_resumed_run_agrees(tmp_path, algorithm):
    trainer = {"iterations": 7}
    whole = run_config(tmp_path / "a", algorithm, trainer=trainer)
    start(whole).train()
    cut = run_config(tmp_path / "b", algorithm, trainer=trainer)
    run = interrupted(cut, after=4, lost=2)
    assert run.trainer.iteration == 4
    run.train()
    end = final_state(whole.run_dir)
    assert_same(end, final_state(cut.run_dir))
    records = end["algorithm"]["instructions"][quiz.ENV_ID]["population"]
    assert len(records) > 4  # something evolved


def test_a_resumed_run_gets_the_endpoints_proposals_again(tmp_path):
    with serving() as server:
        fields = {"proposer": f"openai:m@{server.url}", "trainer": {"iterations": 6}}
        server.replies[:] = [f"<instruction>Find it, way {i}.</instruction>" for i in range(99)]
        cut = run_config(tmp_path / "cut", **fields)
        run = interrupted(cut, after=3, lost=2)
        asked = len(server.requests)
        assert asked == 8  # four proposals in each of two evolutions, the second one lost
        del server.replies[:]  # the endpoint talks nonsense from now on
        run.train()
        assert len(server.requests) == asked + 2  # the last evolution, which fails; two had room
        whole = run_config(tmp_path / "whole", **fields)
        whole.run_dir.mkdir(parents=True)
        shutil.copy(cut.run_dir / PROPOSER_FILE, whole.run_dir)
        start(whole).train()
        assert len(server.requests) == asked + 2
        end = final_state(whole.run_dir)
        assert_same(end, final_state(cut.run_dir))
    records = end["algorithm"]["instructions"][quiz.ENV_ID]["population"]
    assert len(records) == 9
    assert any(r["status"] == "living" for r in records[1:])
    assert {r["note"] for r in records} == {"the world's own", "reflection"}


class Leaking:
    """Proposes whatever answer it can find."""

    def __init__(self):
        self.seen = []

    def __call__(self, request):
        self.seen += request.failures
        leaks = [s for f in request.failures for s in f.secrets]
        own = [f"Always answer {animal}." for animal in quiz.ANIMALS]
        return [Proposal(f"Try {leak}.", ("",)) for leak in leaks] + [
            Proposal(text, ("",)) for text in own
        ]


def test_answers_of_the_buffer_never_enter(tmp_path):
    run = start(run_config(tmp_path, algo={"groups_per_iteration": 16}))
    assert run.env_kwargs["expose_reference"] is True
    proposer = run.trainer.services.proposer = Leaking()
    world = run.algorithm.world(quiz.ENV_ID)
    for _ in range(4):
        metrics = run.trainer.iterate()
    secrets = world.failures.secrets()
    assert set(quiz.ANIMALS) & set(secrets)
    assert metrics["instructions/rejected_answer"] > 0
    assert not [
        (one.text, s) for one in world.population.records for s in secrets if mentions(one.text, s)
    ]
    assert proposer.seen
    assert any(HIDDEN in f.transcript for f in proposer.seen)
    assert not [f for f in proposer.seen for s in f.secrets if mentions(f.transcript, s)]
    run.tracker.close()


def test_placeholders_are_checked_before_the_first_rollout(tmp_path):
    file = tmp_path / "given.json"
    seed = json.dumps({"instruction": "Find {who} in <answer>."})
    file.write_text(json.dumps({quiz.ENV_ID: ["Find them."]}))
    bad = run_config(tmp_path, algo={"instructions_file": str(file)}, env_kwargs=seed)
    with pytest.raises(UsageError, match=r"must keep the placeholders and tags.*<answer> \{who\}"):
        Run(bad)
    file.write_text(json.dumps({quiz.ENV_ID: ["Find {who}, <answer>!"], "other": ["x"]}))
    run = Run(bad)
    assert [one.text for one in run.algorithm.world(quiz.ENV_ID).population.living] == [
        "Find {who} in <answer>.",
        "Find {who}, <answer>!",
    ]
    run.tracker.close()
    many = {"instructions_file": str(file), "population_size": 1}
    with pytest.raises(UsageError, match="population_size must hold"):
        Run(run_config(tmp_path, algo=many, env_kwargs=seed))
    for text in ("{", '["a", 3]', '{"e": [" "]}', "3"):
        file.write_text(text)
        with pytest.raises(DataError, match="must be JSON, a list of instructions"):
            Run(bad)


def test_the_prompt_shows_the_instruction_or_the_run_does_not_start(tmp_path):
    with pytest.raises(UsageError, match="system_prompt must be on for inspo"):
        Run(run_config(tmp_path, model="tiny", system_prompt=False))
    with pytest.raises(UsageError, match="for a tabular policy"):
        Run(run_config(tmp_path, proposer="policy"))


@pytest.mark.slow
def test_a_tiny_model_evolves_by_its_own_reflection(tmp_path):
    config = run_config(
        tmp_path, model="tiny", proposer="policy", trainer={"iterations": 3}, max_new_tokens=6
    )
    run_dir = train(config)
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert rows[1]["instructions/proposer_failures"] == 1.0  # it writes no instruction yet
    assert latest_checkpoint(run_dir) is not None


def test_a_tiny_model_reads_the_instruction(tmp_path):
    run = start(run_config(tmp_path, model="tiny", trainer={"iterations": 3}))
    for _ in range(2):
        run.trainer.iterate()
    groups = run.trainer.collect()
    shown = {}
    for t in (t for g in groups if g.purpose == "verify" for t in g.trajectories):
        prompt = t.turns[0].generations[0].prompt_ids if t.turns else t.final_prompt_ids
        shown.setdefault(t.instruction_id, set()).add(tuple(prompt))
    members = 1 + len(run.algorithm.world(quiz.ENV_ID).population.candidates)
    assert len(shown) == members > 1
    assert len(set().union(*shown.values())) == members  # one opening per instruction
    run.tracker.close()
