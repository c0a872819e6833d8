"""Tests of delimiters and quotation marks in CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .data_file import error_message, faults, layout, numbered, row_values

LETTERS = [("ab"[n % 2], n) for n in range(20)]


@pytest.mark.parametrize(
    ("delimiter", "data"),
    [
        (";", "Area, m2;town;Rent, EUR\n24,5;Lille;240,5\n68,0;Lyon;680,25\n"),
        (";", "Umsatz, 2024\narea;town;rent\n24,5;Lille;240,5\n68,0;Lyon;680,25\n"),
        (",", '"Area; m2; net",town\n24,Lille\n68,Lyon\n'),
        (",", "title,genres\nx,a|b|c\ny,b\nz,a|b\n"),
        (",", "text,label\na; b,1\nc; d,2\ne; f,1\n"),
        ("\t", "text\tlabel\na, b, c\t1\nd, e\t2\nf\t1\n"),
        ("|", "id|text|label\n1|a, b|x\n2|c, d|y\n"),
        (",", "a,b,c\n1,2,3\nnothing\n4,5,6\n"),
    ],
)
def test_the_delimiter_is_the_one_that_splits_most_rows_alike(
    tmp_path: Path, delimiter: str, data: str
) -> None:
    """The header and a title may contain other delimiters."""
    found = layout(tmp_path, data)
    assert found.delimiter == delimiter
    header = data.splitlines()[found.header_line - 1]
    assert found.names == tuple(name.strip('"') for name in header.split(delimiter))


def test_cells_with_the_other_delimiters_are_whole(tmp_path: Path) -> None:
    """Decimal commas are common between semicolons."""
    data = "Area, m2;town\n24,5;Lille\n68,0;Lyon\n"
    assert numbered(tmp_path, data) == [
        (2, {"Area, m2": "24,5", "town": "Lille"}),
        (3, {"Area, m2": "68,0", "town": "Lyon"}),
    ]


@pytest.mark.parametrize("first", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "\ufeffSEP=;\r\n"])
def test_a_first_line_may_give_the_delimiter(tmp_path: Path, first: str) -> None:
    """Excel writes and reads it, and the rows do not decide then."""
    data = f"{first}area,m2;town,name\n24,5;Lille,x\n68,0;Lyon,y\n"
    assert numbered(tmp_path, data) == [
        (3, {"area,m2": "24,5", "town,name": "Lille,x"}),
        (4, {"area,m2": "68,0", "town,name": "Lyon,y"}),
    ]
    found = layout(tmp_path, data)
    assert (found.delimiter, found.header_line) == (";", 2)
    assert found.notes == ("line 1 gives the delimiter",)


@pytest.mark.parametrize("delimiter", ["\t", "|", "^"])
def test_the_first_line_may_give_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    """The delimiter need not be a usual one."""
    data = f"sep={delimiter}\na{delimiter}b\n1{delimiter}2\n"
    assert row_values(tmp_path, data) == [{"a": "1", "b": "2"}]


def test_a_file_with_nothing_but_its_delimiter_is_refused(tmp_path: Path) -> None:
    """It has no names."""
    assert error_message(tmp_path, "sep=;\n") == "has no line with the columns' names"


@pytest.mark.parametrize(
    "texts",
    [
        ["hello", "bye", "see you"],
        ["hello, you", "bye", "yes, no, maybe", "well; no"],
        ["hello, you", "bye, you", "well, yes"],
        ["Doe, Jane", "Doe, John", "Roe, Jane"],
        ["one", "two | three", "#four"],
        ["hello, you"],
    ],
)
def test_a_list_of_texts_is_one_column(tmp_path: Path, texts: list[str]) -> None:
    """A comma in a text does not make it two cells."""
    data = "\n".join(["wish", *texts])
    assert [values["wish"] for values in row_values(tmp_path, data)] == texts
    found = layout(tmp_path, data)
    assert (found.names, found.delimiter, found.notes) == (("wish",), ",", ())


def test_a_text_may_name_the_only_column(tmp_path: Path) -> None:
    """Its comma is followed by a blank, as in a sentence."""
    assert row_values(tmp_path, "Your wish, please\nsilence\na view, too\n") == [
        {"Your wish, please": "silence"},
        {"Your wish, please": "a view, too"},
    ]


def test_a_comment_above_a_list_of_texts_is_left_out(tmp_path: Path) -> None:
    """Below the header, each line is a text."""
    data = "# made by hand\nwish\na view\n#1\n"
    assert numbered(tmp_path, data) == [(3, {"wish": "a view"}), (4, {"wish": "#1"})]
    assert len(layout(tmp_path, data).notes) == 1


def test_rows_that_do_not_fit_the_names_are_bad_and_not_one_column(tmp_path: Path) -> None:
    """Otherwise a file that is broken in most rows would be read as texts."""
    assert len(faults(tmp_path, "a,b\n1\n2\n3\n4,5\n")) == 3


def test_white_space_after_a_delimiter_comes_before_a_quoted_cell(tmp_path: Path) -> None:
    """The quotation marks are not part of the cell."""
    data = 'a, "b, c", d\n1, "x, y", 2\n3, "say ""z""", 4\n'
    assert numbered(tmp_path, data) == [
        (2, {"a": "1", "b, c": "x, y", "d": "2"}),
        (3, {"a": "3", "b, c": 'say "z"', "d": "4"}),
    ]


def test_a_quotation_mark_after_white_space_may_be_a_plain_character(tmp_path: Path) -> None:
    """Then it does not enclose the cell."""
    data = 'label,text\nham, "yes" he said\nspam,no way\nham,ok\n'
    assert row_values(tmp_path, data)[0] == {"label": "ham", "text": '"yes" he said'}


def german(text: str) -> str:
    """Return a table with this text in each row, between apostrophes."""
    return "label;text\n" + "".join(f"{letter};'{text} {n}'\n" for letter, n in LETTERS)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("one; two; three", "one; two; three"),
        ("er sagte: ''nein''; und ''ja''", "er sagte: 'nein'; und 'ja'"),
        ('er sagte;"nein"; "ja"; und', 'er sagte;"nein"; "ja"; und'),
        ("zwei;\nZeilen", "zwei;\nZeilen"),
    ],
)
def test_apostrophes_can_enclose_cells(tmp_path: Path, written: str, meant: str) -> None:
    """Some programs write them, with two for one that belongs to the text."""
    read = row_values(tmp_path, german(written))
    assert read == [{"label": letter, "text": f"{meant} {n}"} for letter, n in LETTERS]


def test_apostrophes_may_enclose_only_the_cells_that_need_it(tmp_path: Path) -> None:
    """Other cells are written as they are."""
    plain = "".join(f"{letter};text {n}\n" for letter, n in LETTERS)
    for written, meant in (("'x; y'", "x; y"), ("'it''s'", "it's")):
        data = f"label;text\n{plain}a;{written}\n{plain}"
        assert row_values(tmp_path, data)[20] == {"label": "a", "text": meant}


@pytest.mark.parametrize(
    "texts",
    [
        ["it's fine", "'tis good", "rock 'n' roll", "the dogs'", "'quoted' word", "'one'"],
        ["'tis x", "dogs'"],
        ["'00123", "'00124"],
        ["'cause", "'em", "'n'"],
        ["'one' more", "plain", "the dogs'"],
    ],
)
def test_apostrophes_in_texts_are_plain_characters(tmp_path: Path, texts: list[str]) -> None:
    """English has them inside of words, at their start and at their end."""
    data = "text,label\n" + "".join(f"{text},{n}\n" for n, text in enumerate(texts))
    assert [values["text"] for values in row_values(tmp_path, data)] == texts


@pytest.mark.parametrize("delimiter", ["\t", "|"])
@pytest.mark.parametrize(
    "stray", ['"Big" Ben', '"open', '5" and 6"', 'say "hi"', '"', '""x', '"a" and "b"']
)
@pytest.mark.parametrize("before", [0, 2000])
def test_a_stray_quotation_mark_between_tabs_is_a_plain_character(
    tmp_path: Path, delimiter: str, stray: str, before: int
) -> None:
    """It then is one in the whole file, wherever the first of them stands."""
    texts = [*["plain"] * before, stray, 'a 5" pipe', "plain", '"open', 'and closed"', "plain"]
    data = f"id{delimiter}text{delimiter}n\n"
    data += "".join(f"{n}{delimiter}{text}{delimiter}1\n" for n, text in enumerate(texts))
    read = numbered(tmp_path, data)
    assert [values["text"] for _, values in read] == texts
    assert [line for line, _ in read] == list(range(2, len(texts) + 2))
    (note,) = layout(tmp_path, data).notes
    assert note.startswith("quotation marks are read as plain characters, as in line ")


@pytest.mark.parametrize("delimiter", ["\t", "|"])
def test_quotation_marks_enclose_cells_between_tabs_where_all_are_right(
    tmp_path: Path, delimiter: str
) -> None:
    """Spreadsheets write cells with tabs, line ends or quotation marks so."""
    data = 'text,label\n"a,b",1\n"two\nlines",2\n"say ""x""",3\n5" pipe,4\n'
    written = data.replace(",", delimiter)
    texts = [f"a{delimiter}b", "two\nlines", 'say "x"', '5" pipe']
    assert [values["text"] for values in row_values(tmp_path, written)] == texts
    assert layout(tmp_path, written).notes == ()


def test_one_strange_cell_does_not_turn_many_right_quotation_marks_into_plain_characters(
    tmp_path: Path,
) -> None:
    """Its two lines happen to have as many pipes as a row."""
    data = 'text|label\n"a|b"|1\n"two\nlines"|2\n"x|y\nz"|3\n'
    texts = ["a|b", "two\nlines", "x|y\nz"]
    assert [values["text"] for values in row_values(tmp_path, data)] == texts


def test_a_quotation_mark_that_is_closed_many_rows_later_is_a_fault(tmp_path: Path) -> None:
    """The rows between would be one text, and nobody would miss them."""
    between = "".join(f"{n},y,{n}\n" for n in range(10))
    data = f'a,b,c\n1,"x,2\n{between}9,z",3\n4,u,5\n'
    assert faults(tmp_path, data) == [
        (2, "a quotation mark makes one row of lines 2 to 13, which look like rows; close it")
    ]
    poem = 'a,b,c\n1,"roses, red,\nviolets, blue,\nit\'s a test,\nand, so, are you",2\n'
    assert faults(tmp_path, poem) == []


TOWNS = "".join(f"{area}@{('Lille', 'Lyon', 'Nice')[area % 3]}@{area * 7}\n" for area in range(9))


@pytest.mark.parametrize("delimiter", ["^", "~", ":", " ", "  "])
def test_a_rare_delimiter_is_recognised_if_each_line_has_it_as_often(
    tmp_path: Path, delimiter: str
) -> None:
    """A table of one long column would be of no use."""
    data = f"area@town@rent\n{TOWNS}".replace("@", delimiter)
    assert row_values(tmp_path, data)[1] == {"area": "1", "town": "Lyon", "rent": "7"}
    assert layout(tmp_path, data).delimiter == delimiter[0]
    if delimiter in {"^", "~"}:
        assert row_values(tmp_path, f"a{delimiter}b\n1{delimiter}2\n") == [{"a": "1", "b": "2"}]


def test_columns_that_are_aligned_with_blanks_are_read(tmp_path: Path) -> None:
    """Blanks may stand before the first cell and after the last one."""
    lines = [f"{area:>5}  {town:<8}{area * 2:>4} \n" for area in range(8) for town in ("a", "bcd")]
    data = f"{'area':>5}  {'town':<8}{'rent':>4}\n{''.join(lines)}"
    assert row_values(tmp_path, data)[3] == {"area": "1", "town": "bcd", "rent": "2"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "area town\n" + "".join(f'"{n}" {n} "Lyon"\n' for n in range(1, 9)),
            "write it with write.csv(table, row.names = FALSE)",
        ),
        (
            "area town\n" + "".join(f"{n} Lyon\n" for n in range(1, 9)) + "9 New York\n",
            "line 1 has 2 cells between blanks, and line 10 has 3; save the table as CSV",
        ),
        (
            '"area,town"\n' + "".join(f'"{n},Lyon"\n' for n in range(1, 9)),
            "line 1 and the others are in quotation marks as a whole",
        ),
    ],
)
def test_a_table_of_one_column_that_has_others_in_it_is_refused(
    tmp_path: Path, data: str, message: str
) -> None:
    """The message says what to do."""
    assert message in error_message(tmp_path, data)


@pytest.mark.parametrize(
    "texts",
    [
        ["full name", "Ada Byron", "Alan Turing", "Grace Hopper", "Emmy Noether"],
        ["note: text", "a: 1", "b: 2", "c: 3", "d: 4"],
        ["time", "10:15", "11:15", "12:15", "13:15"],
        ["price~", "1", "2", "3", "4"],
    ],
)
def test_a_list_of_texts_is_not_split(tmp_path: Path, texts: list[str]) -> None:
    """Words do not show that they are cells."""
    assert layout(tmp_path, "\n".join(texts)).names == (texts[0],)


def test_a_backslash_before_a_quotation_mark_is_read_as_mysql_writes_it(tmp_path: Path) -> None:
    """Other backslashes stay as they are, and two of them are one."""
    lines = [r'1,"he said \"hi\", and left",\N', r'2,"a \\ b",x', r'3,"c:\new",y']
    data = "\n".join(["id,text,kind", *lines * 3]) + "\n"
    values = row_values(tmp_path, data)
    assert [values[at]["text"] for at in range(3)] == [
        'he said "hi", and left',
        r"a \ b",
        r"c:\new",
    ]
    assert values[0]["kind"] == r"\N"
    assert "backslash" in layout(tmp_path, data).notes[0]
