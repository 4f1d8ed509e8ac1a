import pytest
from versions import bump, classify, newest, next_release, parse


def test_versions_are_read():
    """A version is read with or without a letter in front, and missing numbers are 0."""
    assert str(parse("v1.2")) == "1.2.0"
    assert str(parse(" 1.2.3-beta.4+linux ")) == "1.2.3-beta.4"


def test_numbers_are_compared_as_numbers():
    """The tenth version is newer than the ninth."""
    assert parse("1.9.0") < parse("1.10.0")
    assert newest(["1.9", "1.10", "1.2"]) == "1.10.0"


def test_before_a_release():
    """What comes before a release is older than the release."""
    assert parse("1.0.0-rc.1") < parse("1.0.0")
    assert newest(["1.0.0", "1.1.0-beta"]) == "1.0.0"


def test_what_is_no_version():
    """Texts that are no versions are refused."""
    for bad in ("", "1.2.3.4", "1.x", "1.02", "1.2-", "1.2-a..b", "-1"):
        with pytest.raises(ValueError):
            parse(bad)


def test_the_next_version():
    """Raising a number sets those behind it to 0."""
    assert [bump("1.2.3", kind) for kind in ("patch", "minor", "major")] == [
        "1.2.4",
        "1.3.0",
        "2.0.0",
    ]


def test_what_changed():
    """The first number that differs tells what changed."""
    pairs = (("1.2.3", "1.3.0"), ("1.2.3", "1.2.4"), ("2.0", "1.9"))
    assert [classify(*pair) for pair in pairs] == ["minor", "patch", "back"]


def test_messages_make_versions():
    """The most important message decides about the next version."""
    assert next_release("1.2.3", ["fix: a", "feat: b", "docs: c"]) == "1.3.0"
    assert next_release("1.2.3", ["fix!: a"]) == "2.0.0"
