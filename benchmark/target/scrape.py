"""Scrape the metrics that a web process publishes at /metrics."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 5.0
ROUTE = "/predict"
UNRECORDED = (
    "veilleuse_unseen_queue_dropped",
    "veilleuse_unseen_queue_refused",
    "veilleuse_unseen_queue_over_share",
)


@dataclass(frozen=True)
class Scrape:
    """The counters of a server at one moment, and its resources."""

    # The histogram of predictions: how many took at most that many seconds.
    durations: dict[float, float]
    cpu_seconds: float
    mebibytes: float
    # Unseen inputs that were answered and not recorded, for whatever reason.
    unrecorded_inputs: float = 0.0


def scrape(host: str, headers: dict[str, str]) -> Scrape | None:
    """Return the metrics of a server, None if they cannot be read."""
    request = urllib.request.Request(f"{host}/metrics", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return read_scrape(answer.read().decode())
    except (OSError, ValueError):
        return None


def read_scrape(text: str) -> Scrape | None:
    """Parse metrics in Prometheus's text format, None if they are those of another program."""
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
        sum(single.get(name, 0.0) for name in UNRECORDED),
    )


def quantile_ms(before: Scrape, after: Scrape, share: float) -> float | None:
    """Return a quantile of the answers between two scrapes in ms, None if there were no answers.

    It interpolates linearly within a bucket, as Prometheus's histogram_quantile does.
    """
    counts = [
        (bound, count - before.durations.get(bound, 0.0))
        for bound, count in sorted(after.durations.items())
    ]
    if not counts or counts[-1][1] <= 0:
        return None
    wanted = share * counts[-1][1]
    low_bound, low_count = 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            if bound == float("inf"):
                return 1000 * low_bound
            within = (wanted - low_count) / (count - low_count) if count > low_count else 1.0
            return 1000 * (low_bound + (bound - low_bound) * within)
        low_bound, low_count = bound, count
    return 1000 * low_bound
