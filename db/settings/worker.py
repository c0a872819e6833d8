"""The settings of workers."""

from __future__ import annotations

from dataclasses import dataclass

from .value import (
    choice,
    comma_separated,
    number,
    setting,
)


@dataclass(frozen=True)
class WorkerSettings:
    """The settings of workers."""

    lease_seconds: float = setting(
        30.0,
        number(1, 3600, "seconds"),
        "seconds without a heartbeat before a worker's chunk is reassigned",
    )
    gate_scope: str = setting(
        "auto",
        choice("auto", "machine", "cgroup"),
        "whose CPU use counts: machine, cgroup (the worker's container), or auto, which is cgroup"
        " if the container's CPU is limited and machine otherwise",
    )
    gate_open_cores: float = setting(
        0.3,
        number(0, 1024, "cores"),
        "CPU cores used by other programs below which the gate opens",
    )
    gate_close_cores: float = setting(
        0.5,
        number(0, 1024, "cores"),
        "CPU cores used by other programs above which the gate closes",
    )
    gate_open_seconds: float = setting(
        15.0,
        number(0, 3600, "seconds"),
        "seconds the machine must be idle before the gate opens",
    )
    gate_closed_seconds: float = setting(
        20.0, number(0, 3600, "seconds"), "minimum seconds the gate stays closed"
    )
    gate_open_memory: float = setting(
        0.25, number(0, 1, "(a share)"), "share of free memory above which the gate opens"
    )
    gate_close_memory: float = setting(
        0.15, number(0, 1, "(a share)"), "share of free memory below which the gate closes"
    )
    gate_disk_mib: float = setting(
        500.0, number(0, 1e9, "MiB"), "MiB of free disk space below which the gate closes"
    )
    gate_web_requests: float = setting(
        20.0,
        number(0, 1e6, "requests/s"),
        "requests per second to the web processes above which the gate closes",
    )
    gate_web_seconds: float = setting(
        0.5,
        number(0, 3600, "seconds"),
        "p95 latency of the web processes in seconds above which the gate closes",
    )
    gate_pressure: float = setting(
        0.3,
        number(0, 1, "(a share)"),
        "share of time that tasks wait for memory or disk above which the gate does not open",
    )
    gate_gpu: float = setting(
        0.3,
        number(0, 1, "(a share)"),
        "share of a GPU used by other programs above which the gate closes",
    )
    gate_suspend_seconds: float = setting(
        600.0,
        number(0, 86400, "seconds"),
        "seconds a worker keeps its chunk while the gate is suspended, before it gives it back",
    )
    code_paths: tuple[str, ...] = setting(
        ("datasets",),
        comma_separated,
        "packages from which specs may import enrichers and teachers, separated by commas",
    )
    gate_nice: str = setting(
        "count",
        choice("count", "ignore"),
        "whether the CPU use of programs that run at a nice value above 0 counts: count or ignore",
    )
    spec_variables: tuple[str, ...] = setting(
        ("*",),
        comma_separated,
        "environment variables that specs may use, separated by commas, * stands for any"
        " characters; never those of the settings",
    )
