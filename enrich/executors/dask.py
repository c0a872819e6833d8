"""A Dask cluster: tasks return values, and only the worker that leased a chunk writes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

import distributed
from distributed import Client, Future, KilledWorker

from enrich.enrichers.base import Row, Unavailable

from .base import ChildDied, Computed, Stopped
from .child import Answer, compute
from .local import read_answer
from .recipe import ComputeRows, Recipe

CONNECT_SECONDS = 10.0
POLL_SECONDS = 0.2
AGAIN_SECONDS = 5.0
# Fewer rows a task would cost more in messages than they gain.
FEWEST_ROWS = 8

_started: dict[str, ComputeRows] = {}
_turn = threading.Lock()
# What it has to say of a lost connection we say ourselves, in one line.
for _name in ("distributed", "distributed.client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
# It is not typed.
_wait_for: Any = distributed.wait


def compute_there(fingerprint: str, recipe: Recipe, rows: list[Row]) -> Answer:
    """Compute on a worker of the cluster, which keeps what it has started."""
    # Whatever the number of threads, an enricher is used by one at a time.
    with _turn:
        return compute(_started, fingerprint, None if fingerprint in _started else recipe, rows)


def same(recipe: Recipe) -> Recipe:
    """Return the recipe: as a task's result it is made again where its holder is lost."""
    return recipe


class DaskExecutor:
    """Splits a batch over all workers of a cluster."""

    is_local = False

    def __init__(self, scheduler: str, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self._scheduler = scheduler
        self._is_stopped = is_stopped
        self._client: Any = None
        self._recipes: dict[str, Future[Recipe]] = {}

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Computed:
        """Return a value for each row; raises Unavailable while the cluster is out of reach."""
        began = time.monotonic()
        try:
            parts = self._submit(self._connected(), fingerprint, recipe, rows)
            self._wait(parts)
            answers = [part.result() for part in parts]
        except KilledWorker as error:
            raise ChildDied(f"workers of the cluster died over it: {error}") from error
        except (OSError, TimeoutError, CancelledError) as error:
            self.close()
            words = f"the Dask cluster at {self._scheduler} is out of reach: {error}"
            raise Unavailable(words, AGAIN_SECONDS) from error
        values = [value for answer in answers for value in read_answer(answer)]
        return Computed(values, time.monotonic() - began)

    def _connected(self) -> Any:  # noqa: ANN401  its methods are not typed
        if self._client is not None and self._client.status != "running":
            self.close()
        if self._client is None:
            make: Any = Client
            self._client = make(
                self._scheduler, timeout=CONNECT_SECONDS, set_as_default=False, name="veilleuse"
            )
        return self._client

    def _submit(
        self,
        client: Any,  # noqa: ANN401
        fingerprint: str,
        recipe: Callable[[], Recipe],
        rows: Sequence[Row],
    ) -> list[Future[Answer]]:
        if fingerprint not in self._recipes:
            self._recipes[fingerprint] = client.submit(same, recipe(), pure=False)
        held = self._recipes[fingerprint]
        threads = sum(client.nthreads().values())
        if not threads:
            raise OSError("it has no workers")
        size = max(-(-len(rows) // threads), FEWEST_ROWS)
        return [
            client.submit(compute_there, fingerprint, held, list(rows[at : at + size]), pure=False)
            for at in range(0, len(rows), size)
        ]

    def _wait(self, parts: list[Future[Answer]]) -> None:
        while True:
            try:
                with self._client.as_current():
                    _wait_for(parts, timeout=POLL_SECONDS)
            except TimeoutError:
                if self._is_stopped():
                    raise Stopped from None
                if self._client is None or self._client.status != "running":
                    raise OSError("its scheduler is gone") from None
            else:
                return

    def abort(self) -> None:
        """Nothing here blocks for ever."""

    def close(self) -> None:
        """Leave the cluster, which runs on."""
        client, self._client = self._client, None
        self._recipes.clear()
        if client is not None:
            with contextlib.suppress(OSError, TimeoutError):
                client.close(timeout=1)
