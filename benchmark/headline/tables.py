"""The tables of a comparison with peers, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from benchmark.comparison.peer_servers import FASTAPI_CHARACTERS

from .promises import Measured, Promise, promises
from .result import BARE_ROUTE, ROWS, SENTENCES, HeadlineResult, ServerFigures

# Peers that the README shows besides the fastest ones.
ALSO_SHOWN = FASTAPI_CHARACTERS


def readme_section(result: HeadlineResult) -> str:
    """Return the README's table: ours, the constant, and the best of the peers."""
    rows = [one for one in result.servers if _is_in_readme(one, result)]
    columns = {name: column for name, column in _columns(result).items() if name in SHORT}
    return f"{_servers_table(rows, columns)}\n\n{how_measured(result)}"


def docs_section(result: HeadlineResult) -> str:
    """Return the table of promises and that of all servers."""
    return "\n\n".join(
        [
            promises_table(promises(result)),
            _servers_table(result.servers, _columns(result)),
            how_measured(result),
        ]
    )


def _is_in_readme(one: ServerFigures, result: HeadlineResult) -> bool:
    fastest = [*result.peers(SENTENCES)[:2], *result.peers(ROWS)[:2]]
    return one.is_ours or one in fastest or one.name in {BARE_ROUTE, ALSO_SHOWN}


def promises_table(rows: Sequence[Promise]) -> str:
    """Return what is promised, what was measured, and whether it is enough."""
    heading = ["what", "measured", "result", "by CPU time", "at least", "aim", ""]
    return _markdown(heading, [_promise_cells(row) for row in rows], len(heading))


def _promise_cells(row: Promise) -> list[str]:
    def joined(text: Callable[[Measured], str]) -> str:
        texts = [text(part) for part in row.parts]
        return " / ".join(texts) if any(texts) else ""

    return [
        row.what,
        joined(lambda part: part.figures),
        joined(lambda part: f"{_short(part.value)}{part.unit}"),
        joined(_by_cpu_time) if any(part.of_cpu for part in row.parts) else "",
        joined(lambda part: f"{part.at_least:g}{part.unit}"),
        joined(lambda part: f"{part.aim:g}{part.unit}"),
        joined(lambda part: part.verdict),
    ]


def _by_cpu_time(part: Measured) -> str:
    return f"{_short(part.of_cpu)} ×" if part.of_cpu else "–"


def _short(number: float) -> str:
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"  # noqa: PLR2004


Column: TypeAlias = Callable[[ServerFigures], str]
# So many have texts, and the others numbers.
TEXT_COLUMNS = 3
# The columns of the README; the docs have all.
SHORT = ("", "inputs", "quality", "requests/s", "of the best peer", "p95", "memory")


def _columns(result: HeadlineResult) -> dict[str, Column]:
    """Return the columns of the table of servers by their headings, each as a text of a row."""

    def of_best(one: ServerFigures) -> str:
        peers = _compared_peers(one, result)
        return f"{one.rate / peers[0].rate:.2f} ×" if peers else ""

    def of_best_cpu(one: ServerFigures) -> str:
        used = [peer.cpu_microseconds for peer in _compared_peers(one, result)]
        return f"{min(used) / one.cpu_microseconds:.2f} ×" if used else ""

    return {
        "": lambda one: one.name,
        "inputs": lambda one: one.inputs,
        "quality": _quality,
        "requests/s": lambda one: f"{one.rate:,.0f}",
        "of the best peer": of_best,
        "CPU per request": lambda one: f"{one.cpu_microseconds:,.0f} µs",
        "by CPU time": of_best_cpu,
        "p50": lambda one: f"{one.p50:.1f} ms",
        "p95": lambda one: f"{one.p95:.1f} ms",
        "p99": lambda one: f"{one.p99:.1f} ms",
        "failed": lambda one: f"{one.failures:.0f}",
        "recorded": _recorded,
        "POST of 1,000": _post_time,
        "start": lambda one: f"{one.start_seconds:.2f} s",
        "memory": lambda one: f"{one.mebibytes:.0f} MiB",
    }


def _compared_peers(one: ServerFigures, result: HeadlineResult) -> list[ServerFigures]:
    return result.peers(one.inputs) if one.inputs in {SENTENCES, ROWS} else []


def _quality(one: ServerFigures) -> str:
    if one.quality is None:
        return ""
    return f"{'RMSE' if one.inputs == ROWS else 'accuracy'} {one.quality:.3f}".replace(" 0.", " .")


def _recorded(one: ServerFigures) -> str:
    return f"{one.recorded:.0%}" if one.is_ours and one.inputs in {SENTENCES, ROWS} else ""


def _post_time(one: ServerFigures) -> str:
    return f"{one.post_milliseconds:.0f} ms" if one.post_milliseconds else ""


def _servers_table(rows: Sequence[ServerFigures], columns: dict[str, Column]) -> str:
    cells = [[cell(row) for cell in columns.values()] for row in rows]
    return _markdown(list(columns), cells, TEXT_COLUMNS)


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    """Return rows as a Markdown table, whose columns are numbers after so many with texts."""
    marks = ["---"] * texts + ["---:"] * (len(heading) - texts)
    lines = [heading, marks, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def how_measured(result: HeadlineResult) -> str:
    """Return the sentences below the tables."""
    about = result.about
    return (
        f"Measured on {about['date']} on {about['cpu']} by `make headline`, with one core for the"
        f" server and another for the load: {about['load']};"
        f" {about['data'].split(', sha')[0]} of sentences. Accuracies are out of fold, in the same"
        " folds; errors (RMSE) are those of answers to held-out rows. Memory is the PSS of all"
        " processes after the load. The store alone reads"
        f" {result.store_rate:,.0f} predictions per second (`python -m db bench`)."
    )
