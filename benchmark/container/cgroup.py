"""The control group of a container, version 1 or 2: memory, CPU and kills by the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class ControlGroup:
    """The files in which the kernel counts what a container takes."""

    memory: Path
    cpu: Path

    @property
    def is_unified(self) -> bool:
        """Whether it is of version 2, where one folder has all."""
        return self.memory == self.cpu

    def held_bytes(self) -> int:
        """Return the memory held, without files that could be dropped: as engines tell it."""
        name = "memory.current" if self.is_unified else "memory.usage_in_bytes"
        idle = "inactive_file" if self.is_unified else "total_inactive_file"
        return _number(self.memory / name) - _entry(self.memory / "memory.stat", idle)

    def cpu_seconds(self) -> float:
        """Return the CPU used so far."""
        if self.is_unified:
            return _entry(self.cpu / "cpu.stat", "usage_usec") / 1e6
        return _number(self.cpu / "cpuacct.usage") / 1e9

    def kills(self) -> int:
        """Return how many processes the kernel has killed for want of memory."""
        name = "memory.events" if self.is_unified else "memory.oom_control"
        return _entry(self.memory / name, "oom_kill")


def group_of(pid: int) -> ControlGroup:
    """Return the control group of a process of this machine; raises OSError."""
    lines = Path(f"/proc/{pid}/cgroup").read_text("ascii").splitlines()
    paths = {
        kind: path.lstrip("/")
        for _, kinds, path in (line.split(":", 2) for line in lines)
        for kind in kinds.split(",")
    }
    if "memory" in paths:
        return ControlGroup(ROOT / "memory" / paths["memory"], ROOT / "cpuacct" / paths["cpuacct"])
    folder = ROOT / paths[""]
    return ControlGroup(folder, folder)


def _number(file: Path) -> int:
    return int(file.read_text("ascii"))


def _entry(file: Path, name: str) -> int:
    """Return a number by its name, 0 where there is none."""
    for line in file.read_text("ascii").splitlines():
        key, value = line.split()
        if key == name:
            return int(value)
    return 0
