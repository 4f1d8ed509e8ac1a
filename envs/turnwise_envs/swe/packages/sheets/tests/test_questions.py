from sheets import convert, group, guess, join, order_by, summary, where

PETS = [
    {"name": "rex", "kind": "dog", "age": 7},
    {"name": "tom", "kind": "cat", "age": 3},
    {"name": "ada", "kind": "dog", "age": 3},
]


def test_some_records():
    """Records can be chosen by a value, and by a function."""
    assert where(PETS, kind="dog", age=3) == [PETS[2]]
    assert where(PETS, age=lambda age: age > 5) == [PETS[0]]


def test_order():
    """Records are sorted by several columns, up or down."""
    names = [record["name"] for record in order_by(PETS, "-age", "name")]
    assert names == ["rex", "ada", "tom"]


def test_groups():
    """Values are added up for each group."""
    assert group(PETS, "kind", "age") == {"dog": 10, "cat": 3}
    assert group(PETS, "kind", "age", lambda ages: max(ages)) == {"dog": 7, "cat": 3}


def test_joining():
    """Joined records have the columns of both."""
    sounds = [{"kind": "dog", "says": "woof"}]
    assert join(PETS[1:], sounds, "kind") == [{**PETS[2], "says": "woof"}]


def test_kinds():
    """The kind of a column is the narrowest that fits all its cells."""
    assert [guess(cells) for cells in (["1", ""], ["1", "2.5"], ["Yes"], ["1", "a"])] == [
        "int",
        "float",
        "bool",
        "text",
    ]
    assert convert("", "int") is None


def test_summaries():
    """A column of numbers has a smallest, a largest and a mean value."""
    assert summary(["4", "", "1"]) == {"kind": "int", "empty": 1, "min": 1, "max": 4, "mean": 2.5}
