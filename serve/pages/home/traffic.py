"""The traffic of the web processes: current load, and requests since the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

from db.traffic.web_load import WebLoad
from serve.telemetry.counters import BOUNDS_SECONDS, Counts, Durations
from serve.telemetry.multiprocess import MultiprocessMetrics
from serve.telemetry.prometheus import memory_of


@dataclass(frozen=True)
class Traffic:
    """The current load of all machines, and this machine's requests since the start."""

    load: WebLoad
    requests: int
    failed: int
    turned_away: int
    quantiles: dict[str, float]
    # The memory of each web process of this machine in bytes, by process id.
    memory_bytes: dict[int, int] = field(default_factory=dict)


def traffic_of(load: WebLoad, counts: Counts, memory_bytes: dict[int, int]) -> Traffic:
    """Return the traffic by the counts of all web processes of this machine."""
    predict_durations = Durations()
    for route, durations in counts.durations.items():
        if route.startswith("/predict"):
            predict_durations.add(durations)
    failed = sum(
        count for (_, _, status), count in counts.requests.items() if status.startswith("5")
    )
    return Traffic(
        load=load,
        requests=sum(counts.requests.values()),
        failed=failed,
        turned_away=counts.shed,
        quantiles=quantiles(predict_durations),
        memory_bytes=memory_bytes,
    )


def quantiles(durations: Durations) -> dict[str, float]:
    """Return upper bounds in seconds of the 50th, 95th and 99th percentile; {} without requests.

    Each is the smallest bound of the histogram that at least that share of requests stayed below.
    """
    total = sum(durations.counts)
    if not total:
        return {}
    bounds = [*BOUNDS_SECONDS, float("inf")]
    cumulative = list(zip(bounds, accumulate(durations.counts), strict=True))
    return {
        name: next(bound for bound, below in cumulative if below >= share * total)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def read_memory(process_metrics: MultiprocessMetrics) -> dict[int, int]:
    """Return the memory of each running web process, {} where the system does not tell it."""
    sizes = ((pid, memory_of(pid)) for pid in process_metrics.pids())
    return {pid: size for pid, size in sizes if size}
