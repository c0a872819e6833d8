"""Tests of the limits on image sizes and on the memory of containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.container.cgroup import ControlGroup, group_of
from benchmark.container.container_run import ContainerRun, container_memory_verdict
from benchmark.container.image_size import ImageSize, image_size_verdict
from benchmark.container.limits import LIMITS

HELD, IDLE, KILLS = 60_000_000, 10_000_000, 2


def image_size(name: str, total: float) -> ImageSize:
    """Return an image of `total` MB, 150 of them from its base image."""
    return ImageSize(name, total, 150.0, (), (("sqlalchemy", 10.0),))


def container_run(**changes: object) -> ContainerRun:
    """Return a successful run of a container with these changes."""
    group = ControlGroup(Path("memory"), Path("cpu"))
    defaults = {"megabytes": [40.0, 60.0], "kills": 0, "code": 0, "stop_seconds": 0.5}
    return ContainerRun("web", "veilleuse-web-1", group, **(defaults | changes))  # type: ignore[arg-type]


def test_an_image_that_has_grown_fails() -> None:
    """Only the size above the base image counts."""
    limit = LIMITS["web"].over_base_mb
    at_limit, above_limit = image_size("web", 150 + limit), image_size("web", 151 + limit)
    assert image_size_verdict([at_limit, image_size("worker", 500)]).word == "PASS"
    assert image_size_verdict([above_limit, image_size("worker", 500)]).word == "FAIL"


@pytest.mark.parametrize(
    "changes",
    [
        {"megabytes": [40.0, LIMITS["web"].memory_mb + 1]},
        {"megabytes": []},
        {"kills": 1},
        {"code": 137},
        {"stop_seconds": 30.0},
    ],
)
def test_a_container_that_used_too_much_memory_or_ended_badly_fails(
    changes: dict[str, object],
) -> None:
    """A run without memory measurements fails as well."""
    assert container_memory_verdict([container_run()]).word == "PASS"
    assert container_memory_verdict([container_run(), container_run(**changes)]).word == "FAIL"


@pytest.mark.parametrize("is_unified", [True, False])
def test_memory_is_counted_as_container_engines_count_it(
    tmp_path: Path, *, is_unified: bool
) -> None:
    """Inactive file pages do not count, in both versions of control groups."""
    current_file, events_file, inactive_key, cpu = (
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
    (tmp_path / current_file).write_text(f"{HELD}\n")
    (tmp_path / events_file).write_text(f"low 0\noom_kill {KILLS}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\n{inactive_key} {IDLE}\n")
    (cpu / "cpu.stat").write_text("usage_usec 1500000\n")
    (cpu / "cpuacct.usage").write_text("1500000000\n")
    group = ControlGroup(tmp_path, cpu)
    assert group.held_bytes() == HELD - IDLE
    assert group.kills() == KILLS
    assert group.cpu_seconds() == 1.5


def test_the_control_group_of_a_process_is_found() -> None:
    """It is found with the version of control groups that this machine uses."""
    assert group_of(1).memory.parts[:4] == ("/", "sys", "fs", "cgroup")
