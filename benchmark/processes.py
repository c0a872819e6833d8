"""Start this project's commands as a user does, and observe their processes."""

from __future__ import annotations

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

ROOT = Path(__file__).parent.parent
WAIT_SECONDS = 120.0
STOP_SECONDS = 30.0


def call(environment: dict[str, str], package: str, *arguments: str) -> str:
    """Run `python -m PACKAGE` to its end and return its output; exit with its error if it fails."""
    name = " ".join([package, *arguments])
    return run_to_end(name, [sys.executable, "-m", package, *arguments], environment)


def run_to_end(
    name: str, command: list[str], environment: dict[str, str], folder: Path = ROOT
) -> str:
    """Run a command to its end and return its output; exit with its error if it fails."""
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{name} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def environment_of(url: str) -> dict[str, str]:
    """Return the environment of a process that is measured on the store at an address."""
    environment = {**os.environ, "DATABASE_URL": url}
    # Deployments have compiled bytecode; with this variable every start would compile it again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def fill_store(environment: dict[str, str], files: dict[str, str]) -> None:
    """Create a store with sample datasets, and import a file of rows into each."""
    call(environment, "db", "upgrade")
    for name, file in files.items():
        call(environment, "db", "load", f"datasets/{name}.toml")
        call(environment, "db", "import", name, file)


def pin_to_cores(cores: frozenset[int]) -> list[str]:
    """Return the prefix that restricts a command to these cores; empty for no restriction."""
    return ["/usr/bin/taskset", "-c", core_list(cores)] if cores else []


def core_list(cores: frozenset[int]) -> str:
    """Return cores as taskset and container engines take them: 0,1."""
    return ",".join(map(str, sorted(cores)))


def raise_open_file_limit() -> None:
    """Raise the limit of open files to the system's maximum, for this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def exit_on_sigterm() -> None:
    """Exit normally on SIGTERM, so that the processes that were started are stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def running_module(
    environment: dict[str, str], package: str, *arguments: str
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run `python -m PACKAGE` while the block runs."""
    return running_command(environment, [sys.executable, "-m", package, *arguments])


@contextmanager
def running_command(
    environment: dict[str, str],
    command: list[str],
    output: int = subprocess.DEVNULL,
    folder: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command while the block runs, and write its output to a file descriptor."""
    with subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=environment, stdout=output, stderr=output
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until(
    description: str, condition: Callable[[], object], pause_seconds: float = 0.05
) -> None:
    """Wait until a condition is true; exit with the description if it never is."""
    until = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"waited {WAIT_SECONDS:g} s in vain for: {description}")
        time.sleep(pause_seconds)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_ready(port: int) -> bool:
    """Return True if the web process on a port is ready for requests."""
    return is_answering(port, "/readyz")


def is_answering(port: int, path: str) -> bool:
    """Return True if a server answers a path without an error."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1):
            return True
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Return the direct children of a process; raises OSError if it has ended."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (thread / "children").read_text("ascii").split()]
    return found


def tree_mebibytes(pid: int) -> float:
    """Return the PSS of a process and its descendants, in which shared memory counts once."""
    kibibytes = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            kibibytes = int(line.split()[1])
    return kibibytes / 1024 + sum(tree_mebibytes(child) for child in children(pid))


def compute_child(pid: int) -> int | None:
    """Return the child process in which a worker computes, None if there is none."""
    for child in children(pid):
        # No other child of a worker has idle priority.
        if os.sched_getscheduler(child) == os.SCHED_IDLE:
            return child
    return None


def process_state(pid: int) -> str:
    """Return the state of a process as /proc names it, such as T for stopped."""
    stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    return stat.rpartition(")")[2].split()[0]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    return time.clock_gettime((~pid << 3) | 2)


def used_cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its children have used, also those that ended."""
    stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    # Fields 14 to 17 of proc(5), in clock ticks; the second may have spaces, and ends with ")".
    ticks = sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK") + sum(map(used_cpu_seconds, children(pid)))
