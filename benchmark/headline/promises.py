"""What is promised of a comparison with peers, and what of it a result keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmark.comparison.peer_servers import (
    FASTAPI_CHARACTERS,
    FASTAPI_TREES,
    FASTAPI_WHOLE_GRAPH,
)

from .result import (
    BARE_ROUTE,
    GRANIAN,
    REPEATED,
    ROWS,
    SENTENCES,
    STORED,
    WAITRESS,
    HeadlineResult,
    ServerFigures,
)


@dataclass(frozen=True)
class Measured:
    """A figure with what was measured for it, its least and its wanted value.

    `of_cpu` is the ratio of CPU time per request or POST, None where there is none. More is better,
    unless the least value is above the wanted one.
    """

    figures: str
    value: float
    unit: str
    at_least: float
    aim: float
    of_cpu: float | None = None

    @property
    def verdict(self) -> str:
        """What the figure reaches: missed, met, aim met."""
        sign = 1 if self.aim >= self.at_least else -1
        if sign * self.value < sign * self.at_least:
            return "missed"
        return "aim met" if sign * self.value >= sign * self.aim else "met"


@dataclass(frozen=True)
class Promise:
    """A row of the promises: one or two figures under one name."""

    what: str
    parts: list[Measured]


def promises(result: HeadlineResult) -> list[Promise]:
    """Return what is promised of a result, with what it has measured."""
    text, table = result.peers(SENTENCES), result.peers(ROWS)
    bare = [result.server(BARE_ROUTE, REPEATED)]

    def rate(
        name: str, inputs: str, of: list[ServerFigures], at_least: float, aim: float
    ) -> Measured:
        return _rate(result.server(name, inputs), of, at_least, aim)

    def sentences(name: str, at_least: float, aim: float) -> Measured:
        measured = rate(name, SENTENCES, text, at_least, aim)
        exported = result.server(FASTAPI_WHOLE_GRAPH, SENTENCES)
        ratio = result.server(name, SENTENCES).rate / exported.rate
        return replace(measured, figures=f"{measured.figures}; {ratio:.2f} × {FASTAPI_WHOLE_GRAPH}")

    def post(inputs: str, peer: str, at_least: float, aim: float) -> Measured:
        ours, theirs = result.server(WAITRESS, inputs), result.server(peer, inputs)
        return _post(ours, theirs, at_least, aim)

    return [
        Promise(
            f"sentences never seen, on waitress, of {text[0].name}",
            [sentences(WAITRESS, 2.5, 3.5)],
        ),
        Promise(
            f"sentences never seen, on granian, of {text[0].name}",
            [sentences(GRANIAN, 4, 6)],
        ),
        Promise(
            f"rows never seen, on waitress / granian, of {table[0].name}",
            [rate(WAITRESS, ROWS, table, 1.5, 2), rate(GRANIAN, ROWS, table, 3, 5)],
        ),
        Promise(
            "repeated / stored, of a bare Bottle route",
            [rate(WAITRESS, REPEATED, bare, 1.1, 1.3), rate(WAITRESS, STORED, bare, 0.7, 0.9)],
        ),
        Promise(
            "POST of 1,000 rows / sentences, of scikit-learn behind FastAPI at equal error",
            [post(ROWS, FASTAPI_TREES, 1, 2), post(SENTENCES, FASTAPI_CHARACTERS, 3, 5)],
        ),
        Promise(
            "memory at the start / with 1,000 connections",
            [
                Measured("", result.start_mebibytes, " MiB", 43, 38),
                Measured("", result.connected_mebibytes, " MiB", 50, 45),
            ],
        ),
        Promise(
            "start to the first answer, of the quickest peer",
            [_start(result.server(WAITRESS, SENTENCES), [*text, *table])],
        ),
        Promise(
            "store, leases and child per record and enricher",
            [Measured("", result.enrichment_microseconds, " µs", 35, 25)],
        ),
    ]


def _rate(ours: ServerFigures, peers: list[ServerFigures], at_least: float, aim: float) -> Measured:
    """Compare with the best peer, which may be another one by CPU time."""
    best = max(one.rate for one in peers)
    return Measured(
        f"{ours.rate:,.0f} of {best:,.0f}/s",
        ours.rate / best,
        " ×",
        at_least,
        aim,
        min(one.cpu_microseconds for one in peers) / ours.cpu_microseconds,
    )


def _post(ours: ServerFigures, theirs: ServerFigures, at_least: float, aim: float) -> Measured:
    """Return how many times sooner we answer."""
    return Measured(
        f"{ours.post_milliseconds:.0f} ms, {theirs.post_milliseconds:.0f} ms",
        theirs.post_milliseconds / ours.post_milliseconds,
        " ×",
        at_least,
        aim,
        theirs.post_cpu_milliseconds / ours.post_cpu_milliseconds,
    )


def _start(ours: ServerFigures, peers: list[ServerFigures]) -> Measured:
    """Return how many times sooner than any peer we answer first."""
    quickest = min(peers, key=lambda one: one.start_seconds)
    return Measured(
        f"{ours.start_seconds:.2f} s, {quickest.start_seconds:.2f} s of {quickest.name}",
        quickest.start_seconds / ours.start_seconds,
        " ×",
        4,
        5,
    )
