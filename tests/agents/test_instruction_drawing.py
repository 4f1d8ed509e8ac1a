"""What `turnwise instructions` shows: the tree, the picture, the best instruction alone."""

import io
import xml.etree.ElementTree as ET

import pytest
import quiz
from rich.console import Console
from short_runs import make_config, start

from turnwise_agents import cli
from turnwise_agents.instructions.drawing import ancestry, load_populations, sparkline, weights_svg
from turnwise_agents.instructions.population import Population
from turnwise_envs.errors import UsageError

HISTORY = {"seed": [(1, 0.2), (2, 0.3), (3, 0.4)], "i1": [(2, 0.3), (3, 0.9)]}


def evolved():
    population = Population("Find <it> & go.")
    first = population.propose("Look first.", [""], iteration=0, note="add")
    population.decide({"": 0.1, "i1": 0.5}, 1, max_size=4)
    first.draws, first.weight, first.mean_reward = 3, 0.9, 0.75
    population.propose("Look twice.", ["i1", ""], iteration=2, note="recombine")
    return population


def test_sparkline():
    assert sparkline([0.0, 0.5, 1.0], 0.0, 1.0) == "▁▅█"
    assert sparkline([], 0.0, 0.0) == ""
    assert sparkline([0.3, 0.3], 0.3, 0.3) == "▁▁"
    assert len(sparkline([0.1] * 1000, 0.0, 1.0)) == 24


def test_the_tree_says_where_each_came_from():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(ancestry(evolved(), HISTORY, "world"))
    text = console.export_text()
    lines = [line for line in text.splitlines() if "iteration" in line]
    assert [line.index(name) for line, name in zip(lines, ("seed", "i1", "i2"), strict=True)] == [
        4,
        8,
        12,
    ]
    assert "3 questions, mean 0.750, w 0.900 ▂█; verified 0.500" in lines[1]
    assert "recombine with seed" in lines[2]


def test_the_picture_is_xml_with_a_line_per_instruction():
    root = ET.fromstring(weights_svg(evolved(), HISTORY, "a < b"))
    kinds = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert kinds.count("polyline") == 2  # the candidate has no weight yet
    titles = [e.text for e in root.iter() if e.tag.endswith("title")]
    assert titles == ["seed: Find <it> & go.", "i1: Look first."]
    dashed = [e for e in root.iter() if e.get("stroke-dasharray")]
    assert len(dashed) == 1  # from the seed's line to the birth of i1
    assert ET.fromstring(weights_svg(Population("x"), {}, "empty")) is not None


def test_the_command(tmp_path, capsys):
    algo = {"evolve_every": 2, "verify_questions": 2, "held_out_share": 0.0}
    config = make_config(tmp_path / "run", "inspo", "tabular", quiz.ENV_ID, algo=algo)
    start(config).train()
    folder = str(config.run_dir)
    assert cli.main(["instructions", folder, "--svg", str(tmp_path / "w.svg")]) == 0
    assert "seed  living" in capsys.readouterr().out
    assert ET.parse(tmp_path / "w.svg") is not None
    assert cli.main(["instructions", folder, "--best"]) == 0
    assert "Find out who took the cheese." in capsys.readouterr().out
    assert cli.main(["instructions", folder, "--env", "other"]) == 2
    assert "env must be one of tests/Quiz-v0" in capsys.readouterr().err
    with pytest.raises(UsageError, match="whose instructions evolve"):
        load_populations(tmp_path)
