"""Ctrl-C while processes start."""

from __future__ import annotations

import signal

from db.files.prediction.processes import started_processes


def start_reading_the_mask() -> type[BlockedSignals]:
    """Return what works on a part in another process."""
    return BlockedSignals


class BlockedSignals(list[int]):
    """The signals that the process blocks in which it is made."""

    def __init__(self, _part: object) -> None:
        super().__init__(signal.pthread_sigmask(signal.SIG_BLOCK, []))


def test_no_process_of_a_run_is_interrupted_while_python_starts() -> None:
    """Not the first either, which starts a helper of Python's that unblocks signals."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with started_processes(start_reading_the_mask, 2) as processes:
        found = [blocked for _, blocked in processes.results([(1, 1), (2, 2)])]
    assert [signal.SIGINT in blocked for blocked in found] == [True, True]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
