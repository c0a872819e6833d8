"""The memory that other programs leave free, within the tightest limit."""

from __future__ import annotations

import psutil

from .cgroup import Cgroup, Use


def free_share(uses: list[Use], own_bytes: int) -> float:
    """Return the smallest free share at any level; our own memory counts as free."""
    return min(1 - max(use.used_bytes - own_bytes, 0) / use.limit_bytes for use in uses)


def read_memory(cgroup: Cgroup, own_bytes: int) -> float:
    """Return the share of memory that would be free without our processes."""
    host = psutil.virtual_memory()
    uses = [use for use in cgroup.memory_use() if use.limit_bytes < host.total]
    return free_share([*uses, Use(host.total, host.total - host.available)], own_bytes)


def read_free_bytes(cgroup: Cgroup) -> int:
    """Return how many bytes more may be used, within the tightest limit."""
    host = psutil.virtual_memory()
    left = (use.limit_bytes - use.used_bytes for use in cgroup.memory_use())
    return max(min([*left, host.available]), 0)
