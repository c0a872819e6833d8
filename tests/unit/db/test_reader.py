"""Tests of data files in general: encodings, line ends, rows with too many or too few cells."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from db.errors import DataFileError
from db.files.reader import read_layout, read_rows

from .data_file import error_message, faults, layout, numbered, row_values, rows, write_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which one test after the other writes its file."""
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_is_read_with_any_delimiter_and_line_ends(
    folder: Path, delimiter: str, end: str
) -> None:
    """Spreadsheets of different countries use different ones."""
    lines = [("wish", "room"), ("a view", "big"), ("silence", "small")]
    data = end.join(map(delimiter.join, lines)) + end
    assert [(row.line, row.values) for row in rows(folder, data)] == [
        (2, {"wish": "a view", "room": "big"}),
        (3, {"wish": "silence", "room": "small"}),
    ]


@pytest.mark.parametrize("data", ["wish\na view\n", '[{"wish": "a view"}]', '{"wish": "a view"}\n'])
def test_a_byte_order_mark_is_not_part_of_a_name(folder: Path, data: str) -> None:
    """Spreadsheets write one at the start of a file."""
    assert row_values(folder, b"\xef\xbb\xbf" + data.encode()) == [{"wish": "a view"}]


def test_quoted_cells_may_contain_delimiters_quotes_and_line_ends(folder: Path) -> None:
    """Line ends inside cells count for the line numbers of later rows."""
    data = 'wish,room\n"a, b",big\n"two\nlines",big\n"say ""hello""\n\n",small\nlast,big\n'
    assert [(row.line, row.values["wish"]) for row in rows(folder, data)] == [
        (2, "a, b"),
        (3, "two\nlines"),
        (5, 'say "hello"'),
        (8, "last"),
    ]


def test_a_row_with_too_few_or_too_many_cells_is_a_fault(folder: Path) -> None:
    """The fault has the row's line, and the other rows are read."""
    source_rows = rows(folder, 'wish,room\n"a\nb",big\nalone\n\na,b,c\nlast,big\n')
    assert [(row.line, row.fault) for row in source_rows] == [
        (2, ""),
        (4, "has 1 cell, the header has 2: alone"),
        (6, "has 3 cells, the header has 2: a, b, c"),
        (7, ""),
    ]


def test_an_empty_cell_is_a_missing_value(folder: Path) -> None:
    """The default of the field can then be used."""
    assert row_values(folder, 'wish,room,age\na view,,\n"  ",big,3\n') == [
        {"wish": "a view"},
        {"room": "big", "age": "3"},
    ]


def test_cells_lose_the_white_space_around_them_and_keep_the_rest(folder: Path) -> None:
    """White space inside a text may have a meaning."""
    assert row_values(folder, "wish , room\n a  view ,\tbig\n") == [
        {"wish": "a  view", "room": "big"}
    ]


def test_rows_without_any_value_are_blank_lines(folder: Path) -> None:
    """Spreadsheets write such rows below a table, and they would be counted as records."""
    data = "wish,room\na view,big\n,\n , \n\nsilence,small\n,\n"
    assert [line for line, _ in numbered(folder, data)] == [2, 6]


def test_a_row_may_have_more_or_fewer_empty_cells_at_its_end(folder: Path) -> None:
    """Spreadsheets write them, and only a filled cell can be a mistake."""
    data = "wish,room,,\na,big\nb,small,,,,,\nc,big,,\nd\n"
    assert [row.values for row in rows(folder, data)] == [
        {"wish": "a", "room": "big"},
        {"wish": "b", "room": "small"},
        {"wish": "c", "room": "big"},
        {},
    ]
    assert faults(folder, data) == [(5, "has 1 cell, the header has 2: d")]
    surplus = "wish,room\na,big\nb,small,,x\n"
    assert faults(folder, surplus) == [(3, "has 4 cells, the header has 2: b, small, , x")]


def test_a_line_below_the_rows_is_a_fault_that_says_what_stands_there(folder: Path) -> None:
    """The user sees at once that it is no row."""
    data = "area,town,rent\n24,Lille,240\n68,Lyon,680\n\nSource: the office, \x1b[1m2024\n"
    assert faults(folder, data) == [
        (5, "has 2 cells, the header has 3: Source: the office, ?[1m2024"),
    ]
    long = f"a,b\n1,2\n3,4\n{'x' * 500_000}\n"
    assert faults(folder, long) == [(4, f"has 1 cell, the header has 2: {'x' * 59}…")]


def test_a_line_that_repeats_the_header_is_a_fault(folder: Path) -> None:
    """Such files were put together from several; a word would turn a column of numbers to text."""
    data = "area,rent\n24,240\narea,rent\n68,680\n"
    assert faults(folder, data) == [(3, "repeats the columns' names; delete the line")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('wish\n"a view\nb\n', "line 2: a quotation mark is opened and never closed"),
        ('wish,room\n"a"b,c\n', 'where a text contains one: "a"b,c'),
        ('wish,room\n"a"b,c\n', "line 2: is not CSV: text follows the quotation mark that closes"),
        ('"wi"sh,room\na,b\nc,d\n', "line 1: is not CSV: a quotation mark is opened"),
    ],
)
def test_csv_with_a_stray_quote_is_refused_with_its_line(
    folder: Path, data: str, words: str
) -> None:
    """Otherwise all text after the quote would be read as one cell."""
    assert words in error_message(folder, data)


def test_a_header_alone_has_no_rows(folder: Path) -> None:
    """Nothing to import is not an error."""
    assert rows(folder, "wish,room\n") == []


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(folder: Path, data: bytes) -> None:
    """The export that wrote it has probably failed."""
    assert error_message(folder, data) == "is empty"


@pytest.mark.parametrize(
    "text",
    ["wish\nl'été\n", "été\na view\n", '{"wish": "l\'été"}\n', '[{"wish": "l\'été"}]', "é,b\n"],
)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_refused_with_the_fix(
    folder: Path, text: str, encoding: str
) -> None:
    """Reading it in the wrong encoding would change the inputs."""
    message = error_message(folder, text.encode(encoding))
    assert ("is not UTF-8" if encoding == "latin-1" else "is UTF-16") in message
    assert "iconv" in message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04\xff", "is damaged"),
        (b"\x1f\x8b\x08\xff", "is damaged"),
        (b"\x89PNG\r\n\0\0", "is not a text file"),
    ],
)
def test_a_file_that_is_not_text_is_refused_by_its_type(
    folder: Path, data: bytes, words: str
) -> None:
    """Another encoding would not make it readable."""
    assert words in error_message(folder, data)


def test_an_unclosed_quotation_mark_is_reported_where_it_opens(folder: Path) -> None:
    """The end of the file would not show where the mistake is."""
    message = error_message(folder, 'wish,room\na,b\n"c,d\n' + "e,f\n" * 50)
    assert message.startswith("line 3: a quotation mark")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A folder is refused as well."""
    with pytest.raises(DataFileError, match=r"none\.csv: No such file"):
        list(read_rows(tmp_path / "none.csv"))
    with pytest.raises(DataFileError, match="Is a directory"):
        list(read_rows(tmp_path))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_line_that_is_not_utf_8_is_found_with_any_line_ends(folder: Path, end: str) -> None:
    """The file is read in parts, and a line end of two characters may be split between them."""
    text = ("a,b" + end + ("é,1" + end) * 30_000).encode() + b"\xe9,1" + end.encode()
    assert error_message(folder, text).startswith("line 30002: is not UTF-8")


def test_bytes_that_are_not_utf_8_are_no_stray_quotation_mark(folder: Path) -> None:
    """A file with tabs is read to its end before the first row, for its quotation marks."""
    data = b"a\tb\n" + b"1\t2\n" * 30_000 + b"\xe9\t1\n"
    assert error_message(folder, data).startswith("line 30002: is not UTF-8")


@pytest.mark.parametrize("lines", [400, 600, 2000])
def test_a_text_may_be_longer_than_the_lines_that_decide_the_layout(
    folder: Path, lines: int
) -> None:
    """The reader looks at the first lines of a file, which may end inside of a text."""
    text = "a line, or two\n" * lines + "end"
    data = f'label,text\nham,"{text}"\nspam,"short, too"\n'
    assert numbered(folder, data) == [
        (2, {"label": "ham", "text": text}),
        (3 + lines, {"label": "spam", "text": "short, too"}),
    ]


def test_utf_16_without_a_mark_is_refused(folder: Path) -> None:
    """All its bytes may be valid UTF-8, but half of them are zero."""
    message = error_message(folder, "wish,room\na,b\n".encode("utf-16-le"))
    assert message == "has zero bytes, as UTF-16 has; save the table as CSV UTF-8"


def test_a_long_file_is_read_in_little_memory(folder: Path) -> None:
    """The rows of a file can be many more than fit in memory."""
    path = write_data(folder, "wish\troom\n" + "a view\tbig\n" * 100_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) == 100_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", ["wish,room\na,b\n", '[{"wish": "a"}]', '{"wish": "a"}\n'])
def test_the_layout_tells_the_delimiter_and_the_names_of_csv(folder: Path, data: str) -> None:
    """JSON has neither."""
    found = layout(folder, data)
    expected = (",", ("wish", "room"), 1) if data.startswith("wish") else ("", (), 0)
    assert (found.delimiter, found.names, found.header_line) == expected
    assert found.notes == ()


def test_the_layout_of_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """The same errors as for the rows are raised."""
    with pytest.raises(DataFileError, match=r"none\.csv: No such file"):
        read_layout(tmp_path / "none.csv")
    with pytest.raises(DataFileError, match="is empty"):
        read_layout(write_data(tmp_path, " \n"))
