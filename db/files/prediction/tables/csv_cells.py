"""Write cells beside the text of a CSV row, which stays as it is."""

from __future__ import annotations

from dataclasses import dataclass

from db.files.csv_layout.dialect import NO_DELIMITER, Dialect
from db.files.csv_layout.rare_delimiter import BLANK


@dataclass(frozen=True)
class CellWriter:
    """Writes cells as a file's dialect has them; `decimal` is the decimal mark of numbers."""

    dialect: Dialect
    decimal: str

    @property
    def delimiter(self) -> str:
        """The delimiter; a table of one column without any gets a comma."""
        delimiter = self.dialect.delimiter
        return "," if delimiter == NO_DELIMITER else delimiter

    def joined(self, values: tuple[str | float | None, ...]) -> str:
        """Return values as cells, with a delimiter between them."""
        delimiter = self.delimiter
        if self.decimal == "." and delimiter != BLANK:
            # Most files: a third of the time of the general way.
            return delimiter.join(
                [
                    ""
                    if value is None
                    else repr(value)
                    if isinstance(value, float)
                    else self.text(value)
                    for value in values
                ]
            )
        return delimiter.join([self.cell(value) for value in values])

    def cell(self, value: str | float | None) -> str:
        """Return a value as a cell."""
        if value is None:
            # Blanks that follow each other are one delimiter.
            return self.dialect.quote * 2 if self.delimiter == BLANK else ""
        if isinstance(value, str):
            return self.text(value)
        number = repr(value)
        return number if self.decimal == "." else self.text(number.replace(".", self.decimal))

    def text(self, text: str) -> str:
        """Return a text as a cell, in quotation marks if it needs them.

        Where cells have none, a delimiter or a line end in the text becomes a blank.
        """
        delimiter, quote = self.delimiter, self.dialect.quote
        if not quote:
            plain = text.replace(delimiter, " ")
            return plain.replace("\r", " ").replace("\n", " ")
        if self.dialect.has_escapes:
            text = text.replace("\\", "\\\\")
        if not text and delimiter == BLANK:
            return quote * 2
        needs = delimiter in text or quote in text or "\n" in text or "\r" in text
        needs = needs or (self.dialect.skips_space and text.startswith(" "))
        return f"{quote}{text.replace(quote, quote * 2)}{quote}" if needs else text

    def can_write(self, text: str) -> bool:
        """Return whether a cell can have this text as it is."""
        return bool(self.dialect.quote) or self.text(text) == text

    def row(self, text: str, cells: list[str], width: int, added: str) -> str:
        """Return a row's text without its line end, with cells added after `width` of its own.

        A short row gets empty cells before them. A row with more cells keeps the rest after them.
        """
        if self.dialect.delimiter == NO_DELIMITER:
            text = self._only_cell(text, cells)
        elif len(cells) > width:
            own, rest = self._split(cells, width)
            return self.delimiter.join([*own, added, *rest])
        elif len(cells) < width:
            missing = [self.cell(None)] * (width - len(cells))
            return self.delimiter.join([*([text] if cells else []), *missing, added])
        return f"{text}{self.delimiter}{added}"

    def _only_cell(self, text: str, cells: list[str]) -> str:
        """Return the text of the only cell, which has had no delimiter to be protected from."""
        is_safe = self.delimiter not in text or text.startswith(self.dialect.quote or "\0")
        return text if is_safe else self.text("".join(cells))

    def _split(self, cells: list[str], width: int) -> tuple[list[str], list[str]]:
        texts = [self.text(cell) if self.dialect.quote else cell for cell in cells]
        rest = texts[width:]
        if self.delimiter == BLANK:
            # A blank at the end of a row is read as one more cell.
            rest = [text for text, cell in zip(rest, cells[width:], strict=True) if cell]
        return texts[:width], rest
