"""The points at which a process kills itself, if it can take a token for it.

A token is a file: whoever can remove it has it, so that there are as many kills as tokens.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Names the folder of tokens and logs; without it nothing is killed or logged.
FOLDER = "KILL_FOLDER"
CHUNK, BATCH, NOTHING = "chunk", "batch", "nothing"


@dataclass(frozen=True)
class Point:
    """A moment at which to kill, said by what has just happened.

    `redone` is what must be computed again for one kill, at most. A process is killed with
    `chance`, but never at its first `spared` visits: what kills whoever touches it is poison, and
    that is another matter.
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
        Point("chunk_claimed", NOTHING),
        Point("batch_computed", CHUNK, chance=0.1, spared=2),
        Point("chunk_computed", CHUNK),
        Point("enrichments_written", CHUNK),
        Point("chunk_ended", CHUNK),
        Point("chunk_committed", NOTHING),
        Point("web_not_told", NOTHING, chance=1.0),
        Point("lease_renewed", CHUNK, chance=0.03),
        # Its child, which so ends a batch at least before it dies:
        Point("rows_received", NOTHING, spared=1, is_of_child=True),
        Point("rows_half_done", BATCH, spared=1, is_of_child=True),
        Point("answer_not_sent", BATCH, spared=1, is_of_child=True),
    )
}

_visits: Counter[str] = Counter()


def visit(name: str) -> None:
    """Die here, by chance, if there is a token for it."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    point = POINTS[name]
    _visits[name] += 1
    # The dead have no visits left to count: each process draws for itself.
    is_due = _visits[name] > point.spared and random.random() < point.chance
    if is_due and _take_token(Path(folder), name):
        os.kill(os.getpid(), signal.SIGKILL)


def lay_tokens(folder: Path, names: Iterable[str], kills: int) -> None:
    """Allow so many kills at each of the points."""
    folder.mkdir()
    for name in names:
        for number in range(kills):
            (folder / f"{name}.{number}").touch()


def tokens_left(folder: Path) -> Counter[str]:
    """Return how many kills are left, by point."""
    return Counter(token.stem for token in folder.iterdir())


def _take_token(folder: Path, name: str) -> bool:
    for token in folder.glob(f"{name}.*"):
        try:
            token.unlink()
        except FileNotFoundError:
            # Another was quicker.
            continue
        return True
    return False
