import pytest
from versions import Conflict, parse, parse_range, resolve


def allowed(text, versions):
    found = parse_range(text)
    return [version for version in versions.split() if found.allows(parse(version))]


def test_conditions():
    """All conditions of a range must hold."""
    assert allowed(">=1.2 <2", "1.1.9 1.2.0 1.9.9 2.0.0") == ["1.2.0", "1.9.9"]


def test_compatible_versions():
    """A caret allows what does not change the first number that is not 0."""
    assert allowed("^1.2.3", "1.2.2 1.2.3 1.9.0 2.0.0") == ["1.2.3", "1.9.0"]
    assert allowed("^0.2.3", "0.2.3 0.2.9 0.3.0") == ["0.2.3", "0.2.9"]


def test_nearly_equal_versions():
    """A tilde allows other patches."""
    assert allowed("~1.2.3", "1.2.2 1.2.9 1.3.0") == ["1.2.9"]


def test_alternatives():
    """One of several alternatives is enough."""
    assert allowed("1.x || >=3", "1.0.0 1.9.0 2.0.0 3.0.0") == ["1.0.0", "1.9.0", "3.0.0"]


def test_versions_that_go_together():
    """The newest versions that fit each other are chosen."""
    index = {
        "app": {"1.0": {"lib": "^1"}, "2.0": {"lib": "^2"}},
        "lib": {"1.0": {}, "1.5": {}, "2.0": {}},
    }
    assert resolve(index, {"app": "*"}) == {"app": "2.0.0", "lib": "2.0.0"}
    assert resolve(index, {"app": "*", "lib": "<2"}) == {"app": "1.0.0", "lib": "1.5.0"}


def test_conflicts():
    """Where no versions fit each other there is a conflict."""
    index = {"app": {"1.0": {"lib": "^2"}}, "lib": {"1.0": {}}}
    with pytest.raises(Conflict, match="app"):
        resolve(index, {"app": "*"})
