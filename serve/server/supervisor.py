"""The crew: web processes on one listening socket, each replaced when it ends."""

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

# A member drains for at most 25 s; a platform kills all of us after 30 s.
END_SECONDS = 28.0
FIRST_PAUSE_SECONDS = 0.5
MOST_PAUSE_SECONDS = 30.0
# One that has served for so long did not die of how it starts.
STEADY_SECONDS = 3.0
POLL_SECONDS = 0.5
START_POLL_SECONDS = 0.02
SIGNALS = (signal.SIGCHLD, *STOP_SIGNALS)

log = logging.getLogger("veilleuse.crew")

# Serves on the socket until it is told to end; calls the function once it listens.
Work = Callable[[socket.socket, Callable[[], None]], int]


def pause_seconds(failures: int) -> float:
    """Return how long to wait before the next start, after so many quick deaths in a row."""
    if not failures:
        return 0.0
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10), MOST_PAUSE_SECONDS)


@dataclass
class ChildProcess:
    """A process that serves, or is about to."""

    pid: int
    # Where it says that it listens; None for one of the crew that was here before this code.
    ready_pipe: int | None
    started: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    ending_since: float | None = None

    def end(self) -> None:
        """Ask it to finish what has come, or kill it where that takes too long."""
        if self.ending_since is None:
            self.ending_since = time.monotonic()
            os.kill(self.pid, signal.SIGTERM)
        elif time.monotonic() - self.ending_since > END_SECONDS:
            log.warning("process %s has not ended in %g s, and is killed", self.pid, END_SECONDS)
            os.kill(self.pid, signal.SIGKILL)

    def exit_code(self) -> int | None:
        """Return how it ended, None while it lives."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        if self.ready_pipe is not None:
            os.close(self.ready_pipe)
        return os.waitstatus_to_exitcode(status)

    def poll(self) -> None:
        """See whether it listens by now."""
        if self.ready_pipe is None or self.is_ready:
            return
        try:
            self.is_ready = bool(os.read(self.ready_pipe, 1))
        except BlockingIOError:
            return


class Supervisor:
    """Keeps so many processes serving, and replaces all of them one by one on SIGHUP.

    On SIGHUP it first sees that today's code and settings would start, then becomes that code
    itself, by exec: the socket stays open and the processes serve on until each is replaced.
    """

    def __init__(
        self,
        work: Work,
        listener: socket.socket,
        count: int,
        *,
        before: Sequence[int] = (),
        on_death: Callable[[int], None] = lambda _pid: None,
        keep: Sequence[str] = (),
    ) -> None:
        self._work = work
        self._listener = listener
        self._count = count
        self._processes: list[ChildProcess] = []
        self._on_death = on_death
        # Arguments for the code that takes this one's place.
        self._keep = keep
        # Of the crew before this code, until they are replaced.
        self._before = [ChildProcess(pid, None, is_ready=True) for pid in before]
        self._failures = 0
        self._not_before = 0.0
        self._has_served = bool(before)
        self._is_ending = False
        self._preflight = PreflightCheck()
        self._code = 0

    def run(self) -> int:
        """Keep the crew until SIGTERM or SIGINT; returns the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        while True:
            self._step()
            if self._is_ending and not (self._processes or self._before):
                return self._code
            told = signal.sigtimedwait(SIGNALS, self._poll_seconds())
            if told is not None:
                self._handle_signal(told.si_signo)

    def _poll_seconds(self) -> float:
        is_starting = not all(one.is_ready for one in self._processes)
        return START_POLL_SECONDS if is_starting or self._preflight.is_running else POLL_SECONDS

    def _handle_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._end()
        elif number == signal.SIGHUP and not self._is_ending:
            self._preflight.begin()

    def _end(self) -> None:
        if not self._is_ending:
            # Else connections would go on coming that nobody takes any more.
            self._listener.close()
            self._preflight.cancel()
        self._is_ending = True

    def _step(self) -> None:
        """Handle processes that have ended, and do the one next thing that is due."""
        for process in self._processes:
            process.poll()
            self._has_served = self._has_served or process.is_ready
        self._handle_exits()
        if self._is_ending:
            for process in (*self._processes, *self._before):
                process.end()
        elif all(one.is_ready for one in self._processes):
            self._fill_or_replace()

    def _fill_or_replace(self) -> None:
        ending = [one for one in self._before if one.ending_since is not None]
        if ending:
            ending[0].end()
        elif self._before and len(self._processes) + len(self._before) > self._count:
            # Its successor listens.
            self._before[0].end()
        elif len(self._processes) < self._count:
            if time.monotonic() >= self._not_before:
                self._start()
        elif self._preflight.has_passed():
            pids = ",".join(str(one.pid) for one in self._processes)
            reexec(self._listener, f"--before={pids}", *self._keep)

    def _start(self) -> None:
        ready, report = os.pipe()
        os.set_blocking(ready, False)
        # What is there now is kept out of the collector, whose marks would unshare its pages.
        gc.freeze()
        pid = os.fork()
        if not pid:
            os.close(ready)
            os._exit(self._serve(report))
        os.close(report)
        self._processes.append(ChildProcess(pid, ready))

    def _serve(self, report: int) -> int:
        """Be a member; returns the exit code."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        # It is the crew that hears of SIGHUP.
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
        for processes in (self._processes, self._before):
            for process in list(processes):
                code = process.exit_code()
                if code is not None:
                    processes.remove(process)
                    self._on_death(process.pid)
                    self._handle_exit(process, code)

    def _handle_exit(self, process: ChildProcess, code: int) -> None:
        if process.ending_since is not None:
            return
        if not self._has_served:
            # It could not start at all, and has said why.
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
