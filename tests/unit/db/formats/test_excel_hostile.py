"""Tests that a hostile or damaged workbook is refused in one line, in bounded time and memory."""

from __future__ import annotations

import io
import random
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from db.errors import DataFileError
from db.files.formats import excel_archive
from db.files.reader import open_source

from .limited import read_limited
from .workbook import (
    PARTS,
    SHEET,
    TABLE,
    message_of,
    read,
    sheet_xml,
    texts_xml,
    write_parts,
    write_rows,
)

TEXTS = "xl/sharedStrings.xml"
BOOK = "xl/workbook.xml"
ENTITIES = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
EXTERNAL = '<!DOCTYPE a [<!ENTITY i SYSTEM "file:///etc/passwd">]>'
CELL = '<row r="9"><c r="A9" t="inlineStr"><is><t>&i;</t></is></c></row>'
MANY = 400_000
# Too varied to be refused for how small it is when compressed.
VARIED = "".join(f'<a b="{n * 7919 % 99991}"/>' for n in range(MANY))

HOSTILE: dict[str, tuple[dict[str, str], str]] = {
    "entities that grow": ({SHEET: ENTITIES + sheet_xml(TABLE + CELL)}, "row 0 has XML that"),
    "an entity that reads a file": ({SHEET: EXTERNAL + sheet_xml(TABLE + CELL)}, "row 0 has XML"),
    "entities in shared texts": (
        {TEXTS: ENTITIES + texts_xml("<si><t>&i;</t></si>")},
        "text 0 has",
    ),
    "entities in the book": ({BOOK: ENTITIES + PARTS[BOOK]}, "has a document type"),
    "a row that never ends": (
        {SHEET: sheet_xml(TABLE + f'<row r="3">{"<c/>" * 9 * MANY}</row>')},
        "has a row or text of more than",
    ),
    "many cells in a row": (
        {SHEET: sheet_xml(TABLE + f'<row r="3">{"<c/>" * MANY}</row>')},
        "row 3 has more than 200,000 tags",
    ),
    "rows hidden in comments": (
        {SHEET: sheet_xml(TABLE + '<row r="3">' + "<c/><!--<row -->" * MANY)},
        "row 3 has XML that",
    ),
    "a row before the rows": (
        {SHEET: sheet_xml(before="<cols>" + VARIED)},
        "has a row or",
    ),
    "many tags in the book": (
        {BOOK: PARTS[BOOK] + "<a/>" * 2 * MANY},
        "has more than 400,000 tags",
    ),
    "a long number format": (
        {"xl/styles.xml": f'<a formatCode="{"[" * 300}"/>'},
        "a number format of more than 255",
    ),
}


@pytest.mark.parametrize(("parts", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_part_is_refused_before_it_is_understood(
    tmp_path: Path, parts: dict[str, str], reason: str
) -> None:
    """Each of them took gigabytes or minutes without a bound."""
    assert reason in read_limited(write_parts(tmp_path / "t.xlsx", parts))


def test_a_part_that_grows_too_much_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    """Nothing is unpacked."""
    path = write_parts(tmp_path / "t.xlsx", {SHEET: sheet_xml(TABLE + " " * (64 << 20))})
    assert "times its size when it is unpacked" in read_limited(path)


def test_a_part_that_is_larger_than_it_declares_is_refused(tmp_path: Path) -> None:
    """The declared size is what is unpacked, and its sum is wrong then."""
    path = write_parts(tmp_path / "t.xlsx", {SHEET: sheet_xml(TABLE + " " * (64 << 20))})
    path.write_bytes(
        path.read_bytes().replace(struct.pack("<I", _size_of(path, SHEET)), b"\0\1\0\0")
    )
    assert "Bad CRC-32" in read_limited(path)


def _size_of(path: Path, part: str) -> int:
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(part).file_size


def test_one_cell_in_a_sheet_that_declares_all_of_them_is_quick(tmp_path: Path) -> None:
    """Neither the declared size nor a row at the end makes rows."""
    last = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    parts = {SHEET: sheet_xml(TABLE + last, before='<dimension ref="A1:XFD1048576"/>')}
    found = read(write_parts(tmp_path / "t.xlsx", parts))[1]
    assert [row.line for row in found] == [2, 1048576]
    assert found[1].values == {"column_16384": 1}


def test_what_follows_the_rows_is_not_read(tmp_path: Path) -> None:
    """Pictures, links and formats of cells stand there."""
    after = "<hyperlinks>" + VARIED + "<broken"
    path = write_parts(tmp_path / "t.xlsx", {SHEET: sheet_xml(after=after)})
    assert read_limited(path) == "1 rows"


def test_rows_of_another_kind_do_not_lead_past_the_rows(tmp_path: Path) -> None:
    """They are counted, but they are none of the sheet's rows."""
    rows = TABLE + '<z:row xmlns:z="other"/>'
    path = write_parts(tmp_path / "t.xlsx", {SHEET: sheet_xml(rows, after="<a/>" * MANY)})
    with pytest.raises(DataFileError, match="its sheet ends within a row"):
        read(path)


def test_links_macros_and_pictures_are_not_opened(tmp_path: Path) -> None:
    """They may be anything."""
    names = ("xl/externalLinks/externalLink1.xml", "xl/vbaProject.bin", "docProps/core.xml")
    parts = dict.fromkeys(
        (*names, "xl/media/a.png", "xl/pivotCache/pivotCacheDefinition1.xml"), "?"
    )
    parts[BOOK] = PARTS[BOOK].replace(
        "</workbook>",
        '<externalReferences><externalReference r:id="rId9"/></externalReferences></workbook>',
    )
    assert len(read(write_parts(tmp_path / "t.xlsx", parts))[1]) == 1


def test_texts_that_many_cells_share_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file can have far more text than its size."""
    texts = {TEXTS: texts_xml(f"<si><t>{'x' * 30_000}</t></si>")}
    cells = '<c t="s"><v>0</v></c>' * 40
    path = tmp_path / "t.xlsx"
    write_parts(path, texts | {SHEET: sheet_xml(TABLE + f"<row>{cells}</row>")})
    with pytest.raises(DataFileError, match="row 3 has more than 1,000,000 characters"):
        read(path)
    monkeypatch.setattr("db.files.formats.excel_sheet.MAX_SHEET_CHARACTERS", 100_000)
    write_parts(path, texts | {SHEET: sheet_xml(TABLE + f"<row>{cells[:42]}</row>" * 3)})
    with pytest.raises(DataFileError, match="has more than 100,000 characters"):
        read(path)


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ("MAX_ROWS", "its sheet has more than 2 rows"),
        ("MAX_TEXTS", "has more than 2 different texts"),
        ("MAX_PART_BYTES", "MiB, more than 0"),
    ],
)
def test_rows_texts_and_parts_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, reason: str
) -> None:
    """Excel itself has no more rows than the bound."""
    rows = TABLE + '<row r="3"><c t="s"><v>2</v></c></row>' * 2
    parts = {TEXTS: texts_xml("<si><t>x</t></si>" * 3), SHEET: sheet_xml(rows)}
    path = write_parts(tmp_path / "t.xlsx", parts)
    assert len(read(path)[1]) == 3
    monkeypatch.setattr(excel_archive, bound, 2)
    with pytest.raises(DataFileError, match=reason):
        read(path)


def test_an_archive_of_very_many_files_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    """Its list of files alone would take gigabytes."""
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"xl/{number:0100}", "")
    assert read_limited(path, 400 << 20).startswith("is an archive of too many files")


OTHERS: dict[str, tuple[bytes | dict[str, str], str]] = {
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0\xff" * 600,
        "of an old format; open it and save",
    ),
    "password": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + b"\0\xff" * 9000
        + "EncryptedPackage".encode("utf-16-le"),
        "has a password; open it and save it without one",
    ),
    "xlsb": ({"xl/workbook.bin": "", "xl/a.bin": ""}, "binary format (.xlsb); save it as .xlsx"),
    "ods": ({"mimetype": "", "content.xml": ""}, "LibreOffice; save the table as .xlsx or CSV"),
    "docx": ({"word/document.xml": "", "a": ""}, "is a Word document"),
    "numbers": ({"Index/Document.iwa": "", "a": ""}, "Apple's Numbers or Pages; export it as"),
}


@pytest.mark.parametrize(("content", "reason"), OTHERS.values(), ids=OTHERS)
def test_other_spreadsheets_are_refused_with_what_to_do(
    tmp_path: Path, content: bytes | dict[str, str], reason: str
) -> None:
    """Whatever the file's name."""
    path = tmp_path / "t.xlsx"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
    with pytest.raises(DataFileError) as caught:
        read(path)
    assert reason in str(caught.value)


def test_a_workbook_in_an_archive_is_refused(tmp_path: Path) -> None:
    """It says to unpack it."""
    inner = write_parts(tmp_path / "inner.xlsx", {})
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(inner, "table.xlsx")
    with pytest.raises(DataFileError, match="has an archive or a workbook in it; unpack it first"):
        read(tmp_path / "t.zip")


def _damages(content: bytes) -> list[bytes]:
    """Return the content cut off, and with random bytes changed."""
    rng = random.Random(1)
    damaged = [content[: len(content) * part // 8] for part in range(1, 8)]
    for _ in range(80):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 3, 20))):
            changed[rng.randrange(4, len(changed))] = rng.randrange(256)
        damaged.append(bytes(changed))
    return damaged


def test_a_damaged_workbook_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """Whatever is damaged in it."""
    path = write_rows(tmp_path / "t.xlsx", [["a", "b"], [1, "x"], [2.5, None]])
    refused = 0
    for content in _damages(path.read_bytes()):
        path.write_bytes(content)
        message = message_of(path)
        refused += bool(message)
        assert "\n" not in message
        assert message.startswith(f"{path}: " if message else "")
    assert refused > 20


PARTS_TO_DAMAGE = [*PARTS, SHEET]


@pytest.mark.parametrize("part", PARTS_TO_DAMAGE)
@pytest.mark.parametrize(
    "damage", [lambda _: "", lambda text: text[: len(text) // 2], lambda _: "<a/>"]
)
def test_a_part_that_is_missing_or_cut_off_is_refused(
    tmp_path: Path, part: str, damage: Callable[[str], str]
) -> None:
    """The archive itself is sound, so only the part's XML is wrong."""
    path = tmp_path / "t.xlsx"
    content = sheet_xml() if part == SHEET else PARTS[part]
    write_parts(path, {part: damage(content)})
    message = message_of(path)
    assert "\n" not in message
    # Some damage does no harm.
    assert message or [row.values for row in read(path)[1]] == [{"area": 32, "rent": 746}]


@pytest.mark.parametrize("package", ["openpyxl", "defusedxml", "pyarrow"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """The web image does not have these packages."""
    path = tmp_path / "t"
    path.write_bytes(b"PAR1")
    if package != "pyarrow":
        write_parts(path, {})
    for name in [
        each for each in sys.modules if each.startswith(("openpyxl", "pyarrow", "defusedxml"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("excel_reader", "excel_sheet", "parquet_reader", "parquet_values"):
        monkeypatch.delitem(sys.modules, f"db.files.formats.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataFileError) as caught, open_source(path):
        pass
    kind = "Parquet" if package == "pyarrow" else "Excel"
    assert str(caught.value) == (
        f"{path}: is {kind}; to read it run: pip install -r requirements-sources.txt"
    )


def test_a_file_that_only_starts_like_an_archive_is_refused(tmp_path: Path) -> None:
    """As a damaged one."""
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"PK\x03\x04" + io.BytesIO(bytes(range(200))).read())
    with pytest.raises(DataFileError, match="is damaged and cannot be unpacked"):
        read(path)
