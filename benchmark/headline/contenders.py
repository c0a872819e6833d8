"""The servers that a comparison measures, with the inputs and the quality of each."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path

from benchmark.comparison import harness
from benchmark.comparison.batches import Batches, post, row_batches, sentence_batches
from benchmark.comparison.harness import (
    RECORDS_ALL,
    BeforeLoad,
    ComparisonSetup,
    Contender,
    Server,
    StoreSetup,
    tree_cpu_seconds,
    veilleuse_server,
)
from benchmark.comparison.peer_servers import (
    FLASK_CHARACTERS,
    constant_server,
    fit_text_peers,
    table_peers,
    text_peers,
)
from benchmark.comparison.rows import TableSetup, first_path, row_paths, served_error

from .result import BARE_ROUTE, GRANIAN, REPEATED, ROWS, SENTENCES, STORED, WAITRESS

# POSTs of 1,000 inputs in each round, after one that warms up.
POSTS = 5


@dataclass(frozen=True)
class Entry:
    """A server in the comparison: its name in the tables, and what is known before the rounds."""

    name: str
    inputs: str
    contender: Contender
    quality: float | None = None


def post_figures(batches: Batches, port: int, pid: int, number: int) -> dict[str, float]:
    """Send POSTs of inputs that no other round sends, and return the figures of one in ms."""
    bodies = list(islice(batches.bodies(number * (POSTS + 1)), POSTS + 1))
    with closing(HTTPConnection("127.0.0.1", port)) as client:
        post(client, batches.path, bodies[0])
        before = tree_cpu_seconds(pid)
        seconds = [post(client, batches.path, body) for body in bodies[1:]]
        used = tree_cpu_seconds(pid) - before
    return {
        "post_milliseconds": 1000 * statistics.median(seconds),
        "post_cpu_milliseconds": 1000 * used / POSTS,
    }


def _ours(setup: StoreSetup, name: str, ready: str, **settings: str) -> Server:
    """Return our web process, which is ready once it has answered a prediction.

    It records every unseen input, also on a machine where more come than may wait by default.
    """
    server = veilleuse_server(setup, name, **RECORDS_ALL, **settings)
    return dataclasses.replace(server, ready=ready)


def sentence_entries(setup: ComparisonSetup) -> Iterator[Entry]:
    """Yield the bare route, our web process, and the peers that answer sentences."""
    accuracies = fit_text_peers(setup)
    repeated, all_paths = setup.paths(harness.REPEATED), setup.paths()
    ready = setup.paths(1).read_text("ascii")
    posts = partial(post_figures, sentence_batches(setup))
    bare = dataclasses.replace(constant_server(setup), name=BARE_ROUTE)
    yield Entry(BARE_ROUTE, REPEATED, Contender(bare, repeated))
    ours = _ours(setup, "repeated", ready)
    yield Entry(WAITRESS, REPEATED, Contender(ours, repeated), setup.accuracy)
    ours = _ours(setup, "stored", ready, CACHE_ENTRIES="0")
    yield Entry(WAITRESS, STORED, Contender(ours, all_paths), setup.accuracy)
    servers = [
        _ours(setup, WAITRESS, ready),
        _ours(setup, GRANIAN, ready, SERVER="granian"),
        *text_peers(setup),
    ]
    for server in servers:
        is_ours = server.name not in accuracies
        contender = Contender(server, all_paths, "word", asks_recorded=is_ours)
        # Flask's application takes single sentences only.
        if server.name != FLASK_CHARACTERS:
            contender = dataclasses.replace(contender, before_load=posts)
        accuracy = accuracies.get(server.name, setup.accuracy)
        yield Entry(server.name, SENTENCES, contender, accuracy)


def row_entries(setup: TableSetup) -> Iterator[Entry]:
    """Yield our web process, and the peers that answer rows at the same error."""
    paths = row_paths(setup)
    ready, posts = first_path(paths), partial(post_figures, row_batches())
    ours = _ours(setup, f"rows, {WAITRESS}", ready)
    granian = _ours(setup, f"rows, {GRANIAN}", ready, SERVER="granian")
    error = served_error(ours)
    peers = table_peers(setup, error, ready)
    yield _row_entry(WAITRESS, ours, paths, posts, error)
    yield _row_entry(GRANIAN, granian, paths, posts, served_error(granian))
    for server in peers:
        yield _row_entry(server.name, server, paths, posts, served_error(server))


def _row_entry(name: str, server: Server, paths: Path, posts: BeforeLoad, error: float) -> Entry:
    is_ours = name in {WAITRESS, GRANIAN}
    return Entry(name, ROWS, Contender(server, paths, "decimals", posts, is_ours), error)
