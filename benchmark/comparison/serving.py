"""What the web process holds, beside the server under it and beside its peers: `make bench-serve`.

Usage: python -m benchmark.comparison.serving --data FILE [--share S] [--varied N] [PART...]
Parts, all if none is named: ratios peers closed granian threads start users crowd connections
`--share 0.02` is for a trial: of all users, connections and seconds it takes so much, and a second
at least, in five rounds still. `--varied` is how many inputs `connections` asks; its claim is of
5000000. It wants Debian's wrk, and for `crowd` Debian's nginx.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmark.processes import allow_connections, end_on_sigterm, free_port

from .connections import connections
from .harness import (
    REPEATED,
    ROUNDS,
    Effort,
    Load,
    Side,
    Site,
    bare,
    compare,
    fit_peer_model,
    ours,
    peer_servers,
    serving,
    show,
    site,
    turn,
)
from .open_load import crowd, users

CLOSED_CONNECTIONS, CLOSED_SECONDS, CLOSED_PATIENCE_SECONDS = 1000, 10, 30


def ratios(site: Site) -> None:
    """Repeated, stored and never-seen inputs beside a bare Bottle route on the same waitress."""
    few, every = site.paths(REPEATED), site.paths()
    floor = bare(site)
    sides = [
        Side(floor, few),
        Side(ours(site, "repeated"), few),
        Side(ours(site, "stored, not in memory", CACHE_ENTRIES="0"), every),
        Side(ours(site, "never seen"), every, vary=True),
    ]
    show(compare(sides, turn(site)), floor.name)


def peers(site: Site) -> None:
    """Inputs never seen, beside peers that call a scikit-learn model for each request."""
    fit_peer_model(site)
    others = peer_servers(site)
    every = site.paths()
    found = compare(
        [Side(server, every, vary=True) for server in (ours(site), *others)], turn(site)
    )
    best = max(others, key=lambda one: statistics.median(it["rate"] for it in found[one.name]))
    show(found, best.name)


def closed(site: Site) -> None:
    """A thousand connections that ask for never-seen inputs at once, beside peers."""
    fit_peer_model(site)
    how = Load(
        site.effort.of(CLOSED_SECONDS),
        site.effort.of(CLOSED_CONNECTIONS),
        CLOSED_PATIENCE_SECONDS,
    )
    servers, every = [ours(site), *peer_servers(site)], site.paths()
    show(compare([Side(server, every, vary=True) for server in servers], how), servers[0].name)


def granian(site: Site) -> None:
    """Repeated inputs on granian, beside a bare Bottle route on the same granian."""
    floor, few = bare(site, "granian"), site.paths(REPEATED)
    sides = [Side(floor, few), Side(ours(site, "repeated", SERVER="granian"), few)]
    show(compare(sides, turn(site)), floor.name)


def threads(site: Site) -> None:
    """Never-seen, stored and repeated inputs on 1, 2, 4 and 8 threads; × is of the first."""
    few, every = site.paths(REPEATED), site.paths()
    for name, paths, vary, settings in (
        ("never seen", every, True, {}),
        ("stored", every, False, {"CACHE_ENTRIES": "0"}),
        ("repeated", few, False, {}),
    ):
        sides = [
            Side(
                ours(site, f"{name}, threads: {count}", WEB_THREADS=count, **settings), paths, vary
            )
            for count in ("1", "2", "4", "8")
        ]
        show(compare(sides, turn(site)), sides[0].server.name)


def start(site: Site) -> None:
    """Seconds from the start to the first prediction."""
    fit_peer_model(site)
    first = site.paths(1).read_text("ascii")
    for server in (dataclasses.replace(ours(site), ready=first), *peer_servers(site)):
        seconds = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            with serving(server, free_port()):
                seconds.append(time.monotonic() - began)
        print(f"  {server.name:<28} {statistics.median(seconds):.2f} s", flush=True)


PARTS: dict[str, Callable[[Site], None]] = {
    "ratios": ratios,
    "peers": peers,
    "closed": closed,
    "granian": granian,
    "threads": threads,
    "start": start,
    "users": users,
    "crowd": crowd,
    # Last: it fills the store.
    "connections": connections,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmark.comparison.serving")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=list(PARTS))
    parser.add_argument("--data", type=Path, required=True, help="labelled sentences")
    parser.add_argument("--share", type=float, default=1.0, help="of users, connections, seconds")
    parser.add_argument("--varied", type=int, default=Effort.varied, help="inputs never seen")
    return parser


def main() -> None:
    """Measure what was asked for."""
    given = _parser().parse_args()
    allow_connections()
    end_on_sigterm()
    with site(given.data, Effort(given.share, given.varied)) as made:
        for name in given.parts:
            print(f"{name}: {PARTS[name].__doc__}", flush=True)
            PARTS[name](made)


if __name__ == "__main__":
    main()
