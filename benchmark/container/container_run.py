"""Run a container with a memory limit and a read-only file system, and measure it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.processes import core_list, is_ready
from benchmark.target.resource_meter import ResourceMeter, Usage
from benchmark.text_table import PartVerdict, format_table

from .cgroup import ControlGroup, group_of
from .engine import image_name, inspect_container, run_engine
from .limits import LIMITS, STOP_SECONDS

FOLDER = "/store"
# Longer than STOP_SECONDS, so that a slow stop is measured rather than cut short.
KILL_AFTER_SECONDS = 30


@dataclass
class ContainerRun:
    """The memory of a container in MB, one reading per second, and how it stopped."""

    role: str
    name: str
    group: ControlGroup
    megabytes: list[float] = field(default_factory=list)
    kills: int = 0
    code: int = 0
    stop_seconds: float = 0.0

    @property
    def peak_megabytes(self) -> float:
        """The largest reading; 0 if there is none."""
        return max(self.megabytes, default=0.0)

    @property
    def is_within_limits(self) -> bool:
        """Whether its memory was measured and within the limit, and it stopped well and in time."""
        memory_held = 0 < self.peak_megabytes <= LIMITS[self.role].memory_mb
        return (
            memory_held and not self.kills and not self.code and self.stop_seconds <= STOP_SECONDS
        )


@contextmanager
def running_container(
    role: str,
    folder: Path,
    environment: dict[str, str],
    cores: frozenset[int],
    *command: str,
) -> Iterator[ContainerRun]:
    """Run the web or worker container on a folder with a store, while the block runs."""
    name = f"{image_name(role)}-{time.time_ns()}"
    memory = f"{LIMITS[role].hard_limit_mib}m"
    options = ["--detach", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108
    options += ["--memory", memory, "--memory-swap", memory, "--volume", f"{folder}:{FOLDER}"]
    options += [f"--env={key}={value}" for key, value in environment.items()]
    options += [f"--cpuset-cpus={core_list(cores)}"] if cores else []
    _make_writable(folder)
    run_engine("run", *options, image_name(role), *command)
    try:
        container_run = ContainerRun(role, name, group_of(_pid(name)))
        with ResourceMeter(usage_of_container(container_run.group)) as meter:
            yield container_run
            _stop(container_run)
        container_run.megabytes += [row[2] * 2**20 / 1e6 for row in meter.rows]
        (folder / f"{role}.log").write_text(run_engine("logs", name), "utf-8")
    finally:
        run_engine("rm", "--force", name)


def _pid(name: str) -> int:
    """Return the process of a container; exits with the container's logs if it has stopped."""
    state = inspect_container(name)["State"]
    if not state["Running"]:
        sys.exit(f"{name} stopped with code {state['ExitCode']}:\n{run_engine('logs', name)}")
    return int(state["Pid"])


def is_serving(container_run: ContainerRun, port: int) -> bool:
    """Return True if a container's web process is ready; exits if the container has stopped."""
    return _pid(container_run.name) > 0 and is_ready(port)


def _make_writable(folder: Path) -> None:
    """Let the container's user, who is not this user, write to a store."""
    for path in (folder, *folder.iterdir()):
        path.chmod(0o777)


def _stop(container_run: ContainerRun) -> None:
    # The control group is gone if the container has stopped by itself.
    with suppress(OSError):
        container_run.kills = container_run.group.kills()
    began = time.monotonic()
    run_engine("stop", "--time", str(KILL_AFTER_SECONDS), container_run.name)
    container_run.stop_seconds = time.monotonic() - began
    state = inspect_container(container_run.name)["State"]
    container_run.code = state["ExitCode"]
    container_run.kills = max(container_run.kills, int(state["OOMKilled"]))


def usage_of_container(group: ControlGroup) -> Callable[[], Usage | None]:
    """Return a function that reads the usage of a container."""

    def read_usage() -> Usage | None:
        try:
            return group.cpu_seconds(), group.held_bytes() / 2**20
        except OSError:
            return None

    return read_usage


def container_memory_verdict(container_runs: list[ContainerRun]) -> PartVerdict:
    """Return the verdict on the memory of containers and on how they stopped."""
    rows: list[tuple[str, ...]] = [
        (
            *("container", "at the start", "peak", "limit", "hard limit"),
            *("killed", "exit code", "stopped in"),
        )
    ]
    rows += map(_row, container_runs)
    is_within = all(container_run.is_within_limits for container_run in container_runs)
    return PartVerdict("PASS" if is_within else "FAIL", "container memory", format_table(rows))


def _row(container_run: ContainerRun) -> tuple[str, ...]:
    limit = LIMITS[container_run.role]
    return (
        container_run.role,
        f"{container_run.megabytes[0]:.1f} MB" if container_run.megabytes else "not measured",
        f"{container_run.peak_megabytes:.1f} MB",
        f"{limit.memory_mb:.0f} MB",
        f"{limit.hard_limit_mib} MiB",
        str(container_run.kills),
        str(container_run.code),
        f"{container_run.stop_seconds:.1f} s",
    )
