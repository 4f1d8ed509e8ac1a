"""A folder of QuixBugs' layout with programs of our own, broken and right."""

import json
from pathlib import Path

NODE = """
class Node:
    def __init__(self, value=None, successor=None, successors=()):
        self.value = value
        self.successor = successor
        self.successors = list(successors)
"""

PROGRAMS: dict[str, tuple[str, tuple[str, str]]] = {
    "digit_sum": (
        "def digit_sum(n):\n    total = 0\n    while n > 0:\n        total += n % 10\n"
        "        n //= 10\n    return total\n",
        ("n % 10", "n % 9"),
    ),
    "running_max": (
        "def running_max(numbers):\n    found = []\n    for n in numbers:\n"
        "        found.append(max(n, found[-1]) if found else n)\n    return found\n",
        ("append(max", "append(min"),
    ),
    "rotate": (
        "def rotate(items, by):\n    if not items:\n        return []\n    by %= len(items)\n"
        "    return items[by:] + items[:by]\n",
        ("items[:by]", "items[: by - 1]"),
    ),
    "steps_to_one": (  # broken, it does not come to an end
        "def steps_to_one(n):\n    steps = 0\n    while n != 1:\n"
        "        n = n // 2 if n % 2 == 0 else 3 * n + 1\n        steps += 1\n    return steps\n",
        ("n % 2 == 0", "n % 2 == 1"),
    ),
    "chunks": (  # a generator
        "def chunks(items, size):\n    for i in range(0, len(items), size):\n"
        "        yield items[i : i + size]\n",
        ("i + size", "size"),
    ),
    "root": (  # compared approximately
        "def root(x, epsilon):\n    guess = x\n    while abs(x - guess * guess) > epsilon:\n"
        "        guess = (guess + x / guess) / 2\n    return guess\n",
        ("> epsilon", "> 1"),
    ),
    "chain_length": (  # over node.py, next to it
        "def chain_length(node):\n    length = 0\n    while node is not None:\n"
        "        node = node.successor\n        length += 1\n    return length\n",
        ("length = 0", "length = 1"),
    ),
    "reaches": (  # over node.py, a graph with a cycle
        "def reaches(start, goal):\n    seen, queue = set(), [start]\n    while queue:\n"
        "        node = queue.pop()\n        if node is goal:\n            return True\n"
        "        if node not in seen:\n            seen.add(node)\n"
        "            queue += node.successors\n    return False\n",
        ("queue += node.successors", "queue += node.successors[1:]"),
    ),
    "reverse_chain": (
        "from node import Node\n\n\ndef reverse_chain(node):\n    last = None\n"
        "    while node is not None:\n        last = Node(node.value, last)\n"
        "        node = node.successor\n    return last\n",
        ("Node(node.value, last)", "Node(node.value, node)"),
    ),
}
"""Name -> (right program, (what is replaced in it, by what))."""

CASES: dict[str, list[tuple[list[object], object]]] = {
    "digit_sum": [([0], 0), ([9], 9), ([190], 10), ([12345], 15)],
    "running_max": [([[1, 3, 2]], [1, 3, 3]), ([[]], []), ([[5, 4, 9]], [5, 5, 9])],
    "rotate": [([[1, 2, 3], 1], [2, 3, 1]), ([[], 4], []), ([[1, 2], 3], [2, 1])],
    "steps_to_one": [([1], 0), ([8], 3), ([7], 16)],
    "root": [([4, 0.01], 2.0), ([27, 0.001], 5.19615)],
}

JSON_TEST = """
import pytest
from load_testdata import load_json_testcases

if pytest.use_correct:
    from correct_python_programs.{name} import {name}
else:
    from python_programs.{name} import {name}

data = load_json_testcases({name}.__name__)


@pytest.mark.parametrize("arguments,expected", data)
def test_{name}(arguments, expected):
    if not pytest.run_slow and arguments == [7]:
        pytest.skip("slow")
    assert {name}(*arguments) == {expected}
"""

OWN_TESTS = {
    "chunks": """
import pytest
from python_programs.chunks import chunks


def test_even():
    assert list(chunks([1, 2, 3, 4], 2)) == [[1, 2], [3, 4]]


def test_rest():
    assert list(chunks("abc", 2)) == ["ab", "c"]
""",
    "chain_length": """
from node import Node
from python_programs.chain_length import chain_length

last = Node(1)
first = Node(3, Node(2, last))


def test1():
    assert chain_length(first) == 3


def test2():
    last.successor = Node(0)
    assert chain_length(first) == 4


def test3():
    assert chain_length(None) == 0
""",
    "reaches": """
from node import Node
from python_programs.reaches import reaches


def test1():
    a = Node("a")
    b = Node("b", None, [a])
    a.successors = [b]
    c = Node("c", None, [b])
    assert reaches(c, a)


def test2():
    assert not reaches(Node("a"), Node("b"))
""",
    "reverse_chain": """
from node import Node
from python_programs.reverse_chain import reverse_chain


def test1():
    node = reverse_chain(Node(1, Node(2, Node(3))))
    values = []
    while node:
        values.append(node.value)
        node = node.successor
    assert values == [3, 2, 1]


def test2():
    assert reverse_chain(None) is None
""",
}

LOADER = """
import json
from pathlib import Path


def load_json_testcases(name):
    path = Path(__file__).parent / ".." / f"json_testcases/{name}.json"
    return [json.loads(line) for line in path.read_text().splitlines()]
"""


def write_folder(folder: Path) -> Path:
    """Writes the folder and returns it; `running_max` has cases and no test."""
    files = {
        "python_programs/node.py": NODE,
        "correct_python_programs/node.py": NODE,
        "python_testcases/node.py": NODE,
        "python_testcases/load_testdata.py": LOADER,
        "conftest.py": "raise RuntimeError('of the folder itself')\n",
    }
    for name, (right, (old, new)) in PROGRAMS.items():
        assert right.count(old) == 1
        files[f"correct_python_programs/{name}.py"] = right
        files[f"python_programs/{name}.py"] = right.replace(old, new)
    for name, cases in CASES.items():
        files[f"json_testcases/{name}.json"] = "".join(json.dumps(case) + "\n" for case in cases)
        expected = "pytest.approx(expected, abs=arguments[-1])" if name == "root" else "expected"
        files[f"python_testcases/test_{name}.py"] = JSON_TEST.format(name=name, expected=expected)
    del files["python_testcases/test_running_max.py"]
    files |= {f"python_testcases/test_{name}.py": text for name, text in OWN_TESTS.items()}
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder
