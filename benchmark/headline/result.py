"""What a comparison with peers has measured, as it is stored."""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "standing.json"
VEILLEUSE = "Veilleuse"
WAITRESS, GRANIAN = f"{VEILLEUSE} on waitress", f"{VEILLEUSE} on granian"
BARE_ROUTE = "a bare Bottle route on waitress, returning a constant"
# What the servers of a comparison get.
REPEATED, STORED = "200 sentences, repeated", "stored sentences, not cached"
SENTENCES, ROWS = "sentences never seen", "rows never seen"


class ServerFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The medians of one server: rates per second, times in ms, memory (PSS) in MiB.

    `quality` is the accuracy out of fold of what it answers to sentences, or the error (RMSE) of
    its answers to held-out rows.
    """

    name: str
    inputs: str
    rate: float
    p50: float
    p95: float
    p99: float
    failures: float
    mebibytes: float
    cpu_microseconds: float
    start_seconds: float
    # The share of the unseen inputs that there was room to record.
    recorded: float = 1.0
    quality: float | None = None
    # One POST of 1,000 inputs never seen, and the CPU time that it took; 0 where none was sent.
    post_milliseconds: float = 0.0
    post_cpu_milliseconds: float = 0.0

    @property
    def is_ours(self) -> bool:
        """Whether it is this project's web process."""
        return self.name.startswith(VEILLEUSE)


class HeadlineResult(msgspec.Struct, frozen=True):
    """The figures of all servers, of the web process's memory, and of the enrichment."""

    about: dict[str, str]
    servers: list[ServerFigures]
    start_mebibytes: float
    connected_mebibytes: float
    # What store, leases and child add to an enricher's own time for one record.
    enrichment_microseconds: float
    # Predictions that the store alone reads per second.
    store_rate: float

    def server(self, name: str, inputs: str) -> ServerFigures:
        """Return the figures of a server for some inputs; raises StopIteration if not measured."""
        return next(one for one in self.servers if (one.name, one.inputs) == (name, inputs))

    def peers(self, inputs: str) -> list[ServerFigures]:
        """Return the peers that got some inputs, the fastest first."""
        peers = [one for one in self.servers if one.inputs == inputs and not one.is_ours]
        return sorted(peers, key=lambda one: -one.rate)


def read_result(folder: Path) -> HeadlineResult:
    """Read the result of a folder."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=HeadlineResult)


def write_result(result: HeadlineResult, folder: Path) -> None:
    """Write a result into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
