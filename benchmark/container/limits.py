"""The limits of images and containers; MB are millions of bytes, as engines say them."""

from __future__ import annotations

from dataclasses import dataclass

# The image of the system that this one follows.
FOLLOWED_MB = 1260.0
TIMES_SMALLER = 6.0


@dataclass(frozen=True)
class Limit:
    """What an image may weigh and its container hold, and what the container is given."""

    over_base_mb: float
    total_mb: float
    memory_mb: float
    given_mb: int


LIMITS = {
    "web": Limit(over_base_mb=55, total_mb=FOLLOWED_MB / TIMES_SMALLER, memory_mb=80, given_mb=96),
    "worker": Limit(over_base_mb=430, total_mb=600, memory_mb=450, given_mb=512),
}
# Platforms kill what has not ended by then.
STOP_SECONDS = 10.0
