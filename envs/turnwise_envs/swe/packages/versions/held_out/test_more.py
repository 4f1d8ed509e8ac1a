import pytest
from versions import (
    Conflict,
    bump,
    classify,
    newest,
    next_release,
    parse,
    parse_range,
    resolve,
)
from versions.resolving import outdated

ORDERED = "0.0.9 0.9.0 1.0.0-1 1.0.0-2 1.0.0-11 1.0.0-a 1.0.0-a.1 1.0.0-a.b 1.0.0-b 1.0.0 1.0.1"


def allowed(text, versions=ORDERED):
    found = parse_range(text)
    return [version for version in versions.split() if found.allows(parse(version))]


def test_the_order_of_labels():
    """Labels are compared part by part, numbers before words, shorter ones first."""
    found = [parse(text) for text in ORDERED.split()]
    for before, after in zip(found, found[1:]):
        assert before < after
        assert before <= after
        assert not after <= before
        assert before != after


def test_equal_versions():
    """Versions that are written differently may be equal."""
    assert parse("v1.2+x") == parse("1.2.0+y")
    assert hash(parse("1")) == hash(parse("1.0.0"))
    assert parse("1.0.0") <= parse("1.0")
    assert not parse("1.0.0") < parse("1.0")
    assert parse("0.10.0").release == (0, 10, 0)


def test_the_newest_of_all():
    """What comes before a release counts if asked for, or if there is nothing else."""
    versions = ["1.0", "1.1.0-rc.1", "0.9"]
    assert newest(versions, early=True) == "1.1.0-rc.1"
    assert newest(["1.1-a", "1.1-b"]) == "1.1.0-b"
    assert newest([]) is None


def test_single_conditions():
    """Limits belong to a range where the sign says so."""
    versions = "1.0.0 1.0.1 1.1.0 2.0.0"
    assert allowed(">1.0.1", versions) == ["1.1.0", "2.0.0"]
    assert allowed(">=1.0.1", versions) == ["1.0.1", "1.1.0", "2.0.0"]
    assert allowed("<1.0.1", versions) == ["1.0.0"]
    assert allowed("<=1.0.1", versions) == ["1.0.0", "1.0.1"]
    assert allowed("=1.1.0", versions) == allowed("1.1.0", versions) == ["1.1.0"]


def test_early_versions_in_ranges():
    """Something before a release is allowed only where the range names one of this release."""
    assert allowed(">=0.9") == ["0.9.0", "1.0.0", "1.0.1"]
    assert allowed(">=1.0.0-a.b <1.0.1") == ["1.0.0-a.b", "1.0.0-b", "1.0.0"]
    assert allowed(">=0.9.0-a") == ["0.9.0", "1.0.0", "1.0.1"]
    assert allowed("1.0.0-a") == ["1.0.0-a"]


def test_carets_of_small_versions():
    """Before version 1 a caret allows less."""
    assert allowed("^0.0.3", "0.0.2 0.0.3 0.0.4") == ["0.0.3"]
    assert allowed("^0.1", "0.0.9 0.1.0 0.1.7 0.2.0 1.0.0") == ["0.1.0", "0.1.7"]
    assert allowed("^2", "1.9.9 2.0.0 2.7.1 3.0.0") == ["2.0.0", "2.7.1"]


def test_parts_of_versions():
    """A version with parts missing, or replaced by a star, stands for all with these parts."""
    versions = "0.9.0 1.0.0 1.2.0 1.2.9 1.3.0 2.0.0"
    for text in ("1.2", "1.2.x", "1.2.*", "~1.2", "~1.2.0"):
        assert allowed(text, versions) == ["1.2.0", "1.2.9"]
    for text in ("1", "1.x", "~1", "1.*"):
        assert allowed(text, versions) == versions.split()[1:5]
    for text in ("*", "", "x", ">=0"):
        assert allowed(text, versions) == versions.split()


def test_the_best_of_a_range():
    """The best version of a range is the newest that is allowed."""
    versions = [parse(text) for text in ORDERED.split()]
    assert str(parse_range("<1.0.1").best(versions)) == "1.0.0"
    assert str(parse_range("0.0.x || 0.x").best(versions)) == "0.9.0"
    assert parse_range(">2").best(versions) is None


def test_the_release_that_was_announced():
    """After something that comes before a release the release itself is next."""
    assert bump("2.0.0-rc.1", "major") == "2.0.0"
    assert bump("2.1.0-rc.1", "major") == "3.0.0"
    assert bump("2.1.0-rc.1", "minor") == "2.1.0"
    assert bump("2.1.1-rc.1", "minor") == "2.2.0"
    assert bump("2.1.1-rc.1", "patch") == "2.1.1"
    assert bump("2.0.1-rc.1", "major") == "3.0.0"


def test_labels_are_counted():
    """The number of a label rises until there is another label or release."""
    assert bump("1.2.3", "minor", "beta") == "1.3.0-beta.1"
    assert bump("1.3.0-beta.1", "minor", "beta") == "1.3.0-beta.2"
    assert bump("1.3.0-beta.9", "minor", "rc") == "1.3.0-rc.1"
    assert bump("1.3.0-beta", "patch", "beta") == "1.3.0-beta.1"
    assert bump("1.3.0-beta.9", "major", "beta") == "2.0.0-beta.1"
    with pytest.raises(ValueError, match="kind"):
        bump("1.0", "tiny")


def test_changes_of_labels():
    """Versions may differ in their label only, or not at all."""
    assert classify("1.0.0-a", "1.0.0-b") == "label"
    assert classify("1.0.0-a", "1.0.0") == "label"
    assert classify("1.0", "1.0.0") == "nothing"
    assert classify("1.0.0", "1.0.0-a") == "back"
    assert classify("1.9.9", "2.0.0-a") == "major"


def test_messages_before_the_first_version():
    """Before version 1 nothing is broken by more than a minor change."""
    assert next_release("0.3.1", ["feat!: a"]) == "0.4.0"
    assert next_release("0.3.1", ["fix: a"]) == "0.3.2"
    assert next_release("0.3.1", ["no kind", "docs: b", "feature: c"]) == "0.3.1"
    assert next_release("1.0.0", ["docs!: a", "fix: b"]) == "2.0.0"
    assert next_release("1.0.0", []) == "1.0.0"


def test_going_back():
    """An older version is chosen where the newest does not go with the others."""
    index = {
        "a": {"1.0": {"c": "1"}, "2.0": {"c": "2"}, "10.0": {"c": "9"}},
        "b": {"1.0": {}, "1.1": {"c": "<2"}},
        "c": {"1.0": {"d": "*"}, "2.0": {}},
        "d": {"0.1": {"a": ">=1"}, "0.2-a": {}},
    }
    assert resolve(index, {"a": "*"}) == {"a": "2.0.0", "c": "2.0.0"}
    both = {"a": "1.0.0", "b": "1.1.0", "c": "1.0.0", "d": "0.1.0"}
    assert resolve(index, {"a": "<10", "b": ">1.0"}) == both
    assert resolve(index, {"c": "<2", "a": "1"}) == {"a": "1.0.0", "c": "1.0.0", "d": "0.1.0"}
    assert resolve(index, {}) == {}


def test_packages_that_do_not_exist():
    """A package that does not exist is told by its name."""
    with pytest.raises(Conflict, match="no package ghost"):
        resolve({"a": {"1.0": {"ghost": "*"}}}, {"a": "1"})
    with pytest.raises(Conflict, match="a, b"):
        resolve({"a": {"1.0": {"b": "2"}}, "b": {"1.0": {}}}, {"b": "*", "a": "*"})


def test_old_packages():
    """Packages of which there is a newer release are told, with that release."""
    index = {"a": {"1.0": {}, "1.1": {}}, "b": {"2.0": {}, "2.1-a": {}}, "c": {"1-a": {}}}
    chosen = {"c": "1.0.0-a", "b": "2.0.0", "a": "1.0.0"}
    assert outdated(index, chosen) == {"a": "1.1.0"}
