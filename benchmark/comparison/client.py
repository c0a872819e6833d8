"""A small HTTP client that keeps its connections open and records the time of each answer.

Usage: python -m benchmark.comparison.client PORT SECONDS CONNECTIONS [RATE [PATHS]]

Prints the figures as JSON. Without a rate, each connection sends the next request as soon as it
has its answer. With a rate, requests are due at fixed times, and a late start counts as waiting.
PATHS is a file with the path of a request on each line.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmark.percentile import percentiles

PATHS = [f"/predict/bench?sentence=je+cherche+un+h%C3%B4tel+{number}" for number in range(200)]


class Client:
    """Sends requests for the same paths in turn until its time is up."""

    def __init__(self, port: int, seconds: float, paths: Sequence[str] = PATHS) -> None:
        self._port = port
        self._until = time.perf_counter() + seconds
        self._paths = itertools.cycle(paths)
        self.seconds: list[float] = []
        self.failures = 0

    async def send_requests(self, interval: float | None, delay: float) -> None:
        """Send requests on one connection until time is up, after a delay and at an interval."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        due = time.perf_counter() + delay
        while (now := time.perf_counter()) < self._until:
            if interval is not None and now < due:
                await asyncio.sleep(due - now)
            began = due if interval is not None else time.perf_counter()
            due += interval or 0.0
            is_ok = await self._send_request(reader, writer)
            self.seconds.append(time.perf_counter() - began)
            self.failures += not is_ok
        writer.close()

    async def _send_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        path = next(self._paths)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.index(b"content-length:") + len(b"content-length:")
        await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
        return head.startswith(b"HTTP/1.1 200")


async def measure(
    port: int,
    seconds: float,
    connections: int,
    rate: float | None,
    paths: Sequence[str] = PATHS,
) -> Client:
    """Send requests on several connections at once, evenly spread over time if a rate is given."""
    client = Client(port, seconds, paths)
    interval = connections / rate if rate else None
    await asyncio.gather(
        *(
            client.send_requests(interval, (interval or 0.0) * number / connections)
            for number in range(connections)
        )
    )
    return client


def main() -> None:
    """Measure a server and print the figures."""
    port, seconds, connections = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    rate = float(sys.argv[4]) if len(sys.argv) > 4 else None  # noqa: PLR2004
    paths = Path(sys.argv[5]).read_text("ascii").splitlines() if len(sys.argv) > 5 else PATHS  # noqa: PLR2004
    client = asyncio.run(measure(port, seconds, connections, rate, paths))
    milliseconds = percentiles([1000 * seconds for seconds in client.seconds])
    figures = {"rate": len(client.seconds) / seconds, "failures": client.failures}
    print(json.dumps({**figures, **milliseconds}))


if __name__ == "__main__":
    main()
