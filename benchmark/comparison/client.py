"""A client that keeps its connections and notes how long each answer takes.

Usage: python -m benchmark.comparison.client PORT SECONDS CONNECTIONS [RATE]

Prints the figures as JSON. Without a rate each connection asks again as soon as it is answered;
with one, requests start on time whatever the answers do, and late starts count as waiting.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time

from benchmark.percentile import percentiles

PATHS = [f"/predict/bench?sentence=je+cherche+un+h%C3%B4tel+{number}" for number in range(200)]


class Client:
    """Asks for the same few sentences in turn."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port = port
        self._until = time.perf_counter() + seconds
        self._paths = itertools.cycle(PATHS)
        self.seconds: list[float] = []
        self.failures = 0

    async def ask_on(self, gap: float | None, first: float) -> None:
        """Ask over one connection until time is up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        due = time.perf_counter() + first
        while (now := time.perf_counter()) < self._until:
            if gap is not None and now < due:
                await asyncio.sleep(due - now)
            began = due if gap is not None else time.perf_counter()
            due += gap or 0.0
            ok = await self._ask(reader, writer)
            self.seconds.append(time.perf_counter() - began)
            self.failures += not ok
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        path = next(self._paths)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.index(b"content-length:") + len(b"content-length:")
        await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
        return head.startswith(b"HTTP/1.1 200")


async def measure(port: int, seconds: float, connections: int, rate: float | None) -> Client:
    """Ask over so many connections at once."""
    client = Client(port, seconds)
    gap = connections / rate if rate else None
    await asyncio.gather(
        *(client.ask_on(gap, (gap or 0.0) * at / connections) for at in range(connections))
    )
    return client


def main() -> None:
    """Measure, and print the figures."""
    port, seconds, connections = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    rate = float(sys.argv[4]) if len(sys.argv) > 4 else None  # noqa: PLR2004
    client = asyncio.run(measure(port, seconds, connections, rate))
    milliseconds = percentiles([1000 * seconds for seconds in client.seconds])
    figures = {"rate": len(client.seconds) / seconds, "failures": client.failures}
    print(json.dumps({**figures, **milliseconds}))


if __name__ == "__main__":
    main()
