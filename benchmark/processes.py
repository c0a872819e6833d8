"""Our own commands, as a user runs them, and what their processes do meanwhile."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 120.0
END_SECONDS = 30.0


def call(environment: dict[str, str], room: str, *arguments: str) -> str:
    """Run a command of ours to its end; returns what it printed, or ends with its error."""
    what = " ".join([room, *arguments])
    return run_to_end(what, [sys.executable, "-m", room, *arguments], environment)


def run_to_end(
    what: str, command: list[str], environment: dict[str, str], folder: Path = ROOT
) -> str:
    """Run a command to its end; returns what it printed, or ends with its error."""
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{what} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def environment_of(url: str) -> dict[str, str]:
    """Return the environment of every process that is measured on a store."""
    environment = {**os.environ, "DATABASE_URL": url}
    # Wherever this is deployed its bytecode is compiled; without it each start would compile anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def fill_store(environment: dict[str, str], files: dict[str, str]) -> None:
    """Make a store of datasets that ship, each with the rows of a file."""
    call(environment, "db", "upgrade")
    for name, file in files.items():
        call(environment, "db", "load", f"datasets/{name}.toml")
        call(environment, "db", "import", name, file)


def pinned(cores: frozenset[int]) -> list[str]:
    """Return what keeps a command on some cores, nothing where it may have all."""
    return ["/usr/bin/taskset", "-c", core_list(cores)] if cores else []


def core_list(cores: frozenset[int]) -> str:
    """Return cores as commands and people write them: 0,1."""
    return ",".join(map(str, sorted(cores)))


def allow_connections() -> None:
    """Let this process, and those that it starts, have as many descriptors as the system lets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as its own end does, so that nothing it started is left."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def running(
    environment: dict[str, str], room: str, *arguments: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run a command of ours for as long as the block does."""
    return running_command(environment, [sys.executable, "-m", room, *arguments])


@contextmanager
def running_command(
    environment: dict[str, str],
    command: list[str],
    output: int = subprocess.DEVNULL,
    folder: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for as long as the block does; what it says goes to a descriptor."""
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdout=output, stderr=output
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until(what: str, is_so: Callable[[], object], pause_seconds: float = 0.05) -> None:
    """Wait until something is so, or end saying what never was."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > until:
            sys.exit(f"{what} did not happen within {PATIENCE_SECONDS:g} s")
        time.sleep(pause_seconds)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_ready(port: int) -> bool:
    """Tell whether a web process wants requests."""
    return answers(port, "/readyz")


def answers(port: int, path: str) -> bool:
    """Tell whether a server has a good answer at a path."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1):
            return True
    except OSError:
        return False


def status(environment: dict[str, str]) -> dict[str, Any]:
    """Return what `enrich status` says."""
    said: dict[str, Any] = json.loads(call(environment, "enrich", "status", "--json"))
    return said


def children(pid: int) -> list[int]:
    """Return a process's children."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text("ascii").split()]
    return found


def tree_mebibytes(pid: int) -> float:
    """Return the memory of a process and its children; what they share is counted once."""
    kibibytes = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            kibibytes = int(line.split()[1])
    return kibibytes / 1024 + sum(tree_mebibytes(child) for child in children(pid))


def compute_child(pid: int) -> int | None:
    """Return the child that computes for a worker, if there is one."""
    for child in children(pid):
        # It alone is at idle priority.
        if os.sched_getscheduler(child) == os.SCHED_IDLE:
            return child
    return None


def state_of(pid: int) -> str:
    """Return a process's state as /proc names it, such as T for stopped."""
    stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    return stat.rpartition(")")[2].split()[0]


def cpu_seconds(pid: int) -> float:
    """Return the CPU that a process has used."""
    return time.clock_gettime((~pid << 3) | 2)
