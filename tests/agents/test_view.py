"""The trajectory page: hostile texts stay texts, and a browser shows them."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from turnwise_agents.types import Generation, Trajectory, Turn
from turnwise_agents.view import embed_json, find_trajectories, render_view, write_view
from turnwise_envs import DataError, UsageError

HOSTILE = (
    "</script><script>document.title='pwned'</script><img src=x onerror=alert(1)>\u2028\ud800&amp;"
)


def trajectory(number=0, success=True, text=HOSTILE):
    def generation(said):
        return Generation(prompt_ids=[1, 2], completion_ids=[3], sampler_logprobs=[0.0], text=said)

    return Trajectory(
        env_id="turnwise/HouseholdSmall-v0",
        task_id="t",
        group_id="0.0",
        trajectory_id=f"0.0.{number}",
        turns=[
            Turn(
                turn_index=i,
                observation=f"{text} {i}",
                generations=[generation(f"go {i} {text}")],
                action=f"go {i}",
                anchor_key="abcdef12" if i == 0 else f"own-{number}",
                reward=float(i),
                reward_components={"success": float(i)},
                channels={"advantage": 0.5 - i, "gain": [0.25, 0.5]},
            )
            for i in range(2)
        ],
        success=success,
        task_kind="heat<b>",
        final_observation=text,
        verdict="solved",
    )


class Scripts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.data, self.inside = [], [], False

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.inside = tag == "script" and ("id", "data") in attributes

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.data.append(data)


def parse(page):
    parser = Scripts()
    parser.feed(page)
    return parser


def test_hostile_text_is_data_only():
    page = render_view([trajectory()], title="</title><script>x</script>%DATA%")
    parser = parse(page)
    assert parser.tags.count("script") == 2  # the data and the page's own
    assert "img" not in parser.tags
    (record,) = json.loads("".join(parser.data))
    assert record["turns"][0]["observation"] == f"{HOSTILE} 0"
    assert record["turns"][0]["advantage"] == 0.5
    assert record["turns"][0]["channels"] == {"gain": 0.75}
    assert record["turns"][0]["generations"][0]["tokens"] == 1
    assert record["episode_return"] == 1.0


def test_embedded_json_has_no_markup():
    assert not re.search("[<>&\u2028\ud800]", embed_json([HOSTILE]))
    assert json.loads(embed_json([HOSTILE])) == [HOSTILE]


def test_page_needs_no_network():
    page = render_view([trajectory(text="plain")])
    assert not re.search(r"""(src|href)=["']|https?:|@import|url\(""", page)
    assert "default-src 'none'" in page
    for unsafe in ("innerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert unsafe not in page


def test_sources(tmp_path):
    def lines(count):
        return "".join(json.dumps(trajectory(i).to_dict()) + "\n" for i in range(count))

    run = tmp_path / "run"
    (run / "trajectories").mkdir(parents=True)
    (run / "trajectories" / "iteration-000001.jsonl").write_text(lines(1))
    (run / "trajectories" / "iteration-000010.jsonl").write_text(lines(3))
    assert write_view(run, tmp_path / "deep" / "page.html") == 3
    (tmp_path / "r.jsonl").write_text(lines(2))
    (tmp_path / "r.json").write_text("{}")
    assert find_trajectories(tmp_path / "r.json") == tmp_path / "r.jsonl"
    assert write_view(tmp_path / "r.json", tmp_path / "page.html", limit=1) == 1


def test_bad_sources_are_named(tmp_path):
    with pytest.raises(UsageError, match="must exist"):
        write_view(tmp_path / "nothing", tmp_path / "page.html")
    with pytest.raises(UsageError, match="got none in it"):
        write_view(tmp_path, tmp_path / "page.html")
    file = tmp_path / "x.jsonl"
    file.write_text("")
    with pytest.raises(UsageError, match="at least one trajectory"):
        write_view(file, tmp_path / "page.html")
    for line in ("nonsense", '{"a": 1}', "[]"):
        file.write_text(json.dumps(trajectory().to_dict()) + "\n" + line + "\n")
        with pytest.raises(DataError, match="line 2 must be a trajectory record"):
            write_view(file, tmp_path / "page.html")
    old = {**trajectory().to_dict(), "schema_version": 0}
    file.write_text(json.dumps(old))
    with pytest.raises(DataError, match="schema 1, got 0"):
        write_view(file, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def dump_dom(page, profile, fragment=""):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs chromium on PATH to render the page")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    run = subprocess.run(
        [browser, *options, f"--user-data-dir={profile}", "--dump-dom", page.as_uri() + fragment],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return run.stdout


@pytest.mark.slow
def test_browser_shows_trajectory_and_group(tmp_path):
    page = tmp_path / "page.html"
    text = HOSTILE.replace("\ud800", "")  # what --dump-dom prints must be valid UTF-8
    many = [trajectory(0, text=text), trajectory(1, success=False, text=text)]
    page.write_text(render_view(many, title="a run"), encoding="utf-8")
    dom = dump_dom(page, tmp_path / "profile", "#0.0.1")
    assert "<title>a run" in dom
    assert "pwned'&lt;/script&gt;" in dom  # shown, not run
    assert dom.count('class="turn"') == 2
    assert "2 of 2 trajectories" in dom
    assert "chip merged" in dom
    assert "advantage -0.500" in dom
    group = dump_dom(page, tmp_path / "profile", "#group=0.0.0")
    assert group.count('class="column"') == 2
    assert "2 of 4" in group  # turns whose anchor the other trajectory shares
