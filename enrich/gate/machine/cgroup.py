"""Control groups: the limits and the usage of the container that this process is in.

Parsed here because no maintained library reads v1, v2 and hosts that have both. Sources: the
kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst, and proc(5) for mountinfo.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# In v1 the kernel writes a limit of at least this size for "no limit".
NO_LIMIT_BYTES = 2**62


@dataclass(frozen=True)
class Use:
    """The memory limit and usage of a group, without page cache that the kernel can reclaim."""

    limit_bytes: int
    used_bytes: int


@dataclass(frozen=True)
class Levels:
    """The folders of a controller for one process: its own group first, then each parent group."""

    folders: tuple[Path, ...] = ()
    is_v2: bool = False


class Cgroup:
    """The control groups of one process."""

    def __init__(self, process: Path = Path("/proc/self"), root: Path = Path("/")) -> None:
        paths = _paths(process)
        mounts = _mounts(process)
        self.memory = _levels(root, paths, mounts, "memory")
        self._quota = _levels(root, paths, mounts, "cpu")
        self._usage = _levels(root, paths, mounts, "cpuacct")

    def memory_use(self) -> list[Use]:
        """Return the memory limit and usage at each level that has a limit."""
        read = _use_v2 if self.memory.is_v2 else _use_v1
        uses = (read(folder) for folder in self.memory.folders)
        return [use for use in uses if use is not None]

    def limited_group(self) -> Path | None:
        """Return the path of the group with the lowest CPU limit; None if no group has a limit."""
        read = _cores_v2 if self._quota.is_v2 else _cores_v1
        cores = {folder: read(folder) for folder in self._quota.folders}
        limits = {folder: quota for folder, quota in cores.items() if quota is not None}
        if not limits:
            return None
        least = min(limits, key=lambda folder: limits[folder])
        return least.relative_to(self._quota.folders[-1])

    def cpu_seconds(self, group: Path | None = None) -> float:
        """Return the CPU seconds of a group, by default of the process's own.

        Raises OSError if they cannot be read.
        """
        if not self._usage.folders:
            raise FileNotFoundError("no CPU accounting for this process's control group")
        top = self._usage.folders[-1]
        # The nearest group that contains it: v1 may count CPU in fewer groups than it limits.
        folder = next(
            folder
            for folder in self._usage.folders
            if group is None or group.is_relative_to(folder.relative_to(top))
        )
        if self._usage.is_v2:
            return _numbers(folder / "cpu.stat")["usage_usec"] / 1e6
        return int(_text(folder / "cpuacct.usage")) / 1e9

    def nice_seconds(self, group: Path | None = None) -> float:
        """Return the CPU seconds of a group's processes at a nice value above 0, in user code.

        0 where the kernel does not count them: before Linux 6.13, and in v1.
        """
        if not self._usage.is_v2:
            return 0.0
        top = self._usage.folders[-1]
        folder = self._usage.folders[0] if group is None else top / group
        return _numbers(folder / "cpu.stat").get("nice_usec", 0) / 1e6

    @property
    def pressure_folder(self) -> Path | None:
        """The folder of this container's pressure files; None without a memory limit or files."""
        if self.memory.is_v2 and self.memory_use():
            folder = self.memory.folders[0]
            return folder if (folder / "memory.pressure").exists() else None
        return None


def _text(path: Path) -> str:
    return os.fsdecode(path.read_bytes()).strip()


def _lines(path: Path) -> list[str]:
    # Not splitlines(): paths may contain characters that it takes for line ends.
    return [line for line in _text(path).split("\n") if line]


def _numbers(path: Path) -> dict[str, int]:
    """Return the numbers of a file of `name number` lines, by name."""
    lines = (line.split() for line in _lines(path))
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}  # noqa: PLR2004


def _paths(process: Path) -> dict[str, str]:
    """Return the path of the process's group by v1 controller; the v2 path is under ""."""
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
    """The mount point of a hierarchy, and the folder of the hierarchy that is mounted there."""

    point: str
    root: str


def _mounts(process: Path) -> dict[str, _Mount]:
    """Return the mount of each v1 controller; the v2 mount is under ""."""
    mounts: dict[str, _Mount] = {}
    try:
        lines = _lines(process / "mountinfo")
    except OSError:
        return {}
    for line in lines:
        before, _, after = line.partition(" - ")
        file_system, _, options = after.split(" ", 2)
        mount = _Mount(point=before.split(" ")[4], root=before.split(" ")[3])
        if file_system == "cgroup2":
            mounts.setdefault("", mount)
        elif file_system == "cgroup":
            for controller in options.rsplit(" ", 1)[-1].split(","):
                mounts.setdefault(controller, mount)
    return mounts


def _levels(
    root: Path, paths: dict[str, str], mounts: dict[str, _Mount], controller: str
) -> Levels:
    """Return the folders of a controller; a host with both versions has it in one of them."""
    name = controller if controller in mounts and controller in paths else ""
    if name not in mounts or name not in paths:
        return Levels()
    mount, path = mounts[name], paths[name]
    top = root / mount.point.lstrip("/")
    base = mount.root.rstrip("/")
    inside = path.removeprefix(base) if f"{path}/".startswith(f"{base}/") else ""
    own = top / inside.strip("/")
    # A container often sees its own group at the top of the mount, while its path is the host's.
    own = own if own.is_dir() else top
    folders = [own, *own.parents]
    return Levels(tuple(folders[: folders.index(top) + 1]), is_v2=name == "")


def _use_v2(folder: Path) -> Use | None:
    try:
        limit = _text(folder / "memory.max")
        if limit == "max":
            return None
        reclaimable = _numbers(folder / "memory.stat").get("inactive_file", 0)
        return Use(int(limit), int(_text(folder / "memory.current")) - reclaimable)
    except FileNotFoundError:
        # The root group has no such file.
        return None


def _use_v1(folder: Path) -> Use | None:
    try:
        limit = int(_text(folder / "memory.limit_in_bytes"))
        if limit >= NO_LIMIT_BYTES:
            return None
        reclaimable = _numbers(folder / "memory.stat").get("total_inactive_file", 0)
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
