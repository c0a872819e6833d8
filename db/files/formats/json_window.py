"""A window on a JSON file, which reads one value after the other in flat memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO

from db.files.source_file import MAX_ROW_CHARACTERS

_READ_CHARACTERS = 1 << 16
# The characters that can follow a value. The window's end, "", is not one of them.
_ENDS = frozenset(" \t\r\n,]}:")


def missing_constant(_name: str) -> None:
    """Return None for NaN and Infinity, which Python writes where a number is missing."""


class JsonWindow:
    """The part of a JSON file that is in memory, and the position in it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder(parse_constant=missing_constant)
        self.line = 1
        self.raw = ""

    def peek(self) -> str:
        """Skip white space and return the next character, "" at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self.line += self._text[self._at] == "\n"
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._extend():
                return ""

    def expect(self, expected: str) -> None:
        """Skip white space and the expected character; raises ValueError for another."""
        if self.peek() != expected:
            raise ValueError(f"line {self.line}: is not JSON: expected {expected!r}")
        self._at += 1

    def array(self) -> Iterator[tuple[int, object]]:
        """Yield the line and value of each item of an array; raises ValueError if it is none."""
        self.expect("[")
        if self.peek() == "]":
            self.expect("]")
            return
        while True:
            self.peek()
            line = self.line
            yield line, self.value()
            if self.peek() == "]":
                self.expect("]")
                return
            self.expect(",")

    def value(self) -> object:
        """Return the next JSON value, and let `raw` be its text; raises ValueError without one."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except ValueError as error:
                if len(self._text) - self._at > MAX_ROW_CHARACTERS or not self._extend():
                    message = getattr(error, "msg", str(error))
                    raise ValueError(f"line {self.line}: is not JSON: {message}") from None
                continue
            # A number at the end of the window may continue after it.
            if self._text[end : end + 1] not in _ENDS and self._extend():
                continue
            self.raw = self._text[self._at : end]
            self.line += self.raw.count("\n")
            self._at = end
            return value

    def _extend(self) -> bool:
        """Read more of the file; return False at its end."""
        read = self._file.read(_READ_CHARACTERS)
        if read:
            self._text = self._text[self._at :] + read
            self._at = 0
        return bool(read)
