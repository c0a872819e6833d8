"""The figures that a web process tells about itself at /metrics."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

PATIENCE_SECONDS = 5.0
ROUTE = "/predict"


@dataclass(frozen=True)
class Scrape:
    """What a server had done by some moment, and what it took then."""

    # How many predictions took no longer than so many seconds.
    durations: dict[float, float]
    cpu_seconds: float
    mebibytes: float


def scrape(host: str, headers: dict[str, str]) -> Scrape | None:
    """Return a server's figures, None where it has none for us."""
    request = urllib.request.Request(f"{host}/metrics", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
            return read_scrape(answer.read().decode())
    except (OSError, ValueError):
        return None


def read_scrape(text: str) -> Scrape | None:
    """Read what Prometheus would; None where it is of another kind of server."""
    durations: dict[float, float] = {}
    single: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "veilleuse_request_seconds_bucket":
                if sample.labels["route"].startswith(ROUTE):
                    bound = float(sample.labels["le"])
                    durations[bound] = durations.get(bound, 0.0) + sample.value
            elif not sample.labels:
                single[sample.name] = sample.value
    if "veilleuse_web_memory_bytes" not in single:
        return None
    return Scrape(
        durations,
        single.get("veilleuse_web_cpu_seconds", 0.0),
        single["veilleuse_web_memory_bytes"] / 2**20,
    )


def quantile_ms(before: Scrape, after: Scrape, share: float) -> float | None:
    """Return what that share of the answers between two scrapes did not exceed, None without any.

    Between a histogram's bounds it is taken to be even, as Prometheus does.
    """
    rising = [
        (bound, count - before.durations.get(bound, 0.0))
        for bound, count in sorted(after.durations.items())
    ]
    if not rising or rising[-1][1] <= 0:
        return None
    wanted = share * rising[-1][1]
    low_bound, low_count = 0.0, 0.0
    for bound, count in rising:
        if count >= wanted:
            if bound == float("inf"):
                return 1000 * low_bound
            within = (wanted - low_count) / (count - low_count) if count > low_count else 1.0
            return 1000 * (low_bound + (bound - low_bound) * within)
        low_bound, low_count = bound, count
    return 1000 * low_bound
