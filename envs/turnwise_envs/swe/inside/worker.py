"""Runs the code under test for a judge in another sandbox: `python worker.py TIMEOUT_S`.

Requests on descriptor 0, replies on descriptor 1. Each test gets a fork of the process that has
imported the code, so that no test sees what another left in its modules, and one that hangs is
ended alone.
"""

import importlib
import json
import operator
import os
import signal
import sys
import types
from typing import Any

import plain

_OPERATIONS = {
    **{name: getattr(operator, name) for name in ("getitem", "setitem", "delitem", "contains")},
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv")},
    **{name: getattr(operator, name) for name in ("mod", "pow", "neg", "abs")},
    **{"len": len, "iter": iter, "next": next, "bool": bool, "hash": hash},
    **{"str": str, "repr": repr, "isinstance": isinstance},
    **{"get": getattr, "set": setattr, "import": importlib.import_module},
}


class Theirs:
    """A function of the judge's that the code may call."""

    def __init__(self, worker: "Worker", number: int) -> None:
        self._worker, self._number = worker, number

    def __call__(self, *arguments: Any) -> Any:  # noqa: D102 (says the class)
        return self._worker.call_back(self._number, arguments)


class Worker:
    """Answers requests; `objects` are those the judge knows by number."""

    def __init__(self, requests: int, replies: int, timeout_s: float) -> None:
        self._requests, self._replies, self._timeout_s = requests, replies, timeout_s
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def serve(self, in_test: bool = False) -> None:
        """Answers until the connection, or the test, ends."""
        while True:
            operation, arguments, names = plain.receive(self._requests)
            if operation == "end" and in_test:
                os._exit(0)
            if operation == "begin":
                self._serve_test()
            else:
                self._answer(operation, arguments, names)

    def _serve_test(self) -> None:
        child = os.fork()
        if child == 0:
            for number in (signal.SIGPROF, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            # Of the processor: on a busy machine a second by the clock is little.
            signal.setitimer(signal.ITIMER_PROF, self._timeout_s)
            signal.setitimer(signal.ITIMER_REAL, plain.CLOCK_FACTOR * self._timeout_s)
            plain.send(self._replies, ["value", None, []])
            self.serve(in_test=True)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        # A child that died owes the judge an answer; one that came to the end owes this one.
        plain.send(self._replies, ["ended", code, []])

    def _answer(self, operation: str, packed: list[Any], names: dict[str, Any]) -> None:
        try:
            arguments = [plain.unpack(part, self._find) for part in packed]
            if operation == "call":
                function, *rest = arguments
                keywords = {name: plain.unpack(part, self._find) for name, part in names.items()}
                value = function(*rest, **keywords)
            else:
                value = _OPERATIONS[operation](*arguments)
            reply = ["value", plain.pack(value, self._export), self._changes(packed, arguments)]
        except BaseException as error:
            if isinstance(error, plain.Broken):
                raise
            said = plain.pack(list(error.args), self._export)
            reply = ["raised", self._export(type(error)), self._export(error), said]
        plain.send(self._replies, reply)

    def _changes(self, packed: list[Any], arguments: list[Any]) -> list[Any]:
        """Returns [position, new content] of the data among the arguments that changed in place."""
        changes = []
        for i, (before, argument) in enumerate(zip(packed, arguments, strict=True)):
            if type(argument) in (list, dict, set):
                after = plain.pack(argument, self._export)
                if json.dumps(after) != json.dumps(before):
                    changes.append([i, after])
        return changes

    def call_back(self, number: int, arguments: tuple[Any, ...]) -> Any:
        """Has the judge call a function of its own."""
        packed = [plain.pack(argument, self._export) for argument in arguments]
        plain.send(self._replies, ["call", number, packed])
        while True:
            operation, content, names = plain.receive(self._requests)
            if operation == "returned":
                return plain.unpack(content[0], self._find)
            if operation == "failed":
                raise RuntimeError(content[0])
            self._answer(operation, content, names)

    def _find(self, which: Any) -> Any:
        kind, key = which
        if kind == "theirs":
            return Theirs(self, key)
        return importlib.import_module(key) if kind == "module" else self._objects[key]

    def _export(self, value: Any) -> Any:
        if isinstance(value, Theirs):
            return ["yours", value._number]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        if isinstance(value, type) and issubclass(value, BaseException):
            line = [(base.__module__, base.__qualname__) for base in value.__mro__]
            return ["exception", number, line]
        return ["object", number]


def main() -> None:
    """Serves the judge; what the code prints goes to standard error."""
    requests, replies = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())
    try:
        Worker(requests, replies, float(sys.argv[1])).serve()
    except plain.Broken:
        return


if __name__ == "__main__":
    main()
