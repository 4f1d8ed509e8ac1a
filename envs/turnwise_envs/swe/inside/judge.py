"""Runs tests against code in another sandbox: `python judge.py TIMEOUT_S ROOTS REPORT TEST...`.

Modules of the code (those below ROOTS, names joined by commas) are stand-ins here: what tests do
with them is done by the worker, over descriptors 0 and 1, and data come back by value. Nothing of
the code runs in this process, so it can reach neither the tests, nor pytest, nor the report.
"""

import builtins
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import plain
import pytest

_SLACK_S = 5.0


class CodeEnded(Exception):
    """The code's process ended, or was ended, before it answered."""


class Connection:
    """The judge's end of the pipe."""

    def __init__(self, replies: int, requests: int, timeout_s: float) -> None:
        self._replies, self._requests = replies, requests
        self._patience_s = plain.CLOCK_FACTOR * timeout_s + _SLACK_S
        self._functions: list[Callable[..., Any]] = []
        self._exceptions: dict[int, type[BaseException]] = {}
        self._known_before: dict[int, type[BaseException]] = {}
        self._broken = ""
        self._test_runs = False
        self.test = 0

    def ask(self, operation: str, *arguments: Any, **names: Any) -> Any:
        """Has the worker do something, and returns or raises what came of it."""
        if self._broken or (self.test and not self._test_runs and operation != "begin"):
            raise CodeEnded(self._broken or "the code took too long, or ended its process")
        packed = [plain.pack(argument, self._export) for argument in arguments]
        packed_names = {name: plain.pack(value, self._export) for name, value in names.items()}
        try:
            plain.send(self._requests, [operation, packed, packed_names])
            reply = self._await()
            if reply[0] == "value":
                self._apply(reply[2], arguments)
                return plain.unpack(reply[1], self._import)
            error = self._error(reply)
        except (plain.Broken, OSError, LookupError, TypeError, ValueError) as fault:
            self._broken = f"the code's process cannot be talked to: {fault}"
            raise CodeEnded(self._broken) from fault
        raise error

    def begin_test(self) -> None:
        """Starts a process for one test, a copy of the one in which modules were imported."""
        self._known_before = dict(self._exceptions)
        self.test += 1
        try:
            self.ask("begin")
            self._test_runs = True
        except BaseException as error:  # whatever the code says: the test will find out
            self._broken = self._broken or f"no process for a test: {error!r}"

    def end_test(self) -> None:
        """Ends the process of the current test."""
        if self._test_runs and not self._broken:
            try:
                plain.send(self._requests, ["end", [], {}])
                while self._await()[0] != "ended":
                    continue
            except (plain.Broken, OSError, LookupError, TypeError, ValueError) as fault:
                self._broken = f"the code's process cannot be talked to: {fault}"
        self._test_runs = False
        # Numbers given out during the test will name other objects in the next.
        self._exceptions = self._known_before

    def _await(self) -> Any:
        while True:
            reply = plain.receive(self._replies, self._patience_s)
            if reply[0] != "call":
                return reply
            try:
                arguments = [plain.unpack(part, self._import) for part in reply[2]]
                value = plain.pack(self._functions[reply[1]](*arguments), self._export)
                plain.send(self._requests, ["returned", [value], {}])
            except Exception as error:
                plain.send(self._requests, ["failed", [f"{type(error).__name__}: {error}"], {}])

    def _apply(self, changes: Any, arguments: Sequence[Any]) -> None:
        for position, packed in changes:
            target, content = arguments[position], plain.unpack(packed, self._import)
            if type(target) is not type(content):
                raise plain.Broken("a change of what was not passed")
            target.clear()
            target.extend(content) if type(target) is list else target.update(content)

    def _error(self, reply: Any) -> BaseException:
        if reply[0] == "ended":
            self._test_runs = False
            return CodeEnded("the code took too long, or ended its process")
        _, kind, value, said = reply
        mirrored, arguments = self._import(kind), plain.unpack(said, self._import)
        try:
            error: BaseException = mirrored(*arguments)
        except Exception:  # a constructor that wants other arguments than it keeps
            error = mirrored.__new__(mirrored, *arguments)
        error.__dict__["_remote"] = self._import(value)
        return error

    def _export(self, value: Any) -> Any:
        if isinstance(value, Remote):
            if value.__dict__["_test"] not in (0, self.test):
                raise CodeEnded("an object of another test; fixtures must be of function scope")
            return ["mine", value.__dict__["_number"]]
        if isinstance(value, RemoteModule):
            return ["module", value.__name__]
        for number, mirrored in self._exceptions.items():
            if value is mirrored:
                return ["mine", number]
        if isinstance(value, types.FunctionType | types.MethodType):
            self._functions.append(value)
            return ["theirs", len(self._functions) - 1]
        raise TypeError(f"tests can pass data and functions to the code, not {type(value)}")

    def _import(self, which: Any) -> Any:
        kind, key, *line = which
        if kind == "object":
            return Remote(self, int(key))
        if kind == "exception":
            return self._mirror(int(key), line[0])
        if kind == "module":
            return importlib.import_module(str(key))
        return self._functions[key]

    def _mirror(self, number: int, line: list[list[str]]) -> type[BaseException]:
        """Returns the exception class that stands for one of the code's, or the built-in one."""
        if number not in self._exceptions:
            real: type[BaseException] = RuntimeError
            names = [name for module, name in line if module == "builtins"]
            found = getattr(builtins, names[0], None) if names else None
            # An interruption would end pytest rather than the test.
            allowed = (Exception, SystemExit) if self._test_runs else Exception
            if isinstance(found, type) and issubclass(found, allowed):
                real = found
            own = [str(name) for module, name in line if module != "builtins"]
            for name in reversed(own):
                real = self._named(name, real)
            self._exceptions[number] = real
        return self._exceptions[number]

    def _named(self, name: str, base: type[BaseException]) -> type[BaseException]:
        for known in base.__subclasses__():
            if known.__name__ == name and known.__module__ == __name__:
                return known

        def attribute(error: Any, key: str) -> Any:
            if key.startswith("__") or "_remote" not in error.__dict__:
                raise AttributeError(key)
            return self.ask("get", error.__dict__["_remote"], key)

        return type(name, (base,), {"__getattr__": attribute, "__module__": __name__})


class Remote:
    """Stands for an object of the code's."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.__dict__.update(_connection=connection, _number=number, _test=connection.test)

    def _ask(self, operation: str, *arguments: Any, **names: Any) -> Any:
        return self.__dict__["_connection"].ask(operation, self, *arguments, **names)

    def __getattr__(self, name: str) -> Any:
        return self._ask("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", name, value)

    def __call__(self, *arguments: Any, **names: Any) -> Any:  # noqa: D102 (says the class)
        return self._ask("call", *arguments, **names)

    def __iter__(self) -> Iterator[Any]:
        iterator = self._ask("iter")
        while True:
            try:
                yield iterator._ask("next")
            except StopIteration:
                return

    def __next__(self) -> Any:
        return self._ask("next")

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, Remote) and instance._ask("isinstance", self) is True

    def __enter__(self) -> Any:
        return self._ask("get", "__enter__")()

    def __exit__(self, *error: Any) -> bool:
        return bool(self._ask("get", "__exit__")(None, None, None))

    def __eq__(self, other: object) -> bool:
        return self._compare("eq", other)

    def __ne__(self, other: object) -> bool:
        return self._compare("ne", other)

    def __lt__(self, other: object) -> bool:
        return self._compare("lt", other)

    def __le__(self, other: object) -> bool:
        return self._compare("le", other)

    def __gt__(self, other: object) -> bool:
        return self._compare("gt", other)

    def __ge__(self, other: object) -> bool:
        return self._compare("ge", other)

    def __hash__(self) -> int:
        return self._typed("hash", int)

    def __len__(self) -> int:
        return self._typed("len", int)

    def __bool__(self) -> bool:
        return self._typed("bool", bool)

    def __str__(self) -> str:
        return self._typed("str", str)

    def __repr__(self) -> str:
        return self._typed("repr", str)

    def __contains__(self, item: Any) -> bool:
        return self._ask("contains", item) is True

    def _typed(self, operation: str, kind: type) -> Any:
        value = self._ask(operation)
        if type(value) is not kind:
            raise CodeEnded(f"{operation} must give {kind.__name__}, got {type(value).__name__}")
        return value

    def _compare(self, operation: str, other: object) -> bool:
        # An object of the code's could claim to equal any number or text.
        if not isinstance(other, Remote):
            raise TypeError("tests compare the code's data, or two of its objects, never both")
        return self._ask(operation, other) is True


def _forward(name: str) -> Callable[..., Any]:
    def method(self: Remote, *arguments: Any) -> Any:
        return self._ask(name, *arguments)

    return method


for _name in ("getitem", "setitem", "delitem", "add", "sub", "mul", "truediv", "floordiv", "mod"):
    setattr(Remote, f"__{_name}__", _forward(_name))
for _name in ("pow", "neg", "abs"):
    setattr(Remote, f"__{_name}__", _forward(_name))


class RemoteModule(types.ModuleType):
    """Stands for a module of the code's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__version__"):
            raise AttributeError(name)
        return self.__dict__["_connection"].ask("get", self, name)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stand-ins for the modules below some names."""

    def __init__(self, connection: Connection, roots: Sequence[str]) -> None:
        self._connection, self._roots = connection, frozenset(roots)

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Claims a module below one of the roots."""
        if fullname.partition(".")[0] not in self._roots:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> RemoteModule:
        """Returns the stand-in."""
        return RemoteModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Has the worker import it."""
        module.__dict__["_connection"] = self._connection
        self._connection.ask("import", module.__name__)


class OneProcessPerTest:
    """A pytest plugin: each test gets a fresh copy of the code's process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        """Begins and ends the copy around set-up, test and tear-down."""
        self._connection.begin_test()
        yield
        self._connection.end_test()


def main() -> int:
    """Returns pytest's exit code."""
    timeout_s, roots, report, *tests = sys.argv[1:]
    replies, requests = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    connection = Connection(replies, requests, float(timeout_s))
    sys.meta_path.insert(0, Finder(connection, roots.split(",")))
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=."]
    options += ["--import-mode=importlib", "-o", "junit_family=xunit1", f"--junitxml={report}"]
    return int(pytest.main([*options, *tests], plugins=[OneProcessPerTest(connection)]))


if __name__ == "__main__":
    sys.exit(main())
