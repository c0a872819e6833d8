"""Control groups: the limits and use of the container that this process is in.

Read by hand, since no library that is kept up reads v1, v2 and hosts with both. Sources: the
kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst, and proc(5) for mountinfo.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# A v1 limit of this size or more is the kernel's way to say that there is none.
NO_LIMIT_BYTES = 2**62


@dataclass(frozen=True)
class Use:
    """Memory that a group may use, and does: what the kernel would drop at once is not counted."""

    limit_bytes: int
    used_bytes: int


@dataclass(frozen=True)
class Levels:
    """A hierarchy's folders for this process, its own group first, then each one around it."""

    folders: tuple[Path, ...] = ()
    is_v2: bool = False


class Cgroup:
    """The groups of one process."""

    def __init__(self, process: Path = Path("/proc/self"), root: Path = Path("/")) -> None:
        paths = _paths(process)
        mounts = _mounts(process)
        self.memory = _levels(root, paths, mounts, "memory")
        self._quota = _levels(root, paths, mounts, "cpu")
        self._usage = _levels(root, paths, mounts, "cpuacct")

    def memory_use(self) -> list[Use]:
        """Return the use at each level that has a limit."""
        read = _use_v2 if self.memory.is_v2 else _use_v1
        found = (read(folder) for folder in self.memory.folders)
        return [use for use in found if use is not None]

    def limited_group(self) -> Path | None:
        """Return the group with the least CPU, by its path, None where none has a limit."""
        read = _cores_v2 if self._quota.is_v2 else _cores_v1
        cores = {folder: read(folder) for folder in self._quota.folders}
        limits = {folder: quota for folder, quota in cores.items() if quota is not None}
        if not limits:
            return None
        least = min(limits, key=lambda folder: limits[folder])
        return least.relative_to(self._quota.folders[-1])

    def cpu_seconds(self, group: Path | None = None) -> float:
        """Return the CPU of a group, its own if none; raises OSError where it cannot be read."""
        if not self._usage.folders:
            raise FileNotFoundError("no CPU accounting for this process's control group")
        top = self._usage.folders[-1]
        around = [
            folder
            for folder in self._usage.folders
            # The nearest around it: v1 may count CPU in fewer groups than it limits.
            if group is None or group.is_relative_to(folder.relative_to(top))
        ]
        folder = around[0]
        if self._usage.is_v2:
            return _words(folder / "cpu.stat")["usage_usec"] / 1e6
        return int(_text(folder / "cpuacct.usage")) / 1e9

    @property
    def pressure_folder(self) -> Path | None:
        """The folder whose pressure files are this container's, where it is one with a limit."""
        if self.memory.is_v2 and self.memory_use():
            folder = self.memory.folders[0]
            return folder if (folder / "memory.pressure").exists() else None
        return None


def _text(path: Path) -> str:
    return os.fsdecode(path.read_bytes()).strip()


def _lines(path: Path) -> list[str]:
    # Names may hold what Python takes for an end of line.
    return [line for line in _text(path).split("\n") if line]


def _words(path: Path) -> dict[str, int]:
    """Return a file of `name number` lines."""
    lines = (line.split() for line in _lines(path))
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}  # noqa: PLR2004


def _paths(process: Path) -> dict[str, str]:
    """Return the process's path in each v1 controller's hierarchy, and in v2's as ""."""
    paths = {}
    try:
        lines = _lines(process / "cgroup")
    except OSError:
        return {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


@dataclass(frozen=True)
class _Mount:
    """Where a hierarchy is mounted, and which of its folders is at that place."""

    point: str
    root: str


def _mounts(process: Path) -> dict[str, _Mount]:
    """Return where each v1 controller is mounted, and v2 as ""."""
    mounts: dict[str, _Mount] = {}
    try:
        lines = _lines(process / "mountinfo")
    except OSError:
        return {}
    for line in lines:
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        mount = _Mount(point=before.split(" ")[4], root=before.split(" ")[3])
        if kind == "cgroup2":
            mounts.setdefault("", mount)
        elif kind == "cgroup":
            for controller in options.rsplit(" ", 1)[-1].split(","):
                mounts.setdefault(controller, mount)
    return mounts


def _levels(
    root: Path, paths: dict[str, str], mounts: dict[str, _Mount], controller: str
) -> Levels:
    """Return a controller's folders: on a host with both versions each is in only one of them."""
    name = controller if controller in mounts and controller in paths else ""
    if name not in mounts or name not in paths:
        return Levels()
    mount, path = mounts[name], paths[name]
    top = root / mount.point.lstrip("/")
    base = mount.root.rstrip("/")
    inside = path.removeprefix(base) if f"{path}/".startswith(f"{base}/") else ""
    own = top / inside.strip("/")
    # A container often sees its own group as the top of the mount, under a path of the host's.
    own = own if own.is_dir() else top
    folders = [own, *own.parents]
    within = folders[: folders.index(top) + 1]
    return Levels(tuple(within), is_v2=name == "")


def _use_v2(folder: Path) -> Use | None:
    try:
        limit = _text(folder / "memory.max")
        if limit == "max":
            return None
        reclaimable = _words(folder / "memory.stat").get("inactive_file", 0)
        return Use(int(limit), int(_text(folder / "memory.current")) - reclaimable)
    except FileNotFoundError:
        # The top of the tree has none.
        return None


def _use_v1(folder: Path) -> Use | None:
    try:
        limit = int(_text(folder / "memory.limit_in_bytes"))
        if limit >= NO_LIMIT_BYTES:
            return None
        reclaimable = _words(folder / "memory.stat").get("total_inactive_file", 0)
        return Use(limit, int(_text(folder / "memory.usage_in_bytes")) - reclaimable)
    except FileNotFoundError:
        return None


def _cores_v2(folder: Path) -> float | None:
    try:
        quota, period = _text(folder / "cpu.max").split()
    except FileNotFoundError:
        return None
    return None if quota == "max" else int(quota) / int(period)


def _cores_v1(folder: Path) -> float | None:
    try:
        quota = int(_text(folder / "cpu.cfs_quota_us"))
        period = int(_text(folder / "cpu.cfs_period_us"))
    except FileNotFoundError:
        return None
    return None if quota < 0 else quota / period
