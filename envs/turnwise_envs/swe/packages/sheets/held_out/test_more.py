import pytest
from sheets import (
    SheetError,
    convert,
    distinct,
    group,
    guess,
    join,
    order_by,
    read,
    read_records,
    summary,
    where,
    write,
    write_records,
)


def test_there_and_back():
    """Whatever is written is read as the same rows."""
    rows = [["a", "b"], [" x ", '"'], ["", ""], ["1\n2", "3;4"], ["", "5"]]
    for separator in ",;\t":
        assert read(write(rows, separator), separator) == rows


def test_a_single_empty_cell():
    """A row of one empty cell is written as quotes, so that it is not taken for nothing."""
    assert write([[""], ["a"]]) == '""\na\n'
    assert write([]) == ""


def test_empty_cells():
    """Separators at the end of a line stand after one more empty cell."""
    assert read("a,,b,\n,\n") == [["a", "", "b", ""], ["", ""]]
    assert read("a,b,") == [["a", "b", ""]]
    assert read("") == []


def test_after_a_quote():
    """Behind a closed quote there is a separator or the end of the line."""
    with pytest.raises(SheetError, match="separator"):
        read('"a"b,c')
    assert read('"a"\n"b",""') == [["a"], ["b", ""]]
    assert read('x"y,z') == [['x"y', "z"]]


def test_comments_in_cells():
    """A comment begins at the beginning of a line only."""
    assert read("a,#b\n#c\n\nd", comment="#") == [["a", "#b"], ["d"]]
    assert read("#a", comment="") == [["#a"]]


def test_records_are_checked():
    """Columns of one name, and rows with too many cells, are mistakes that are told."""
    with pytest.raises(SheetError, match="one name"):
        read_records("a,a\n1,2")
    with pytest.raises(SheetError, match="row 3 has 2 cells for 1"):
        read_records("a\n1\n1,2")
    assert read_records("a,b\n") == []
    assert read_records("") == []


def test_columns_in_any_order():
    """Records are written with the columns asked for, in that order."""
    records = [{"a": "1", "b": "2", "c": "3"}, {"c": "4"}]
    assert write_records(records, ["c", "a"], ";") == "c;a\n3;1\n4;\n"


def test_values_of_cells():
    """Cells are converted to numbers, truths and texts."""
    assert [convert("7", kind) for kind in ("int", "float", "text")] == [7, 7.0, "7"]
    assert [convert(word, "bool") for word in ("TRUE", "no", "")] == [True, False, None]
    assert convert("", "text") == ""
    with pytest.raises(ValueError, match="kind"):
        convert("1", "date")


def test_guessing_of_rare_columns():
    """A column of nothing is a text, and one odd cell makes it one."""
    assert guess(["", ""]) == guess([]) == guess(["yes", "1"]) == "text"
    assert guess(["no", "", "FALSE"]) == "bool"
    assert guess(["-3", "1e3"]) == "float"


def test_summaries_of_texts():
    """Texts have a first and a last, but no mean; a column of nothing has neither."""
    assert summary(["b", "a", ""]) == {"kind": "text", "empty": 1, "min": "a", "max": "b"}
    assert summary(["", ""]) == {"kind": "text", "empty": 2}
    assert summary(["0.5", "1"])["mean"] == 0.75


def test_records_without_the_column():
    """Records that lack a value are not chosen, not counted, and sorted to the end."""
    records = [{"a": 2}, {"b": 1}, {"a": 1, "b": 2}, {"a": None, "b": 3}]
    assert where(records, b=lambda value: value > 1) == [records[2], records[3]]
    assert where(records) == records
    assert order_by(records, "a") == [records[2], records[0], records[1], records[3]]
    assert order_by(records, "-a") == [records[0], records[2], records[1], records[3]]
    assert group(records, "b", "a") == {2: 1}


def test_sorting_is_stable():
    """Records that are equal in all columns asked for keep their order."""
    records = [{"k": 1, "n": n} for n in (3, 1, 2)]
    assert order_by(records, "k") == records
    assert [record["n"] for record in order_by(records, "-k", "-n")] == [3, 2, 1]


def test_each_value_once():
    """Every value of a column is listed once, the first one first."""
    records = [{"a": 2}, {"a": 1}, {}, {"a": 2}, {"a": 0}]
    assert distinct(records, "a") == [2, 1, 0]


def test_partners():
    """A record is joined with each of its partners, and can be kept where it has none."""
    left = [{"id": 1, "x": "l"}, {"id": 2}, {"x": "m"}]
    right = [{"id": 1, "x": "r", "y": 1}, {"id": 1, "y": 2}, {"y": 3}]
    both = [{"id": 1, "x": "l", "y": 1}, {"id": 1, "x": "l", "y": 2}]
    assert join(left, right, "id") == both
    assert join(left, right, "id", keep=True) == [*both, {"id": 2}, {"x": "m"}]
    assert left[1] == {"id": 2}
