"""Runs named tests and the code they test in one process, and says what came of them.

    python witness.py < REQUEST > REPORT

REQUEST is JSON: secret, tests (ids of pytest, or files), config (a file, or ""). REPORT is a line:
a code of what follows, made with the secret, the exit code, a JUnit report in base 64. What the
tests print goes to standard error. It runs with Python 3.6 and later, which repositories
of their time need: what these cannot evaluate is quoted.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest


class Reporter:
    """A pytest plugin that keeps to the named tests and notes what came of each."""

    def __init__(self, tests: "list[str]") -> None:
        self._named = frozenset(tests)
        self._phases: dict[str, list[tuple[str, str]]] = {}
        self._bad: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: "list[Any]") -> None:
        """Drops the tests that are not named."""
        items[:] = [item for item in items if self._is_named(item.nodeid)]

    def _is_named(self, test: str) -> bool:
        return test in self._named or test.partition("::")[0] in self._named

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Notes one phase of a test."""
        said = report.outcome
        if hasattr(report, "wasxfail"):
            said = "skipped"
        self._phases.setdefault(report.nodeid, []).append((report.when, said))
        if said != "passed":
            self._bad.setdefault(report.nodeid, f"{said} in {report.when}: {_reason(report)}")

    def pytest_collectreport(self, report: Any) -> None:
        """Notes a file that cannot be imported, or that is skipped whole."""
        if report.outcome != "passed":
            self._bad.setdefault(report.nodeid, f"not collected: {_reason(report)}")

    def junit(self) -> bytes:
        """Returns the report; a test has passed if each of its three phases has, once."""
        suite = ElementTree.Element("testsuite", name="pytest")
        for name in sorted(self._phases.keys() | self._bad.keys()):
            place, _, short = name.partition("::")
            case = ElementTree.SubElement(suite, "testcase", classname=place, name=short)
            three = [(when, "passed") for when in ("setup", "call", "teardown")]
            if name in self._bad or self._phases[name] != three:
                message = self._bad.get(name, "not every phase was run once")
                ElementTree.SubElement(case, "failure", message=ascii(message)[1:-1])
        return ElementTree.tostring(suite)


def _reason(report: Any) -> str:
    lines = str(report.longrepr or "").strip().splitlines() or [""]
    return lines[-1][:200]


def _sender(secret: bytes, descriptor: int) -> "Callable[[int, bytes], None]":
    def send(code: int, report: bytes) -> None:
        body = b"%d " % code + base64.b64encode(report)
        line = hmac.new(secret, body, hashlib.sha256).hexdigest().encode() + b" " + body
        while line:
            line = line[os.write(descriptor, line) :]

    return send


def main() -> int:
    """Returns pytest's exit code."""
    request = json.loads(sys.stdin.buffer.read())
    send = _sender(bytes.fromhex(request.pop("secret")), os.dup(1))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    tests = request["tests"]
    reporter = Reporter(tests)
    work = os.getcwd()
    sys.path[0] = work
    if os.path.isdir("src"):
        sys.path.insert(0, f"{work}/src")
    options = ["-q", "--tb=line", "-p", "no:cacheprovider", f"--rootdir={work}", "--maxfail=0"]
    options += ["-c", request["config"] or os.devnull]
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    code = int(pytest.main([*options, *files], plugins=[reporter]))
    send(code, reporter.junit())
    return code


if __name__ == "__main__":
    sys.exit(main())
