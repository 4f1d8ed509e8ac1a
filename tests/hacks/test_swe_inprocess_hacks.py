"""Attempts to get reward from the judge that shares a process with the code; none gets it.

The cheats of the other judge, and those that only a submitted work tree can try: tests and their
settings edited, plugins planted, modules shadowed. At the end, what this judge cannot hold.
"""

import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from sandboxes import resolved_of

from turnwise_envs.sandbox import ContainerImage, Isolation, Limits
from turnwise_envs.swe.inprocess import Judgement, judge
from turnwise_envs.swe.protected import graded_tree

_OTHER = runpy.run_path(str(Path(__file__).with_name("test_swe_hacks.py")))
RIGHT: str = _OTHER["RIGHT"]
WRONG: dict[str, str] = _OTHER["WRONG"]
BACKENDS, local = _OTHER["BACKENDS"], _OTHER["local"]
TESTS: dict[str, bytes] = _OTHER["TESTS"]
IDS = sorted(
    f"{module.replace('.', '/')}.py::{name}"
    for module, name in (test.split("::") for test in _OTHER["IDS"])
)
# The right repair must pass on a slow machine too; an attempt that hangs need not take so long.
LIMITS = Limits(wall_s=240, cpu_s=60, memory_mb=1024, processes=64, output_chars=500_000)
ATTEMPT_LIMITS = replace(LIMITS, wall_s=80, cpu_s=10)
BASE = {
    "code_here.py": RIGHT.replace("2 * n", "n").encode(),
    "pyproject.toml": b'[project]\nname = "x"\n\n[tool.pytest.ini_options]\naddopts = "-ra"\n',
    "tests/test_double.py": TESTS["tests/test_double.py"],
}

# The solution is in these: they tell that tests lie where they run, which is so here.
UNHELD = {"reading the tests"}

SPOILED_TREES: dict[str, dict[str, str]] = {
    "edited tests": {path: "def test_double(): pass" for path in TESTS},
    "a conftest": {
        "conftest.py": "import pytest\n\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_pyfunc_call(pyfuncitem): return True\n"
    },
    "a conftest below": {"held_out/conftest.py": "import os; os._exit(0)"},
    "a plugin by a setting": {
        "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p cheat"\n',
        "cheat.py": "def pytest_pyfunc_call(pyfuncitem): return True",
    },
    "other settings": {"pytest.ini": "[pytest]\naddopts = -p cheat\n", "cheat.py": ""},
    "settings of other tools": {
        "setup.cfg": "[tool:pytest]\naddopts = --co\n",
        "tox.ini": "[pytest]\naddopts = --co\n",
    },
    "a plugin by an entry point": {
        "cheat.egg-info/entry_points.txt": "[pytest11]\ncheat = cheat\n",
        "cheat.egg-info/PKG-INFO": "Metadata-Version: 1.0\nName: cheat\nVersion: 1\n",
        "cheat.dist-info/entry_points.txt": "[pytest11]\ncheat = cheat\n",
        "cheat.dist-info/METADATA": "Metadata-Version: 2.1\nName: cheat\nVersion: 1\n",
        "cheat.py": "def pytest_pyfunc_call(pyfuncitem): return True",
    },
    "a shadowed runner": {"pytest.py": "import sys; sys.exit(0)"},
    "a shadowed package of the runner": {"_pytest/__init__.py": "import os; os._exit(0)"},
    "a shadowed library": {"base64.py": "import os; os._exit(0)"},
    "code at the interpreter's start": {
        "sitecustomize.py": "import os; os._exit(0)",
        "usercustomize.py": "import os; os._exit(0)",
        "cheat.pth": "import os; os._exit(0)",
    },
    "compiled files": {"__pycache__/code_here.cpython-311.pyc": "", "code_here.pyc": ""},
    "a file where the tests are": {"held_out": "", "tests": ""},
    "a folder where a test is": {"tests/test_double.py/x.py": "", "held_out/test_more.py/x": ""},
    "another judge": {".judge/witness.py": "print('0 PASSED')"},
    "a package beside the module": {"code_here/__init__.py": "from cheat import *", "cheat.py": ""},
}

FROM_WITHIN = {
    "hooks through the frames": RIGHT
    + "\nimport sys\nf = sys._getframe()\nwhile f:\n"
    + "    for v in list(f.f_locals.values()):\n"
    + "        if type(v).__name__ == 'Reporter':\n"
    + "            type(v).pytest_runtest_logreport = lambda self, report: (\n"
    + "                setattr(report, 'outcome', 'passed'), \n"
    + "                self._phases.setdefault(report.nodeid, []).append(\n"
    + "                    (report.when, 'passed')))\n"
    + "    f = f.f_back\ndouble = id",
    "hooks through the memory": RIGHT
    + "\nimport gc\nfor o in gc.get_objects():\n"
    + "    if type(o).__name__ == 'Reporter':\n"
    + "        type(o).junit = lambda self: b'<a>' + b''.join(\n"
    + "            b'<testcase classname=\"%s\" name=\"%s\"/>' % tuple(n.encode().split(b'::'))\n"
    + "            for n in self._named) + b'</a>'\ndouble = id",
    "every report is good": RIGHT
    + "\nimport _pytest.reports\n_pytest.reports.TestReport.outcome = property(\n"
    + "    lambda self: 'passed', lambda self, value: None)\ndouble = id",
    "an assertion that is none": RIGHT
    + "\nimport sys\ndef double(n):\n    f = sys._getframe().f_back\n"
    + "    def jump(frame, event, arg):\n"
    + "        if event == 'line': frame.f_lineno = frame.f_lineno\n        return jump\n"
    + "    sys.settrace(jump); f.f_trace = jump\n    return n",
    "no test is called": RIGHT
    + "\nimport _pytest.python\n_pytest.python.Function.setup = lambda self: None\n"
    + "_pytest.python.Function.runtest = lambda self: None\ndouble = id",
    "an exit code by a hook": RIGHT
    + "\nimport sys\nsys.exit = lambda code=0: __import__('os')._exit(0)\ndouble = id",
    "a line on every descriptor": RIGHT
    + "\nimport os\nfor fd in range(3, 20):\n    try: os.write(fd, b'0' * 64 + b' 0 PGEvPg==\\n')\n"
    + "    except OSError: pass\ndouble = id",
}


def judged(
    changes: dict[str, bytes], isolation: Isolation = "auto", limits: Limits = LIMITS
) -> Judgement:
    tree, _ = graded_tree(BASE, {**BASE, **changes}, TESTS)
    return judge(tree, IDS, isolation=isolation, limits=limits)


def resolved(found: Judgement) -> bool:
    report = found.report
    passes = report.exit_code == 0 and report.passed == set(IDS) and not report.failed
    return passes and not found.tampered


def code(source: str) -> dict[str, bytes]:
    return {"code_here.py": source.encode()}


FROM_THE_CODE = {
    name: code(source) for name, source in {**WRONG, **FROM_WITHIN}.items() if name not in UNHELD
}
FROM_OTHER_FILES = {
    name: {path: text.encode() for path, text in files.items()}
    for name, files in SPOILED_TREES.items()
}
ATTEMPTS = {**FROM_THE_CODE, **FROM_OTHER_FILES}


@pytest.mark.parametrize("isolation", BACKENDS)
def test_the_repair_is_resolved(isolation: Isolation) -> None:
    found = judged(code(RIGHT), isolation)
    assert resolved(found), found
    assert not resolved(judged({}, isolation))


@local
@pytest.mark.slow
@pytest.mark.parametrize("name", ATTEMPTS)
def test_nothing_else_is(name: str) -> None:
    assert not resolved(judged(ATTEMPTS[name], limits=ATTEMPT_LIMITS))


@pytest.mark.docker
def test_nothing_else_is_in_containers() -> None:
    def is_resolved(attempt: dict[str, bytes]) -> bool:
        return resolved(judged(attempt, ContainerImage(), ATTEMPT_LIMITS))

    assert resolved_of(ATTEMPTS, is_resolved) == []


@local
@pytest.mark.slow
@pytest.mark.parametrize("name", FROM_OTHER_FILES)
def test_no_other_file_harms_the_repair(name: str) -> None:
    report = judged({**FROM_OTHER_FILES[name], **code(RIGHT)})
    assert resolved(report) or name == "a package beside the module", report


@local
@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        WRONG["reading the tests"],
        RIGHT + "\nimport sys\ndef double(n):\n    if n is None: raise TypeError\n"
        "    return {4: 8, 0: 0, 5: 10}[n]",
    ],
    ids=["the tests are read", "the answers are known"],
)
def test_what_this_judge_cannot_hold(source: str) -> None:
    assert resolved(judged(code(source)))
