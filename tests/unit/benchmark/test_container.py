"""What images and containers are held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.container.cgroup import ControlGroup, group_of
from benchmark.container.container_run import ContainerRun, container_memory_verdict
from benchmark.container.image_size import ImageSize, image_size_verdict
from benchmark.container.limits import LIMITS

HELD, IDLE, KILLS = 60_000_000, 10_000_000, 2


def weighed(room: str, total: float) -> ImageSize:
    """Return an image that weighs so many MB, 150 of them its base's."""
    return ImageSize(room, total, 150.0, (), (("sqlalchemy", 10.0),))


def stayed(**changed: object) -> ContainerRun:
    """Return a stay that was well, but for what is said."""
    group = ControlGroup(Path("memory"), Path("cpu"))
    well = {"megabytes": [40.0, 60.0], "kills": 0, "code": 0, "stop_seconds": 0.5}
    return ContainerRun("web", "veilleuse-web-1", group, **(well | changed))  # type: ignore[arg-type]


def test_an_image_that_has_grown_fails() -> None:
    """By what is its own, whatever its base weighs."""
    limit = LIMITS["web"].over_base_mb
    slim, grown = weighed("web", 150 + limit), weighed("web", 151 + limit)
    assert image_size_verdict([slim, weighed("worker", 500)]).word == "PASS"
    assert image_size_verdict([grown, weighed("worker", 500)]).word == "FAIL"


@pytest.mark.parametrize(
    "changed",
    [
        {"megabytes": [40.0, LIMITS["web"].memory_mb + 1]},
        {"megabytes": []},
        {"kills": 1},
        {"code": 137},
        {"stop_seconds": 30.0},
    ],
)
def test_a_container_that_took_too_much_or_ended_badly_fails(changed: dict[str, object]) -> None:
    """As does one of which nothing was measured."""
    assert container_memory_verdict([stayed()]).word == "PASS"
    assert container_memory_verdict([stayed(), stayed(**changed)]).word == "FAIL"


@pytest.mark.parametrize("is_unified", [True, False])
def test_memory_is_told_as_engines_tell_it(tmp_path: Path, *, is_unified: bool) -> None:
    """Without files that could be dropped; by either version of control groups."""
    held, killed, idle, cpu = (
        ("memory.current", "memory.events", "inactive_file", tmp_path)
        if is_unified
        else (
            "memory.usage_in_bytes",
            "memory.oom_control",
            "total_inactive_file",
            tmp_path / "cpu",
        )
    )
    cpu.mkdir(exist_ok=True)
    (tmp_path / held).write_text(f"{HELD}\n")
    (tmp_path / killed).write_text(f"low 0\noom_kill {KILLS}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\n{idle} {IDLE}\n")
    (cpu / "cpu.stat").write_text("usage_usec 1500000\n")
    (cpu / "cpuacct.usage").write_text("1500000000\n")
    group = ControlGroup(tmp_path, cpu)
    assert group.held_bytes() == HELD - IDLE
    assert group.kills() == KILLS
    assert group.cpu_seconds() == 1.5


def test_the_group_of_a_process_is_where_the_kernel_counts_it() -> None:
    """Of this very process, by whichever version this machine has."""
    assert group_of(1).memory.parts[:4] == ("/", "sys", "fs", "cgroup")
