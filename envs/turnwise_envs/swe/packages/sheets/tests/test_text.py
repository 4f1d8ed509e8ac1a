import pytest
from sheets import SheetError, read, read_records, write, write_records


def test_rows():
    """A line is a row, and blanks around a cell do not belong to it."""
    assert read("a, b\n1,2\n") == [["a", "b"], ["1", "2"]]


def test_quotes():
    """Within quotes separators, line breaks and doubled quotes belong to the cell."""
    assert read('"a,b","say ""hi""","x\ny"') == [["a,b", 'say "hi"', "x\ny"]]


def test_quotes_are_closed():
    """A quote that is not closed is a mistake."""
    with pytest.raises(SheetError, match="not closed"):
        read('a,"b')


def test_comments():
    """Empty lines and comments are no rows."""
    assert read("# first\na\n\n# last", comment="#") == [["a"]]


def test_records():
    """The first row names the cells of the others, and rows may be short."""
    assert read_records("name;age\nann;7\nbob", separator=";") == [
        {"name": "ann", "age": "7"},
        {"name": "bob", "age": ""},
    ]


def test_writing():
    """Cells with separators or quotes are written within quotes."""
    assert write([["a,b", 'c"d', "e"]]) == '"a,b","c""d",e\n'


def test_writing_records():
    """Records are written with the names of all their columns."""
    assert write_records([{"a": "1"}, {"b": "2"}]) == "a,b\n1,\n,2\n"
