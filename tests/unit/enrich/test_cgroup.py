"""Tests of control groups on bare hosts and in containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from enrich.gate.machine.cgroup import Cgroup, Use
from enrich.gate.machine.cpu import nice_source

MIB = 2**20
V1_NO_LIMIT = "9223372036854771712"
V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"


def mount_v1(controllers: str, root: str = "/") -> str:
    """Return the mountinfo line of a v1 mount, which is named after its controllers."""
    return f"33 32 0:30 {root} /sys/fs/cgroup/{controllers} rw - cgroup cgroup rw,{controllers}"


class FakeMachine:
    """A machine whose control group files and mounts the test writes."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.process = folder / "self"
        self.process.mkdir(parents=True)
        self.groups = self.root / "sys/fs/cgroup"
        self.groups.mkdir(parents=True)

    def set_process(self, cgroup: str, *mounts: str) -> None:
        """Write /proc/self/cgroup and /proc/self/mountinfo."""
        (self.process / "cgroup").write_text(cgroup)
        proc_mount = "23 1 0:4 / /proc rw,relatime shared:5 - proc proc rw"
        (self.process / "mountinfo").write_text("\n".join([proc_mount, *mounts]) + "\n")

    def add_group(self, path: str, files: Mapping[str, str]) -> Path:
        """Write the files of a group and return its folder."""
        folder = self.groups / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(f"{text}\n")
        return folder

    def cgroup(self) -> Cgroup:
        """Return the control groups of the process."""
        return Cgroup(self.process, self.root)


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    """Return a machine without any group."""
    return FakeMachine(tmp_path)


def v2_memory(limit: str, current: int = 0, inactive: int = 0) -> dict[str, str]:
    """Return the memory files of a v2 group, with usage in MiB."""
    return {
        "memory.max": limit,
        "memory.current": str(current * MIB),
        "memory.stat": f"anon 5\nactive_file 99\ninactive_file {inactive * MIB}\nworkingset 1",
    }


def v1_memory(limit: str, usage: int = 0, inactive: int = 0) -> dict[str, str]:
    """Return the memory files of a v1 group, with usage in MiB."""
    return {
        "memory.limit_in_bytes": limit,
        "memory.usage_in_bytes": str(usage * MIB),
        "memory.stat": f"inactive_file 7\ntotal_inactive_file {inactive * MIB}\ntotal_rss 1",
    }


def v1_quota(quota_us: int, period_us: int = 100_000) -> dict[str, str]:
    """Return the CPU files of a v1 group."""
    return {"cpu.cfs_quota_us": str(quota_us), "cpu.cfs_period_us": str(period_us)}


def limited_level(cgroup: Cgroup) -> int | None:
    """Return how many levels above the process's group the least CPU is, None without a limit."""
    group, folders = cgroup.limited_group(), cgroup._quota.folders
    return None if group is None else folders.index(folders[-1] / group)


def cpu_at(cgroup: Cgroup, level: int) -> float:
    """Return the CPU seconds used by the group this many levels above the process's group."""
    folders = cgroup._usage.folders
    return cgroup.cpu_seconds(folders[level].relative_to(folders[-1]))


def test_a_bare_host_has_no_limits_but_reports_its_cpu(machine: FakeMachine) -> None:
    """The top group of v2 has no memory.max file; that of a slice may contain "max"."""
    machine.set_process("0::/user.slice\n", V2_MOUNT)
    machine.add_group("", {"cpu.stat": "usage_usec 9000000\nuser_usec 1"})
    machine.add_group(
        "user.slice",
        {"cpu.max": "max 100000", "cpu.stat": "usage_usec 2500000", **v2_memory("max", 100)},
    )
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == []
    assert limited_level(cgroup) is None
    assert cgroup.cpu_seconds() == 2.5
    assert cpu_at(cgroup, 1) == 9.0


def test_a_machine_without_groups_has_no_limits(machine: FakeMachine) -> None:
    """There are no files to read."""
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == []
    assert limited_level(cgroup) is None
    assert cgroup.pressure_folder is None
    with pytest.raises(OSError, match="no CPU accounting"):
        cgroup.cpu_seconds()


def test_nested_v2_groups_each_have_their_limit(machine: FakeMachine) -> None:
    """The lowest CPU limit may be that of an ancestor."""
    machine.set_process("0::/kube/pod/box\n", V2_MOUNT)
    machine.add_group("", {"cpu.stat": "usage_usec 100000000"})
    machine.add_group(
        "kube",
        {"cpu.max": "300000 100000", "cpu.stat": "usage_usec 50000000", **v2_memory("max")},
    )
    machine.add_group(
        "kube/pod",
        {
            "cpu.max": "50000 100000",
            "cpu.stat": "usage_usec 5000000",
            **v2_memory(str(300 * MIB), 200, 60),
        },
    )
    machine.add_group(
        "kube/pod/box",
        {"cpu.max": "200000 100000", "cpu.stat": "usage_usec 1", **v2_memory(str(900 * MIB), 80)},
    )
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(900 * MIB, 80 * MIB), Use(300 * MIB, 140 * MIB)]
    assert limited_level(cgroup) == 1
    assert cpu_at(cgroup, 1) == 5.0


def test_a_v2_limit_of_an_ancestor_counts_if_the_group_itself_has_none(
    machine: FakeMachine,
) -> None:
    """A systemd slice may set the limit of its services."""
    machine.set_process("0::/app.slice/app.service\n", V2_MOUNT)
    machine.add_group("app.slice", {"cpu.max": "150000 100000", **v2_memory(str(512 * MIB), 12)})
    machine.add_group("app.slice/app.service", {"cpu.max": "max 100000", **v2_memory("max", 10)})
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(512 * MIB, 12 * MIB)]
    assert limited_level(cgroup) == 1


def test_a_v2_container_with_its_own_namespace_sees_itself_at_the_top(
    machine: FakeMachine,
) -> None:
    """Its path is "/", and its limits are in the folder of the mount."""
    machine.set_process("0::/\n", V2_MOUNT)
    top = machine.add_group(
        "",
        {
            "cpu.max": "50000 100000",
            "cpu.stat": "usage_usec 1500000",
            "memory.pressure": "some avg10=0.00 total=0",
            **v2_memory(str(256 * MIB), 100, 40),
        },
    )
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(256 * MIB, 60 * MIB)]
    assert limited_level(cgroup) == 0
    assert cgroup.cpu_seconds() == 1.5
    assert cgroup.pressure_folder == top


def test_a_v2_container_with_a_path_of_its_host_sees_itself_at_the_top(
    machine: FakeMachine,
) -> None:
    """The path in /proc is not visible inside the container."""
    machine.set_process("0::/system.slice/docker-abc.scope\n", V2_MOUNT)
    machine.add_group("", {"cpu.max": "50000 100000", **v2_memory(str(256 * MIB), 100)})
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(256 * MIB, 100 * MIB)]
    assert limited_level(cgroup) == 0


def test_without_pressure_files_there_is_no_pressure_folder(machine: FakeMachine) -> None:
    """The kernel may be built without PSI."""
    machine.set_process("0::/\n", V2_MOUNT)
    machine.add_group("", v2_memory("max"))
    assert machine.cgroup().pressure_folder is None


def test_v1_reads_each_controller_where_it_is_mounted(machine: FakeMachine) -> None:
    """Each hierarchy has its own path for the process."""
    machine.set_process(
        "4:memory:/jobs/one\n3:cpu:/jobs/one\n2:cpuacct:/jobs/one\n1:name=systemd:/elsewhere\n",
        mount_v1("cpu"),
        mount_v1("cpuacct"),
        mount_v1("memory"),
    )
    machine.add_group("memory", v1_memory(V1_NO_LIMIT, 4000))
    machine.add_group("memory/jobs", v1_memory(str(600 * MIB), 500, 100))
    machine.add_group("memory/jobs/one", v1_memory(str(400 * MIB), 50))
    machine.add_group("cpu", v1_quota(-1))
    machine.add_group("cpu/jobs", v1_quota(400_000))
    machine.add_group("cpu/jobs/one", v1_quota(25_000, 50_000))
    machine.add_group("cpuacct/jobs", {"cpuacct.usage": "7000000000"})
    machine.add_group("cpuacct/jobs/one", {"cpuacct.usage": "3500000000"})
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(400 * MIB, 50 * MIB), Use(600 * MIB, 400 * MIB)]
    assert limited_level(cgroup) == 0
    assert cpu_at(cgroup, 0) == 3.5
    assert cpu_at(cgroup, 1) == 7.0
    assert cgroup.pressure_folder is None


def test_v1_controllers_may_share_a_mount(machine: FakeMachine) -> None:
    """The controllers cpu and cpuacct usually do."""
    machine.set_process("2:cpu,cpuacct:/one\n", mount_v1("cpu,cpuacct"))
    machine.add_group("cpu,cpuacct/one", {**v1_quota(50_000), "cpuacct.usage": "1000000000"})
    machine.add_group("cpu,cpuacct", {**v1_quota(-1), "cpuacct.usage": "9000000000"})
    cgroup = machine.cgroup()
    assert limited_level(cgroup) == 0
    assert cgroup.cpu_seconds() == 1.0


def test_a_v1_container_is_the_root_of_its_mounts(machine: FakeMachine) -> None:
    """Both the mount's root and the process's path are the host's name for the container."""
    machine.set_process(
        "3:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n",
        mount_v1("memory", "/docker/abc"),
        mount_v1("cpu,cpuacct", "/docker/abc"),
    )
    machine.add_group("memory", v1_memory(str(128 * MIB), 64, 4))
    machine.add_group("cpu,cpuacct", {**v1_quota(50_000), "cpuacct.usage": "2000000000"})
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(128 * MIB, 60 * MIB)]
    assert limited_level(cgroup) == 0
    assert cgroup.cpu_seconds() == 2.0


def test_a_group_inside_a_v1_container_is_below_its_mount(machine: FakeMachine) -> None:
    """The limits of both groups count."""
    machine.set_process("3:memory:/docker/abc/job\n", mount_v1("memory", "/docker/abc"))
    machine.add_group("memory", v1_memory(str(128 * MIB), 64))
    machine.add_group("memory/job", v1_memory(str(32 * MIB), 16))
    assert machine.cgroup().memory_use() == [Use(32 * MIB, 16 * MIB), Use(128 * MIB, 64 * MIB)]


def test_a_v1_container_whose_path_is_not_visible_reads_the_top(machine: FakeMachine) -> None:
    """Its limits are in the top folder of the mount."""
    machine.set_process("3:memory:/docker/abc\n2:cpu:/docker/abc\n", mount_v1("memory"))
    machine.add_group("memory", v1_memory(str(128 * MIB), 64))
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(128 * MIB, 64 * MIB)]
    # The CPU hierarchy is not mounted.
    assert limited_level(cgroup) is None


def test_a_container_whose_name_begins_with_that_of_another_is_not_inside_it(
    machine: FakeMachine,
) -> None:
    """/docker/abc is not inside /docker/ab."""
    machine.set_process("3:memory:/docker/abc\n", mount_v1("memory", "/docker/ab"))
    machine.add_group("memory", v1_memory(str(128 * MIB), 64))
    machine.add_group("memory/c", v1_memory(str(2 * MIB), 1))
    assert machine.cgroup().memory_use() == [Use(128 * MIB, 64 * MIB)]


def test_a_hybrid_host_has_each_controller_in_one_version(machine: FakeMachine) -> None:
    """Memory and CPU are in v1; v2 is mounted without controllers but with pressure files."""
    machine.set_process(
        "9:name=systemd:/\n4:memory:/process_api/21d9\n2:cpuacct:/\n1:cpu:/\n0::/\n",
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
        mount_v1("cpu"),
        mount_v1("cpuacct"),
        mount_v1("memory"),
        "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd",
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
    )
    machine.add_group("unified", {"cpu.stat": "usage_usec 1", "memory.pressure": "some total=0"})
    machine.add_group("cpu", v1_quota(-1))
    machine.add_group("cpuacct", {"cpuacct.usage": "8000000000"})
    machine.add_group("memory", v1_memory(V1_NO_LIMIT, 100))
    machine.add_group("memory/process_api", v1_memory(V1_NO_LIMIT, 90))
    machine.add_group("memory/process_api/21d9", v1_memory(str(64 * MIB), 32, 2))
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(64 * MIB, 30 * MIB)]
    assert limited_level(cgroup) is None
    assert cgroup.cpu_seconds() == 8.0
    assert cgroup.pressure_folder is None


def test_a_hybrid_host_may_have_its_memory_in_v2(machine: FakeMachine) -> None:
    """A controller that v1 does not mount is read in v2."""
    machine.set_process(
        "2:cpu,cpuacct:/job\n0::/job\n",
        mount_v1("cpu,cpuacct"),
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    )
    machine.add_group("cpu,cpuacct/job", {**v1_quota(50_000), "cpuacct.usage": "1000000000"})
    machine.add_group("unified/job", v2_memory(str(64 * MIB), 32))
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == [Use(64 * MIB, 32 * MIB)]
    assert limited_level(cgroup) == 0
    assert cgroup.cpu_seconds() == 1.0


def test_cpu_use_is_read_at_the_group_with_the_least_cpu(machine: FakeMachine) -> None:
    """The v1 hierarchies may differ in depth, so a group is found by its path."""
    machine.set_process(
        "2:cpuacct:/\n1:cpu:/docker/abc\n",
        mount_v1("cpu"),
        mount_v1("cpuacct"),
    )
    machine.add_group("cpu", v1_quota(-1))
    machine.add_group("cpu/docker", v1_quota(50_000))
    machine.add_group("cpu/docker/abc", v1_quota(-1))
    machine.add_group("cpuacct", {"cpuacct.usage": "9000000000"})
    cgroup = machine.cgroup()
    assert cgroup.cpu_seconds(cgroup.limited_group()) == 9.0


def test_missing_files_mean_that_there_is_no_limit(machine: FakeMachine) -> None:
    """A controller may be mounted but not turned on for the group."""
    machine.set_process("3:memory:/\n2:cpu:/\n0::/\n", mount_v1("memory"), mount_v1("cpu"))
    machine.add_group("memory", {})
    machine.add_group("cpu", {"cpu.cfs_quota_us": "50000"})
    cgroup = machine.cgroup()
    assert cgroup.memory_use() == []
    assert limited_level(cgroup) is None


def test_a_group_without_cpu_accounting_raises_an_error(machine: FakeMachine) -> None:
    """Its CPU use must not be read as 0."""
    machine.set_process("0::/\n", V2_MOUNT)
    with pytest.raises(OSError, match=r"cpu\.stat"):
        machine.cgroup().cpu_seconds()
    machine.set_process("")
    with pytest.raises(OSError, match="no CPU accounting"):
        machine.cgroup().cpu_seconds()


def test_memory_that_the_kernel_would_drop_counts_as_free(machine: FakeMachine) -> None:
    """Inactive file pages do, if the kernel reports them."""
    machine.set_process("0::/\n", V2_MOUNT)
    machine.add_group("", {**v2_memory(str(100 * MIB), 90), "memory.stat": "anon 1"})
    assert machine.cgroup().memory_use() == [Use(100 * MIB, 90 * MIB)]


def test_a_mount_with_an_accent_in_its_name_is_skipped(machine: FakeMachine) -> None:
    """The list of mounts also contains USB sticks."""
    stick = "99 23 8:1 / /media/zoé/Clé\\040USB rw - vfat /dev/sdb1 rw"
    machine.set_process("0::/\n", stick, V2_MOUNT)
    machine.add_group("", v2_memory(str(100 * MIB), 90))
    assert machine.cgroup().memory_use() == [Use(100 * MIB, 90 * MIB)]


def test_the_groups_of_the_test_process_can_be_read() -> None:
    """The machine that runs the tests may have any version."""
    cgroup = Cgroup()
    for use in cgroup.memory_use():
        assert use.limit_bytes > 0
        assert use.used_bytes >= 0
    assert cgroup.cpu_seconds(cgroup.limited_group()) >= 0


@pytest.mark.parametrize(("line", "seconds"), [("\nnice_usec 1500000", 1.5), ("", 0.0)])
def test_nice_load_is_read_where_the_kernel_counts_it(
    machine: FakeMachine, line: str, seconds: float
) -> None:
    """Since Linux 6.13; elsewhere it is 0, so that all load counts."""
    machine.set_process("0::/app\n", V2_MOUNT)
    machine.add_group("app", {"cpu.stat": f"usage_usec 2500000{line}"})
    assert nice_source("cgroup", machine.cgroup())() == seconds


def test_v1_does_not_count_nice_load(machine: FakeMachine) -> None:
    """All load counts there."""
    machine.set_process("4:cpuacct:/app\n", mount_v1("cpuacct"))
    machine.add_group("cpuacct/app", {"cpuacct.usage": "2500000000"})
    assert nice_source("cgroup", machine.cgroup())() == 0.0
