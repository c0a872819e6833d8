"""The processes of the soak test: web processes and workers, which are ended and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import ROOT, command_environment
from tests.ports import free_port, wait_until_ready
from tests.processes import PATIENCE_SECONDS, wait_for
from tests.wrong_clock import OTHER_CLOCK

from .load import API_KEY


@dataclass
class SoakProcess:
    """A process that can be ended and started again, with the memory that it has used."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    # Bytes by minute since the beginning of the test.
    memory: list[tuple[float, int]] = field(default_factory=list)

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for its end; return the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def wait_until_it_handles_sigterm(self) -> None:
        """Wait until it has its own handler of SIGTERM, without which Python ends at once."""
        wait_for(self._catches_sigterm, lambda: f"{self.name} does not start")

    def _catches_sigterm(self) -> bool:
        status = Path(f"/proc/{self.pid}/status").read_text("ascii", "replace")
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def measure(self, minutes: float) -> None:
        """Note the memory that it has for itself (USS), with that of the children it keeps."""
        try:
            own = psutil.Process(self.pid)
            # A training is a command of its own: its memory is given back.
            children = own.children(recursive=True)
            family = [own, *(one for one in children if "enrich" not in one.cmdline())]
            self.memory.append((minutes, sum(one.memory_full_info().uss for one in family)))
        except psutil.Error:
            return


def web_process(url: str, folder: Path, number: int) -> tuple[SoakProcess, int]:
    """Return a web process that has not been started, and its port."""
    port = free_port()
    # Of several processes, the old ones answer until the new ones can.
    more = {"PORT": str(port), "API_KEYS": API_KEY, "WEB_CONCURRENCY": "2"}
    environment = command_environment(url, **more)
    command = [sys.executable, "-m", "serve"]
    return SoakProcess(f"web-{number}", command, environment, folder / f"web-{number}.log"), port


def worker(url: str, folder: Path, number: int) -> SoakProcess:
    """Return a worker that has not been started; its clock is ahead by the seconds in a file."""
    clock = folder / f"clock-{number}"
    clock.write_text("0")
    environment = command_environment(url, LEASE_SECONDS="10")
    command = [sys.executable, "-c", OTHER_CLOCK, str(clock), "run", "--now"]
    return SoakProcess(f"worker-{number}", command, environment, folder / f"worker-{number}.log")


def wait_until_web_is_ready(web: SoakProcess, port: int) -> None:
    """Wait until a web process is ready."""
    assert web.process is not None
    wait_until_ready(web.process, port)
