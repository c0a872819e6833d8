"""Write small workbooks for the tests of the Excel reader, by openpyxl or part by part."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from db.errors import DataFileError
from db.files.reader import Layout, SourceRow, open_source

SHEET = "xl/worksheets/sheet1.xml"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
TABLE = (
    '<row r="1"><c r="A1" t="inlineStr"><is><t>area</t></is></c>'
    '<c r="B1" t="inlineStr"><is><t>rent</t></is></c></row>'
    '<row r="2"><c r="A2"><v>32</v></c><c r="B2"><v>746</v></c></row>'
)
PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/{SHEET}" ContentType="{_TYPES}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPES}.sharedStrings+xml"/>'
        "</Types>"
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>'
        '<sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{_LINKS}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>"
    ),
    "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}"/>',
}


def sheet_xml(rows: str = TABLE, before: str = "", after: str = "") -> str:
    """Return the XML of a sheet with these rows."""
    return f'<worksheet xmlns="{_MAIN}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>'


def texts_xml(texts: str) -> str:
    """Return the XML of the texts that cells share."""
    return f'<sst xmlns="{_MAIN}">{texts}</sst>'


def write_parts(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    """Write a workbook with these parts in place of the usual ones."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ({SHEET: sheet_xml()} | PARTS | dict(parts)).items():
            archive.writestr(name, content)
    return path


def write_rows(path: Path, rows: Iterable[Iterable[Any]]) -> Path:
    """Write a workbook of one sheet with these rows."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    book.save(path)
    return path


def read(path: Path) -> tuple[Layout, list[SourceRow]]:
    """Return how a file is read, and its rows."""
    with open_source(path) as source:
        return source.layout(), list(source.rows())


def values_of(path: Path) -> list[dict[str, object]]:
    """Return the values of the rows of a file that has no bad row."""
    rows = read(path)[1]
    assert [row.fault for row in rows if row.fault] == []
    return [row.values for row in rows]


def message_of(path: Path) -> str:
    """Return the error about a file, "" if it can be read."""
    try:
        read(path)
    except DataFileError as error:
        return str(error)
    return ""
