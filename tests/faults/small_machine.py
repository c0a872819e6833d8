"""A worker whose gate sees only its own CPU time and that of the processes named in a file.

A test therefore does not depend on what else the real machine does. The argument is the path of
the file of process ids, which may change while the worker runs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from db.cli.terminal.log_format import log_to_stderr
from db.settings import load_settings
from db.store.dialect import WORKER_NAME
from db.store.store import open_store
from enrich.commands.base import stop_on_signals
from enrich.gate import sampler
from enrich.gate.machine.cgroup import Cgroup
from enrich.gate.machine.process_tree import cpu_seconds, tree
from enrich.worker.loop import WorkerOptions, run_worker


def only_these(file: Path) -> Callable[[str, Cgroup], Callable[[], float]]:
    """Return a source of CPU time that counts the worker and the processes that the file names."""
    ended: dict[int, float] = {}

    def total() -> float:
        for word in file.read_text("ascii").split():
            ended[int(word)] = max(cpu_seconds({int(word)}), ended.get(int(word), 0.0))
        return cpu_seconds(tree({os.getpid()})) + sum(ended.values())

    return lambda _scope, _cgroup: total


def main() -> None:
    """Run a worker until SIGTERM."""
    log_to_stderr()
    stop: threading.Event = stop_on_signals()
    vars(sampler)["total_source"] = only_these(Path(sys.argv[1]))
    settings = load_settings()
    run_worker(open_store(settings, name=WORKER_NAME), settings, stop, WorkerOptions())


if __name__ == "__main__":
    main()
