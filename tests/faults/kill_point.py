"""The points at which a process kills itself, if it can take a token for that point.

A token is a file. The process that removes it owns it, so there is exactly one kill per token.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# The environment variable that names the folder of tokens; without it nothing is killed.
FOLDER = "KILL_FOLDER"
# A chunk is written while the next one is computed, so that a kill may cost both.
TWO_CHUNKS, CHUNK, BATCH, NOTHING = "two chunks", "chunk", "batch", "nothing"


@dataclass(frozen=True)
class Point:
    """A moment at which to kill, named after the event that has just happened.

    `redone` is the most that must be computed again after one kill. A process is killed with
    probability `chance`, but never at its first `spared` visits: a record that kills every process
    that computes it is poison, which other tests cover.
    """

    name: str
    redone: str
    chance: float = 0.3
    spared: int = 0
    is_of_child: bool = False


POINTS = {
    point.name: point
    for point in (
        # A worker:
        Point("worker_registered", NOTHING, chance=0.5),
        Point("chunk_claimed", CHUNK),
        Point("batch_computed", TWO_CHUNKS, chance=0.1, spared=2),
        Point("chunk_computed", TWO_CHUNKS),
        Point("enrichments_written", TWO_CHUNKS),
        Point("chunk_ended", TWO_CHUNKS),
        Point("chunk_committed", CHUNK),
        Point("web_not_told", NOTHING, chance=1.0),
        Point("lease_renewed", TWO_CHUNKS, chance=0.03),
        # A worker's child; because of `spared` it completes at least one batch before it dies:
        Point("rows_received", NOTHING, spared=1, is_of_child=True),
        Point("rows_half_done", BATCH, spared=1, is_of_child=True),
        Point("answer_not_sent", BATCH, spared=1, is_of_child=True),
    )
}

_visits: Counter[str] = Counter()


def visit(name: str) -> None:
    """Kill this process with the point's probability, if there is a token for the point."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    point = POINTS[name]
    _visits[name] += 1
    # A killed process loses its count of visits, so each process counts and draws for itself.
    is_due = _visits[name] > point.spared and random.random() < point.chance
    if is_due and _take_token(Path(folder), name):
        os.kill(os.getpid(), signal.SIGKILL)


def lay_tokens(folder: Path, names: Iterable[str], kills: int) -> None:
    """Create the tokens for a number of kills at each of the points."""
    folder.mkdir()
    for name in names:
        for number in range(kills):
            (folder / f"{name}.{number}").touch()


def tokens_left(folder: Path) -> Counter[str]:
    """Return the number of kills that are left, by point."""
    return Counter(token.stem for token in folder.iterdir())


def _take_token(folder: Path, name: str) -> bool:
    for token in folder.glob(f"{name}.*"):
        try:
            token.unlink()
        except FileNotFoundError:
            # Another process took it first.
            continue
        return True
    return False
