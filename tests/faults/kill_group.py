"""A group of worker processes, each of which is restarted after it was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.conftest import ROOT, command_environment
from tests.processes import PATIENCE_SECONDS

# A worker that receives SIGTERM before it has installed its handler dies of the signal.
ENDED = {0, -signal.SIGTERM, -signal.SIGKILL}


class WorkerGroup:
    """Several processes of one program, which all end when the block ends, even on an error."""

    def __init__(self, module: str, size: int, log: Path, url: str, **environment: str) -> None:
        self._command = [sys.executable, "-m", module]
        self._size = size
        self._log = log
        # On SIGABRT a worker prints a traceback, which shows where it hung.
        environment["PYTHONFAULTHANDLER"] = "1"
        self._environment = command_environment(url, **environment)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.killed = 0

    def tend(self) -> None:
        """Restart the killed workers. Fails if a worker ended for another reason."""
        for index, worker in enumerate(self.workers):
            if worker.poll() is None:
                continue
            assert worker.returncode == -signal.SIGKILL, self.words()
            self.killed += 1
            self.workers[index] = self._start()

    def words(self) -> str:
        """Return the end of the workers' log."""
        return self._log.read_text("utf-8", errors="replace")[-4000:]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def __enter__(self) -> Self:
        try:
            for _ in range(self._size):
                self.workers.append(self._start())
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        try:
            for worker in self.workers:
                # A stopped process does not handle SIGTERM until it continues.
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
            codes = [self._wait(worker) for worker in self.workers]
        finally:
            self._kill()
        self.killed += codes.count(-signal.SIGKILL)
        if error is None:
            assert set(codes) <= ENDED, (codes, self.words())

    def _wait(self, worker: subprocess.Popen[bytes]) -> int:
        try:
            return worker.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            worker.send_signal(signal.SIGABRT)
            worker.wait()
            raise AssertionError(f"a worker has not ended:\n{self.words()}") from None

    def _kill(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
