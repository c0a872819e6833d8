"""The control group of a container, version 1 or 2: memory, CPU and out-of-memory kills."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class ControlGroup:
    """The folders in which the kernel accounts for the memory and the CPU of a container."""

    memory: Path
    cpu: Path

    @property
    def is_unified(self) -> bool:
        """Whether it is of version 2, which has one folder for all controllers."""
        return self.memory == self.cpu

    def held_bytes(self) -> int:
        """Return the memory without inactive file cache, as container engines compute it."""
        name = "memory.current" if self.is_unified else "memory.usage_in_bytes"
        inactive = "inactive_file" if self.is_unified else "total_inactive_file"
        return _number(self.memory / name) - _entry(self.memory / "memory.stat", inactive)

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far."""
        if self.is_unified:
            return _entry(self.cpu / "cpu.stat", "usage_usec") / 1e6
        return _number(self.cpu / "cpuacct.usage") / 1e9

    def kills(self) -> int:
        """Return how many processes the kernel has killed because memory ran out."""
        name = "memory.events" if self.is_unified else "memory.oom_control"
        return _entry(self.memory / name, "oom_kill")


def group_of(pid: int) -> ControlGroup:
    """Return the control group of a process; raises OSError."""
    lines = Path(f"/proc/{pid}/cgroup").read_text("ascii").splitlines()
    paths = {
        controller: path.lstrip("/")
        for _, controllers, path in (line.split(":", 2) for line in lines)
        for controller in controllers.split(",")
    }
    if "memory" in paths:
        return ControlGroup(ROOT / "memory" / paths["memory"], ROOT / "cpuacct" / paths["cpuacct"])
    folder = ROOT / paths[""]
    return ControlGroup(folder, folder)


def _number(file: Path) -> int:
    return int(file.read_text("ascii"))


def _entry(file: Path, name: str) -> int:
    """Return the number after a name in a file, 0 if the name is not there."""
    for line in file.read_text("ascii").splitlines():
        key, value = line.split()
        if key == name:
            return int(value)
    return 0
