"""A container's stay: with little memory, and nothing to write to but a store."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.processes import answers, core_list
from benchmark.target.resource_meter import Reading, ResourceMeter
from benchmark.text_table import ReportPart, table

from .cgroup import ControlGroup, group_of
from .engine import ask, image_name, inspect_container
from .limits import LIMITS, STOP_SECONDS

FOLDER = "/store"
# Longer than STOP_SECONDS: a slow end is to be seen, not cut short.
PATIENCE_SECONDS = 30


@dataclass
class ContainerRun:
    """What a container held in MB, a reading a second, and how it ended."""

    room: str
    name: str
    group: ControlGroup
    megabytes: list[float] = field(default_factory=list)
    kills: int = 0
    code: int = 0
    stop_seconds: float = 0.0

    @property
    def most_megabytes(self) -> float:
        """The most that it held."""
        return max(self.megabytes, default=0.0)

    @property
    def is_within_limits(self) -> bool:
        """Whether it held little, had nothing killed, and ended well and in time."""
        held = 0 < self.most_megabytes <= LIMITS[self.room].memory_mb
        return held and not self.kills and not self.code and self.stop_seconds <= STOP_SECONDS


@contextmanager
def running_container(
    room: str,
    folder: Path,
    environment: dict[str, str],
    cores: frozenset[int],
    *command: str,
) -> Iterator[ContainerRun]:
    """Run a room's container on a folder with a store for as long as the block does."""
    name = f"{image_name(room)}-{time.time_ns()}"
    memory = f"{LIMITS[room].given_mb}m"
    options = ["--detach", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108
    options += ["--memory", memory, "--memory-swap", memory, "--volume", f"{folder}:{FOLDER}"]
    options += [f"--env={key}={value}" for key, value in environment.items()]
    options += [f"--cpuset-cpus={core_list(cores)}"] if cores else []
    _let_in(folder)
    ask("run", *options, image_name(room), *command)
    try:
        container_run = ContainerRun(room, name, group_of(_pid(name)))
        with ResourceMeter(reader_of(container_run.group)) as meter:
            yield container_run
            _end(container_run)
        container_run.megabytes += [row[2] * 2**20 / 1e6 for row in meter.rows]
        (folder / f"{room}.log").write_text(ask("logs", name), "utf-8")
    finally:
        ask("rm", "--force", name)


def _pid(name: str) -> int:
    """Return a container's process; ends with what it said where it has ended."""
    state = inspect_container(name)["State"]
    if not state["Running"]:
        sys.exit(f"{name} has ended with {state['ExitCode']}:\n{ask('logs', name)}")
    return int(state["Pid"])


def is_serving(container_run: ContainerRun, port: int) -> bool:
    """Tell whether a web process answers from a container; ends where it never will."""
    return _pid(container_run.name) > 0 and answers(port, "/readyz")


def _let_in(folder: Path) -> None:
    """Let a container's user write to a store: it is another one than ours."""
    for path in (folder, *folder.iterdir()):
        path.chmod(0o777)


def _end(container_run: ContainerRun) -> None:
    # Gone where the container has ended by itself.
    with suppress(OSError):
        container_run.kills = container_run.group.kills()
    began = time.monotonic()
    ask("stop", "--time", str(PATIENCE_SECONDS), container_run.name)
    container_run.stop_seconds = time.monotonic() - began
    state = inspect_container(container_run.name)["State"]
    container_run.code, container_run.kills = (
        state["ExitCode"],
        max(container_run.kills, int(state["OOMKilled"])),
    )


def reader_of(group: ControlGroup) -> Callable[[], Reading | None]:
    """Return how to read what a container takes."""

    def read() -> Reading | None:
        try:
            return group.cpu_seconds(), group.held_bytes() / 2**20
        except OSError:
            return None

    return read


def describe(stays: list[ContainerRun]) -> ReportPart:
    """Return the verdict on what containers held."""
    rows: list[tuple[str, ...]] = [
        ("container", "at the start", "at most", "limit", "given", "killed", "exit", "ended in")
    ]
    rows += [_row(one) for one in stays]
    good = all(one.is_within_limits for one in stays)
    return ReportPart("PASS" if good else "FAIL", "container memory", table(rows))


def _row(container_run: ContainerRun) -> tuple[str, ...]:
    limit = LIMITS[container_run.room]
    return (
        container_run.room,
        f"{container_run.megabytes[0]:.1f} MB" if container_run.megabytes else "not measured",
        f"{container_run.most_megabytes:.1f} MB",
        f"{limit.memory_mb:.0f} MB",
        f"{limit.given_mb} MiB",
        str(container_run.kills),
        str(container_run.code),
        f"{container_run.stop_seconds:.1f} s",
    )
