"""Bugs and tasks of the repair world: what is injected, what is said, what is promised."""

import ast
import json
from random import Random
from typing import Any

import pytest
from sandboxes import CONTAINED, why_not

from turnwise_envs.errors import UsageError
from turnwise_envs.swe import tools
from turnwise_envs.swe.grading import run_tests
from turnwise_envs.swe.library import PACKAGES, SPLITS, load_package
from turnwise_envs.swe.making import try_all
from turnwise_envs.swe.mutations import KINDS, Mutation, find_mutations, mutated, sample_mutations
from turnwise_envs.swe.tasks import MANIFESTS, Repair, all_tests, repair_tasks

SOURCE = '''
def pick(first: int, last: int, size: int) -> int:
    """Näher."""
    if not size:
        return 0
    left, right = min(first, last), max(first, last)
    if left < 10 and right != 3:
        size += 1
    else:
        size = divmod(left, right)[0]
    return left - size
'''


def changes(kind: str) -> set[tuple[str, str]]:
    """Returns (old line, new line) of every one-line mutation of a kind."""
    found = set()
    for mutation in find_mutations("a.py", SOURCE):
        old, new = SOURCE.split("\n"), mutation.apply(SOURCE).split("\n")
        if mutation.kind == kind and len(old) == len(new):
            found |= {(a.strip(), b.strip()) for a, b in zip(old, new, strict=True) if a != b}
    return found


def manifest(name: str) -> list[dict[str, Any]]:
    """Returns the tasks of a package as they were recorded."""
    lines = (MANIFESTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def bugs(row: dict[str, Any]) -> tuple[Mutation, ...]:
    """Returns the mutations of a recorded task."""
    return tuple(Mutation(*parts) for parts in row["mutations"])


def test_each_kind_of_bug() -> None:
    guard = "if left < 10 and right != 3:"
    assert changes("boundary") == {(guard, guard.replace("<", "<="))}
    assert (guard, guard.replace("!=", "==")) in changes("operator")
    assert (guard, guard.replace("and", "or")) in changes("operator")
    assert ("size += 1", "size -= 1") in changes("operator")
    assert ("return left - size", "return left + size") in changes("operator")
    assert (guard, guard.replace("10", "9")) in changes("off_by_one")
    assert (guard, guard.replace("10", "11")) in changes("off_by_one")
    assert ("if not size:", "if size:") in changes("negation")
    assert ("return left - size", "return right - size") in changes("wrong_variable")
    swapped = ("size = divmod(left, right)[0]", "size = divmod(right, left)[0]")
    assert swapped in changes("swapped_arguments")
    assert any("max(first, last), max" in new for _, new in changes("wrong_function"))
    shorter = {m.kind: m.apply(SOURCE) for m in find_mutations("a.py", SOURCE) if not m.text}
    assert "return 0" not in shorter["missing_guard"]
    assert "divmod" not in shorter["dropped_branch"]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_bug_is_another_program(name: str) -> None:
    package = load_package(name)
    for mutation in sample_mutations(package.code, 40, Random(0)):
        before = package.code[mutation.path].decode()
        after = mutation.apply(before)
        assert mutation.kind in KINDS
        assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before))
        assert before[: mutation.start] == after[: mutation.start]
        assert before[mutation.end :] == after[mutation.start + len(mutation.text) :]


def test_several_bugs_at_once() -> None:
    text = {"a.py": b"abcdef"}
    both = (Mutation("a.py", 1, 2, "", "x"), Mutation("a.py", 4, 5, "EEE", "x"))
    assert mutated(text, both) == mutated(text, both[::-1]) == {"a.py": b"acdEEEf"}


def test_every_test_says_what_it_is_about() -> None:
    for name in PACKAGES:
        package = load_package(name)
        for path, content in package.all_tests.items():
            for node in ast.parse(content).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    assert (ast.get_docstring(node) or "").endswith("."), (path, node.name)
        assert len(all_tests(name)) >= 15


@pytest.mark.parametrize("split", SPLITS)
def test_the_manifest_of_a_split(split: str) -> None:
    tasks = repair_tasks(split)
    assert len(set(tasks.ids)) == len(tasks) >= 40 * len(SPLITS[split])
    for task in tasks:
        repair = tasks.repair(task)
        assert repair.failing < all_tests(repair.package.name)
        assert 2 * len(repair.failing) <= len(all_tests(repair.package.name))
        assert repair.broken_code != repair.package.code
        assert 1 <= len(repair.mutations) <= 3


def test_there_are_many_tasks_of_many_kinds() -> None:
    ids = [task_id for split in SPLITS for task_id in repair_tasks(split).ids]
    assert len(set(ids)) == len(ids) >= 1000
    assert len(PACKAGES) >= 20
    rows = [row for name in PACKAGES for row in manifest(name)]
    assert len(rows) == len(ids)
    assert {mutation[-1] for row in rows for mutation in row["mutations"]} == set(KINDS)
    assert {len(row["mutations"]) for row in rows} == {1, 2, 3}


@pytest.mark.parametrize("name", PACKAGES)
def test_no_two_tasks_of_a_package_are_the_same_text(name: str) -> None:
    code = load_package(name).code
    texts = [tuple(mutated(code, bugs(row)).values()) for row in manifest(name)]
    assert len(set(texts)) == len(texts) >= 40
    assert tuple(code.values()) not in texts
    for row in manifest(name):
        assert (row["package"], row["of"]) == (name, len(all_tests(name)))


def test_splits_have_different_packages() -> None:
    names = [name for part in SPLITS.values() for name in part]
    assert len(names) == len(set(names)) == len(PACKAGES)
    assert {path.stem for path in MANIFESTS.glob("*.jsonl")} == set(PACKAGES)
    packages = [load_package(name) for name in PACKAGES]
    modules = [content for package in packages for content in package.code.values()]
    assert len(set(modules)) == len(modules)


def test_there_is_no_stream() -> None:
    with pytest.raises(UsageError, match="verified beforehand"):
        repair_tasks("stream")


@pytest.mark.parametrize("split", SPLITS)
def test_the_edits_repair_and_the_wrong_ones_do_not(split: str) -> None:
    tasks = repair_tasks(split)
    for task in [*tasks][::23]:
        repair = tasks.repair(task)
        tree = dict(repair.tree)
        for edit in repair.edits:
            tree = tools.replace(tools.parse(edit), tree)
        assert repair.code_of(tree) == repair.package.code
        wrong = repair.wrong_edits(task.id)
        assert wrong == repair.wrong_edits(task.id)
        assert len(wrong) == 6
        for edit in wrong:
            changed = repair.code_of(tools.replace(tools.parse(edit), repair.tree))
            assert changed not in (repair.package.code, repair.broken_code)


def test_the_statement_names_no_place() -> None:
    tasks = repair_tasks("valid")
    for task in tasks:
        repair = tasks.repair(task)
        symptoms = repair.statement.partition("any more:")[2].partition("Find out")[0]
        assert symptoms.count("\n- ") == min(3, len(repair.failing))
        for mutation in repair.mutations:
            assert mutation.path not in symptoms
        assert "held_out" not in repair.statement
        assert not any(path.startswith("held_out") for path in repair.tree)


@pytest.mark.skipif(all(why_not(name) for name in CONTAINED), reason="no isolation works here")
@pytest.mark.parametrize("split", SPLITS)
def test_a_sample_is_verified_again(split: str) -> None:
    tasks = repair_tasks(split)
    chosen = Random(split).sample(range(len(tasks)), 2)
    for index in chosen:
        repair = tasks.repair(tasks[index])
        tree = dict(repair.tree)
        for edit in repair.edits:
            tree = tools.replace(tools.parse(edit), tree)
        assert repair.grade(tree).verdict == "resolved"
        assert repair.grade(repair.tree).verdict == "empty_patch"
        comment = repair.mutations[0].path
        touched = {**repair.tree, comment: repair.tree[comment] + b"\n# looked at\n"}
        grade = repair.grade(touched)
        assert (grade.verdict, grade.modified, grade.fixed) == ("tests_failed", True, 0.0)
        assert grade.broken == 0.0


@pytest.mark.skipif(all(why_not(name) for name in CONTAINED), reason="no isolation works here")
def test_a_sample_fails_as_recorded() -> None:
    for name in Random(len(PACKAGES)).sample(PACKAGES, 4):
        rows = Random(name).sample(manifest(name), 3)
        assert try_all(load_package(name), [(), *map(bugs, rows)]) == [
            [],
            *(row["fails"] for row in rows),
        ]


@pytest.mark.slow
@pytest.mark.skipif(all(why_not(name) for name in CONTAINED), reason="no isolation works here")
@pytest.mark.parametrize("name", PACKAGES)
def test_the_verification_of_every_task_is_what_was_recorded(name: str) -> None:
    rows = manifest(name)
    expected = [[], *(row["fails"] for row in rows)]
    assert try_all(load_package(name), [(), *map(bugs, rows)]) == expected


@pytest.mark.slow
@pytest.mark.skipif(all(why_not(name) for name in CONTAINED), reason="no isolation works here")
@pytest.mark.parametrize("name", PACKAGES)
def test_every_fourth_task_is_graded_as_recorded(name: str) -> None:
    package = load_package(name)
    sound = run_tests(package.code, package.all_tests, roots=[name])
    assert (sound.passed, sound.failed) == (all_tests(name), {})
    for row in manifest(name)[::4]:
        code = mutated(package.code, bugs(row))
        report = run_tests(code, package.all_tests, roots=[name])
        assert sorted(report.failed) == row["fails"], row


def test_a_patch_is_what_is_in_the_package_alone() -> None:
    tasks = repair_tasks("valid")
    repair: Repair = tasks.repair(tasks[0])
    tests = {path: b"def test_nothing(): pass" for path in repair.tree if "test" in path}
    tree = {**repair.tree, **tests, "conftest.py": b"x", "spans/data.txt": b"x", "pytest.ini": b""}
    assert repair.grade(tree).verdict == "empty_patch"
    big = {**repair.tree, "spans/big.py": b"#" * (1 << 21)}
    assert repair.grade(big).verdict == "patch_too_large"
