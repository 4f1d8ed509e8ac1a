"""Rows of SWE-bench's form: one task each, over a repository that is here or in an image."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnwise_envs.errors import DataError
from turnwise_envs.splits import content_id

TEST_ID = re.compile(r"(?P<path>[^:\0]+\.py)::(?P<name>.+)", re.DOTALL)
_MOST_BYTES = 1 << 30
TIMEOUT_S = 300.0
"""For one run of the named tests, where a row does not say."""
_SPLITS = {"train": "train", "valid": "valid", "dev": "valid", "validation": "valid"}
_IMAGES = ("image", "image_name", "docker_image")
REQUIRED = ("repo", "problem_statement", "FAIL_TO_PASS")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One row."""

    name: str
    """Its `instance_id`, or one made of repository and commit."""
    repo: str
    """owner/name as hosts have it, or the path of a folder."""
    base_commit: str
    """Where the task starts; "" for HEAD, or for a folder that is no repository."""
    problem_statement: str
    fail_to_pass: tuple[str, ...]
    """Ids of the tests that fail before the repair, and pass after it."""
    pass_to_pass: tuple[str, ...]
    """Ids of the tests that pass before and after."""
    test_patch: str = ""
    """Unified diff that brings the tests, applied for grading only; may be empty."""
    patch: str = ""
    """Unified diff of the repair, where it is known: the expert's."""
    image: str = ""
    """Container image with what the repository needs."""
    split: str = ""
    """train, valid or test; "" where the row does not say."""
    test_command: str = ""
    """What the tool `test` runs; "" runs the files of the named tests that are there."""
    timeout_s: float = TIMEOUT_S
    """Processor and clock seconds for one run of the named tests."""

    @property
    def tests(self) -> tuple[str, ...]:
        """Ids of all tests that have to pass."""
        return tuple(dict.fromkeys(self.fail_to_pass + self.pass_to_pass))

    @property
    def id(self) -> str:
        """Hash of the row's content."""
        return content_id({name: getattr(self, name) for name in self.__dataclass_fields__})


def parse_row(row: Any, place: str) -> Instance:
    """Returns the instance of one JSON object; fields it has no use for are ignored.

    Args:
        row: the object.
        place: file and line, for messages.

    Raises:
        DataError: If a field is missing or of the wrong form; names place, field and remedy.
    """
    if not isinstance(row, dict):
        raise DataError(f"{place} must be a JSON object, got {_short(row)}.")
    fields = _Fields(row, place)
    for name in REQUIRED:
        if not row.get(name):
            raise DataError(
                f"{place}: {name} must not be missing or empty, got {_short(row.get(name))}."
            )
    commit, repo = fields.text("base_commit"), fields.text("repo")
    split = fields.text("split")
    return Instance(
        name=fields.text("instance_id") or f"{repo}@{commit[:12] or 'HEAD'}",
        repo=repo,
        base_commit=commit,
        problem_statement=fields.text("problem_statement"),
        fail_to_pass=fields.tests("FAIL_TO_PASS"),
        pass_to_pass=fields.tests("PASS_TO_PASS"),
        test_patch=fields.text("test_patch"),
        patch=fields.text("patch"),
        image=next((fields.text(name) for name in _IMAGES if row.get(name)), ""),
        split=_SPLITS.get(split, "test") if split else "",
        test_command=fields.text("test_command"),
        timeout_s=fields.seconds("timeout_s"),
    )


@dataclass(frozen=True)
class _Fields:
    row: dict[str, Any]
    place: str

    def text(self, name: str) -> str:
        value = self.row.get(name)
        if value is not None and not isinstance(value, str):
            raise DataError(f"{self.place}: {name} must be text, got {_short(value)}.")
        return value or ""

    def seconds(self, name: str) -> float:
        value = self.row.get(name, TIMEOUT_S)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise DataError(f"{self.place}: {name} must be positive seconds, got {_short(value)}.")
        return float(value)

    def tests(self, name: str) -> tuple[str, ...]:
        """Returns a list of test ids, which may itself be JSON text, as published."""
        value = self.row.get(name) or []
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise DataError(
                    f"{self.place}: {name} must be a list, or the JSON text of one, "
                    f"got {_short(value)}."
                ) from error
        if not isinstance(value, list) or (name in REQUIRED and not value):
            raise DataError(
                f"{self.place}: {name} must be a list with at least one test, got {_short(value)}."
                if name in REQUIRED
                else f"{self.place}: {name} must be a list of tests, got {_short(value)}."
            )
        for test in value:
            found = TEST_ID.fullmatch(test) if isinstance(test, str) else None
            if found is None or not _is_inside(found["path"]):
                raise DataError(
                    f"{self.place}: {name} must have ids of pytest's, such as "
                    f"tests/test_a.py::test_b, got {_short(test)}. Other runners are not known."
                )
        return tuple(dict.fromkeys(value))


def _is_inside(path: str) -> bool:
    return not path.startswith(("/", "-")) and not {"", ".", ".."} & set(path.split("/"))


def _short(value: Any) -> str:
    return f"{value!r:.80}"


def read_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields (place, row) of a file: one object, a list of them, or an object a line.

    Raises:
        DataError: If the file cannot be read, or a line is no JSON.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} must have at most {_MOST_BYTES >> 20} MiB. Split it.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be a readable UTF-8 file: {error}.") from error
    if path.suffix == ".json":
        whole = _loads(text, str(path))
        for i, row in enumerate(whole if isinstance(whole, list) else [whole]):
            yield (f"{path}[{i}]" if isinstance(whole, list) else str(path)), row
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", _loads(line, f"{path}:{number}")


def _loads(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place} must be JSON: {error}.") from error
