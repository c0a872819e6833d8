"""The Dask executor: tasks return values, and only the worker that leased a chunk writes them."""

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
RETRY_SECONDS = 5.0
# With fewer rows per task, the messages would cost more than they gain.
FEWEST_ROWS = 8

_started: dict[str, ComputeRows] = {}
_compute_lock = threading.Lock()
# A lost connection is reported in one line by this executor, not by Dask's own log.
for _name in ("distributed", "distributed.client"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
# distributed.wait has no types.
_wait_for: Any = distributed.wait


def compute_there(fingerprint: str, recipe: Recipe, rows: list[Row]) -> Answer:
    """Compute on a worker of the cluster, which keeps the recipes that it has started."""
    # An enricher need not be thread-safe: one thread of the Dask worker uses it at a time.
    with _compute_lock:
        return compute(_started, fingerprint, None if fingerprint in _started else recipe, rows)


def same(recipe: Recipe) -> Recipe:
    """Return the recipe: the cluster can repeat this task if the worker that holds it is lost."""
    return recipe


class DaskExecutor:
    """Splits each batch of rows over all workers of a Dask cluster."""

    is_local = False

    def __init__(self, scheduler: str, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self._scheduler = scheduler
        self._is_stopped = is_stopped
        self._client: Any = None
        self._recipes: dict[str, Future[Recipe]] = {}

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Computed:
        """Return a value for each row; raises Unavailable if the cluster cannot be reached."""
        began = time.monotonic()
        try:
            parts = self._submit(self._connect(), fingerprint, recipe, rows)
            self._wait(parts)
            answers = [part.result() for part in parts]
        except KilledWorker as error:
            raise ChildDied(f"workers of the Dask cluster died computing it: {error}") from error
        except (OSError, TimeoutError, CancelledError) as error:
            self.close()
            words = f"the Dask cluster at {self._scheduler} cannot be reached: {error}"
            raise Unavailable(words, RETRY_SECONDS) from error
        values = [value for answer in answers for value in read_answer(answer)]
        return Computed(values, time.monotonic() - began)

    def _connect(self) -> Any:  # noqa: ANN401  the client's methods are not typed
        """Return the client, connected to the cluster."""
        if self._client is not None and self._client.status != "running":
            self.close()
        if self._client is None:
            untyped_client: Any = Client
            self._client = untyped_client(
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
        shared_recipe = self._recipes[fingerprint]
        threads = sum(client.nthreads().values())
        if not threads:
            raise OSError("it has no workers")
        size = max(-(-len(rows) // threads), FEWEST_ROWS)
        return [
            client.submit(
                compute_there, fingerprint, shared_recipe, list(rows[at : at + size]), pure=False
            )
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
                    raise OSError("the connection to its scheduler is lost") from None
            else:
                return

    def abort(self) -> None:
        """Do nothing: no call of this executor blocks for ever."""

    def close(self) -> None:
        """Disconnect from the cluster, which continues to run."""
        client, self._client = self._client, None
        self._recipes.clear()
        if client is not None:
            with contextlib.suppress(OSError, TimeoutError):
                client.close(timeout=1)
