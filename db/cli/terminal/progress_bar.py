"""The progress of long work: a bar in place on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import IO

from .colour import paint
from .duration import format_duration
from .error_line import clear_line

LINE_SECONDS = 5.0
TERMINAL_SECONDS = 0.2
BAR_WIDTH, LEAST_BAR_WIDTH = 24, 6


class ProgressBar:
    """Shows what is done of how much, or `as_share` which part of it, and the time left.

    It `is_hidden` where the result of the work is written to the same terminal.
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        stream: IO[str] | None = None,
        *,
        as_share: bool = False,
        is_hidden: bool = False,
    ) -> None:
        self._title = title
        self._total = total
        self._stream = stream or sys.stderr
        self._started = self._shown_at = time.monotonic()
        self._as_share = as_share
        self._is_hidden = is_hidden
        self._done = 0
        self._note = ""
        self._on_terminal = self._stream.isatty()
        self._is_shown = False

    def begin(self, note: str, total: int | None = None) -> None:
        """Say what begins, at once on a terminal; the rate counts from now on."""
        self._started = time.monotonic()
        self._note = note
        self._total = total or self._total
        self._show_at_once()

    def expect(self, total: int) -> None:
        """Set the total, which was not known at the start."""
        if total != self._total:
            self._total = total
            self._show_at_once()

    def advance(self, count: int, note: str = "") -> None:
        """Add to the count of what is done, and show it if the last line is old enough."""
        self._done += count
        self._note = note
        interval = TERMINAL_SECONDS if self._on_terminal else LINE_SECONDS
        now = time.monotonic()
        if now - self._shown_at >= interval:
            self._show(now)

    def end(self) -> None:
        """Clear the line on a terminal."""
        if self._is_shown:
            self._stream.write(clear_line(self._stream))
            self._stream.flush()
            self._is_shown = False

    def _show_at_once(self) -> None:
        if self._on_terminal:
            self._show(time.monotonic())

    def _show(self, now: float) -> None:
        self._shown_at = now
        if self._is_hidden:
            return
        if self._on_terminal:
            self._is_shown = True
            self._stream.write(f"{clear_line(self._stream)}{self._line(now)}")
        else:
            self._stream.write(f"{self._title}: {_with_note(self._amount(now), self._note)}\n")
        self._stream.flush()

    def _line(self, now: float) -> str:
        """Return the line with a bar, no wider than the terminal; the note is cut first."""
        room = shutil.get_terminal_size().columns - 1
        title, amount = f"{self._title}: ", self._amount(now)
        width = min(room - len(title) - len(amount) - len("[] "), BAR_WIDTH)
        if not self._total or width < LEAST_BAR_WIDTH:
            return _cut(title + _with_note(amount, self._note), room)
        filled = min(width * self._done // self._total, width)
        left = room - len(title) - width - len("[] ")
        bar = paint("█" * filled, "green", self._stream) + "·" * (width - filled)
        return f"{title}[{bar}] {_cut(_with_note(amount, self._note), left)}"

    def _amount(self, now: float) -> str:
        """Return what is done, and the time left where that can be told; "" at the beginning."""
        rate = self._done / max(now - self._started, 1e-9)
        if not self._total:
            # Below one per second, a rounded rate would be 0 or 1.
            per_second = f", {rate:,.0f}/s" if rate >= 1 else ""
            return f"{self._done:,}{per_second}" if self._done else ""
        amount = f"{self._done:,} of {self._total:,}"
        if self._as_share:
            amount = f"{min(self._done / self._total, 1):.0%}"
        left = max(self._total - self._done, 0) / max(rate, 1e-9)
        return f"{amount}, {format_duration(left)} left" if self._done else amount


def _with_note(amount: str, note: str) -> str:
    if amount and note:
        return f"{amount} ({note})"
    return amount or note


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"
