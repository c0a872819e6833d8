"""A terminal of 80 columns in memory."""

from __future__ import annotations

import io

import pytest


class Screen(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def make_screen(monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> Screen:
    """Return a terminal of so many columns that has colours."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen()
