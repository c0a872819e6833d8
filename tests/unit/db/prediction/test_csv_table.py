"""CSV tables keep their own text when cells are added to their rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from db.files.prediction.row_answer import RowAnswer
from db.files.prediction.tables.csv_table import CsvFile

ANSWER = RowAnswer('a, "b"; c\td|\'', (0.5,), "student", "m@1", "")
ADDED = ("prediction", "probability", "source", "model", "error")


def predicted(text: str, answer: RowAnswer = ANSWER, decimal: str = ".") -> str:
    """Return the text of a table with the same answer in each row."""
    file = CsvFile(io.StringIO(text, newline=""), decimal)
    parts = [file.head(ADDED)]
    for block in file.blocks():
        rows = list(file.shape.rows(block))
        answers = [None if row.fault is None else answer for row in rows]
        parts.append(file.shape.write(rows, answers))
    return "".join(parts)


def cells_of(text: str, delimiter: str = ",") -> list[list[str]]:
    """Return the cells of each line of CSV."""
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


NAMES = st.sampled_from(["", "name", "name", "price", "größe", 'a"b', "two\nlines", " spaced "])
# The last of them would make another encoding or another line of a cell.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], str, str]:
    """Return rows with their header, the delimiter, and the line end."""
    delimiter = draw(st.sampled_from(",;\t|"))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    # Two plain names, so that the first line is surely the header.
    header = ["first", *draw(st.lists(NAMES, max_size=4)), "last"]
    row = st.lists(CELLS, min_size=len(header), max_size=len(header))
    return [header, *draw(st.lists(row, max_size=12))], delimiter, end


def written(rows: Sequence[Sequence[str]], delimiter: str, end: str) -> str:
    """Return rows as CSV, each cell in quotation marks."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()


@given(tables())
@example(([["first", "last"], ["", ""], ["#", ""], ["first", "last"]], ",", "\n"))
@example(([["first", "a", "a", "", "last"], ["1", "x\ny", '"', " ", ";"]], ";", "\r\n"))
def test_the_output_without_the_added_cells_is_the_table(
    table: tuple[list[list[str]], str, str],
) -> None:
    """Whatever is in the cells: each is as it was, and each row has its answer after them."""
    rows, delimiter, end = table
    text = written(rows, delimiter, end)
    try:
        out = predicted(text)
    except ValueError:
        # An import refuses the table, too.
        reject()
    found = cells_of(out, delimiter)
    width = len(rows[0])
    assert [row[:width] for row in found] == rows
    assert found[0][width:] == list(ADDED)
    assert all(row[width:] == [str(cell or "") for cell in ANSWER.cells()] for row in found[1:])
    # Even the text is the same: quotation marks that are not needed, and line ends.
    for line in text.removesuffix(end).split(end):
        assert line in out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\r\n1,2\r\n", "a,b,{head}\r\n1,2,{row}\r\n"),
        # The last line has no end, and gets none.
        ("a,b\n1,2", "a,b,{head}\n1,2,{row}"),
        # Line ends of old computers, and mixed ones.
        ("a,b\r1,2\r3,4\n", "a,b,{head}\r1,2,{row}\r3,4,{row}\n"),
        # Quotation marks, blanks and zeros that no value needs.
        ('"a",b\n"1", 02\n', '"a",b,{head}\n"1", 02,{row}\n'),
        ("a,b\n  1 , 2  \n", "a,b,{head}\n  1 , 2  ,{row}\n"),
        # Blank lines, comments and titles are no rows.
        ("Sales,\n\na,b\n1,2\n\n3,4\n", "Sales,\n\na,b,{head}\n1,2,{row}\n\n3,4,{row}\n"),
        ("# note\na,b\n1,2\n# more\n3,4\n", "# note\na,b,{head}\n1,2,{row}\n# more\n3,4,{row}\n"),
        # A row of empty cells is a row.
        ("a,b\n1,2\n,\n", "a,b,{head}\n1,2,{row}\n,,{row}\n"),
        # Short rows are filled up, and long ones keep the rest after the answer.
        ("a,b,c\n1,2,3\n1\n", "a,b,c,{head}\n1,2,3,{row}\n1,,,{row}\n"),
        ("a,b\n1,2\n1,2,3\n", "a,b,{head}\n1,2,{row}\n1,2,{row},3\n"),
    ],
)
def test_lines_keep_their_text(text: str, expected: str) -> None:
    """Only cells are added."""
    row = '"a, ""b""; c\td|\'",0.5,student,m@1,'
    assert predicted(text) == expected.format(head=",".join(ADDED), row=row)


def test_the_delimiter_line_of_spreadsheets_is_kept() -> None:
    """The decimal mark of added numbers is that of the dataset's files."""
    answer = RowAnswer(1234.5, (1000.25, None), "teacher", "m@1", "")
    out = predicted("sep=;\r\na;b\r\n1,5;2\r\n", answer, ",")
    assert out.splitlines() == [
        "sep=;",
        "a;b;prediction;probability;source;model;error",
        "1,5;2;1234,5;1000,25;;teacher;m@1;",
    ]


def test_a_list_of_texts_becomes_a_table_whose_texts_keep_their_commas() -> None:
    """A file of one column has no delimiter, so texts with a comma need quotation marks now."""
    rows = cells_of(predicted('sentence\nhello, you\n"quoted, text"\nplain\n'))
    assert [row[0] for row in rows] == ["sentence", "hello, you", "quoted, text", "plain"]
    assert {len(row) for row in rows} == {6}


def test_cells_without_quotation_marks_stay_without_them() -> None:
    """A tab in an error would begin another cell."""
    answer = RowAnswer(None, (None,), "", "", 'b: is "x\ty"')
    out = predicted('a\tb\n1\t"open\n2\tx\n', answer)
    assert out.splitlines()[1:] == [
        '1\t"open\t\t\t\t\tb: is "x y"',
        '2\tx\t\t\t\t\tb: is "x y"',
    ]


def test_blocks_are_the_whole_table_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row with line ends is never cut, and lines are numbered as in the file."""
    monkeypatch.setattr("db.files.prediction.tables.csv_table.BLOCK_CHARACTERS", 7)
    text = "a,b\r\n" + "".join(f'{n},"x\r\n""{n}"\r\n{n},plain\r\n' for n in range(50))
    file = CsvFile(io.StringIO(text, newline=""))
    blocks = list(file.blocks())
    assert len(blocks) > 40
    assert "a,b\r\n" + "".join(block.text for block in blocks) == text
    rows = [row for block in blocks for row in file.shape.rows(block)]
    assert [row.cells for row in rows] == cells_of(text)[1:]
    assert [row.line for row in rows] == [
        line for n in range(50) for line in (2 + 3 * n, 4 + 3 * n)
    ]
    assert sum(block.rows for block in blocks) == 100


def test_a_quotation_mark_that_is_never_closed_is_refused() -> None:
    """The blocks are read before anything is written."""
    file = CsvFile(io.StringIO("a,b\n" + "1,2\n" * 1000 + '3,"x\n', newline=""))
    with pytest.raises(ValueError, match="line 1002: a quotation mark is opened and never closed"):
        list(file.blocks())
