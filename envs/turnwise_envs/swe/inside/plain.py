"""Values between judge and worker: plain data by value, everything else by number.

Data are None, bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, Decimal and
Fraction, of exactly these types: an instance of a subclass, which may compare as it likes, is an
object. What arrives is JSON and can build nothing but these.
"""

import json
import os
import select
import struct
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

CLOCK_FACTOR = 10
"""A test may take this many times its processor seconds by the clock."""
DEEPEST = 100
LONGEST = 1 << 24
_LENGTH = struct.Struct("!I")

_SEQUENCES: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_TEXTS: dict[type, str] = {Decimal: "Decimal", Fraction: "Fraction", complex: "complex"}
_BUILDERS: dict[str, Callable[[Any], Any]] = {
    **{name: kind for kind, name in _SEQUENCES.items()},
    **{name: kind for kind, name in _TEXTS.items()},
    "bytes": bytes.fromhex,
    "dict": dict,
}


class Broken(Exception):
    """The other side is gone, silent, or says what is no message."""


def pack(value: Any, other: Callable[[Any], Any], depth: int = 0) -> Any:
    """Returns a value as JSON data; `other` packs what is no plain data."""
    if depth > DEEPEST:
        raise ValueError(f"values must not be nested deeper than {DEEPEST}")
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in _SEQUENCES:
        return [_SEQUENCES[kind], [pack(part, other, depth + 1) for part in value]]
    if kind is dict:
        pairs = [[pack(part, other, depth + 1) for part in pair] for pair in value.items()]
        return ["dict", [["tuple", pair] for pair in pairs]]
    if kind is bytes:
        return ["bytes", value.hex()]
    if kind in _TEXTS:
        return [_TEXTS[kind], str(value)]
    return ["other", other(value)]


def unpack(value: Any, other: Callable[[Any], Any]) -> Any:
    """Reverses `pack`.

    Raises:
        Broken: If it is not what `pack` returns.
    """
    if not isinstance(value, list):
        return value
    try:
        kind, content = value
        if kind == "other":
            return other(content)
        if isinstance(content, list):
            content = [unpack(part, other) for part in content]
        return _BUILDERS[kind](content)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise Broken(f"a value that is none: {error}") from error


def send(descriptor: int, message: Any) -> None:
    """Sends a message, JSON data."""
    body = json.dumps(message).encode()
    data = memoryview(_LENGTH.pack(len(body)) + body)
    while data:
        data = data[os.write(descriptor, data) :]


def receive(descriptor: int, patience_s: float | None = None) -> Any:
    """Receives a message.

    Raises:
        Broken: If the other side ends, waits longer than `patience_s`, or sends no message.
    """
    length = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size, patience_s))[0]
    if length > LONGEST:
        raise Broken(f"a message of {length} bytes")
    try:
        return json.loads(_exactly(descriptor, length, patience_s))
    except (RecursionError, ValueError) as error:
        raise Broken(f"no message: {error}") from error


def _exactly(descriptor: int, count: int, patience_s: float | None) -> bytes:
    parts = []
    while count:
        if patience_s is not None and not select.select([descriptor], [], [], patience_s)[0]:
            raise Broken(f"no answer within {patience_s:g} s")
        part = os.read(descriptor, min(count, 1 << 16))
        if not part:
            raise Broken("the code's process has ended")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
