"""The supervisor: runs several web processes on one listening socket, and replaces ended ones."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .reload import STOP_SIGNALS, PreflightCheck, reexec

# A web process drains for at most 25 s; a platform kills the whole container after 30 s.
END_SECONDS = 28.0
FIRST_PAUSE_SECONDS = 0.5
MOST_PAUSE_SECONDS = 30.0
# A process that has served for this long did not end because of an error at its start.
STEADY_SECONDS = 3.0
POLL_SECONDS = 0.5
START_POLL_SECONDS = 0.02
SIGNALS = (signal.SIGCHLD, *STOP_SIGNALS)

log = logging.getLogger("veilleuse.supervisor")

# Serves on the socket until SIGTERM, calls the function once it listens, returns the exit code.
Work = Callable[[socket.socket, Callable[[], None]], int]


def pause_seconds(failures: int) -> float:
    """Return how long to wait before the next start, after that number of early exits in a row."""
    if not failures:
        return 0.0
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10), MOST_PAUSE_SECONDS)


@dataclass
class ChildProcess:
    """A web process that is starting, serving or ending."""

    pid: int
    # The pipe on which the process reports that it listens. None for a process that was started
    # before the supervisor's last exec.
    ready_pipe: int | None
    started: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    ending_since: float | None = None

    def end(self) -> None:
        """Ask the process to drain and end; on later calls, kill it once END_SECONDS are over."""
        if self.ending_since is None:
            self.ending_since = time.monotonic()
            os.kill(self.pid, signal.SIGTERM)
        elif time.monotonic() - self.ending_since > END_SECONDS:
            log.warning("process %s did not end within %g s: killing it", self.pid, END_SECONDS)
            os.kill(self.pid, signal.SIGKILL)

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the process runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        if self.ready_pipe is not None:
            os.close(self.ready_pipe)
        return os.waitstatus_to_exitcode(status)

    def poll(self) -> None:
        """Check whether the process listens, and update `is_ready`."""
        if self.ready_pipe is None or self.is_ready:
            return
        try:
            self.is_ready = bool(os.read(self.ready_pipe, 1))
        except BlockingIOError:
            return


class Supervisor:
    """Keeps `count` web processes running, and replaces them one by one on SIGHUP.

    On SIGHUP it first checks that the current code and settings would start, then executes that
    code in its own place. The socket stays open, and each process serves until its successor
    listens.
    """

    def __init__(
        self,
        work: Work,
        listener: socket.socket,
        count: int,
        *,
        predecessors: Sequence[int] = (),
        on_exit: Callable[[int], None] = lambda _pid: None,
        reexec_arguments: Sequence[str] = (),
    ) -> None:
        self._work = work
        self._listener = listener
        self._count = count
        self._processes: list[ChildProcess] = []
        self._on_exit = on_exit
        self._reexec_arguments = reexec_arguments
        # The processes that run the code from before the last exec, until each is replaced.
        self._predecessors = [ChildProcess(pid, None, is_ready=True) for pid in predecessors]
        self._failures = 0
        self._not_before = 0.0
        self._has_served = bool(predecessors)
        self._is_ending = False
        self._preflight = PreflightCheck()
        self._code = 0

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT; return the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        while True:
            self._step()
            if self._is_ending and not (self._processes or self._predecessors):
                return self._code
            received = signal.sigtimedwait(SIGNALS, self._poll_seconds())
            if received is not None:
                self._handle_signal(received.si_signo)

    def _poll_seconds(self) -> float:
        is_starting = not all(process.is_ready for process in self._processes)
        return START_POLL_SECONDS if is_starting or self._preflight.is_running else POLL_SECONDS

    def _handle_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._end()
        elif number == signal.SIGHUP and not self._is_ending:
            self._preflight.begin()

    def _end(self) -> None:
        if not self._is_ending:
            # While any process holds the listener open, the kernel accepts connections that no
            # process would answer.
            self._listener.close()
            self._preflight.cancel()
        self._is_ending = True

    def _step(self) -> None:
        """Handle the processes that have ended, then do at most one start, stop or exec."""
        for process in self._processes:
            process.poll()
            self._has_served = self._has_served or process.is_ready
        self._handle_exits()
        if self._is_ending:
            for process in (*self._processes, *self._predecessors):
                process.end()
        elif all(process.is_ready for process in self._processes):
            self._fill_or_replace()

    def _fill_or_replace(self) -> None:
        ending = [process for process in self._predecessors if process.ending_since is not None]
        if ending:
            ending[0].end()
        elif self._predecessors and len(self._processes) + len(self._predecessors) > self._count:
            # The successor of this process listens.
            self._predecessors[0].end()
        elif len(self._processes) < self._count:
            if time.monotonic() >= self._not_before:
                self._start()
        elif self._preflight.has_passed():
            pids = ",".join(str(process.pid) for process in self._processes)
            reexec(self._listener, f"--before={pids}", *self._reexec_arguments)

    def _start(self) -> None:
        ready, report = os.pipe()
        os.set_blocking(ready, False)
        # Keep existing objects out of the garbage collector: its marks would write to memory pages
        # that are shared with the children.
        gc.freeze()
        pid = os.fork()
        if not pid:
            os.close(ready)
            os._exit(self._serve(report))
        os.close(report)
        self._processes.append(ChildProcess(pid, ready))

    def _serve(self, report: int) -> int:
        """Run as a web process; return the exit code."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        # Only the supervisor handles SIGHUP.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            return self._work(self._listener, lambda: _report_ready(report))
        except BaseException:
            log.exception("a web process failed")
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    def _handle_exits(self) -> None:
        for processes in (self._processes, self._predecessors):
            for process in list(processes):
                code = process.exit_code()
                if code is not None:
                    processes.remove(process)
                    self._on_exit(process.pid)
                    self._handle_exit(process, code)

    def _handle_exit(self, process: ChildProcess, code: int) -> None:
        if process.ending_since is not None:
            return
        if not self._has_served:
            # No process has ever served, so the start itself fails, for a reason that is logged.
            # Starting another process would not help.

            self._code = self._code or code or 1
            self._end()
            return
        is_steady = process.is_ready and time.monotonic() - process.started > STEADY_SECONDS
        self._failures = 0 if is_steady else self._failures
        pause = pause_seconds(self._failures)
        self._failures += not is_steady
        self._not_before = time.monotonic() + pause
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        log.warning("process %s ended by %s; another starts in %g s", process.pid, how, pause)


def _report_ready(report: int) -> None:
    os.write(report, b"r")
    os.close(report)
