"""Limits of images and containers; MB are millions of bytes, as container engines print them."""

from __future__ import annotations

from dataclasses import dataclass

# The image of the system that Veilleuse replaces.
PREDECESSOR_MB = 1260.0
TIMES_SMALLER = 6.0


@dataclass(frozen=True)
class Limit:
    """The limits of an image's size and of its container's memory.

    The container should use at most `memory_mb`; the kernel kills it beyond `hard_limit_mib`.
    """

    over_base_mb: float
    total_mb: float
    memory_mb: float
    hard_limit_mib: int


LIMITS = {
    "web": Limit(
        over_base_mb=55, total_mb=PREDECESSOR_MB / TIMES_SMALLER, memory_mb=80, hard_limit_mib=96
    ),
    "worker": Limit(over_base_mb=430, total_mb=600, memory_mb=450, hard_limit_mib=512),
}
# Platforms kill a container that has not stopped within this time.
STOP_SECONDS = 10.0
