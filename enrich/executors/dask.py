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

from .answer_bytes import decode_answer, encode_answer
from .base import ChildDied, Computed, RecipeError, Stopped
from .child import compute
from .dask_pickle import refuse_code
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


def compute_there(fingerprint: str, recipe: Recipe, rows: list[Row]) -> bytes:
    """Compute on a worker of the cluster, which keeps the recipes that it has started.

    The answer is bytes of our own format: what a cluster pickles is not read.
    """
    # An enricher need not be thread-safe: one thread of the Dask worker uses it at a time.
    with _compute_lock:
        known = None if fingerprint in _started else recipe
        return encode_answer(compute(_started, fingerprint, known, rows))


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
            self._wait([part for part, _ in parts])
            answers = [decode_answer(part.result(), size) for part, size in parts]
        except KilledWorker as error:
            raise ChildDied(f"workers of the Dask cluster died computing it: {error}") from error
        except (OSError, TimeoutError, CancelledError) as error:
            self.close()
            words = f"the Dask cluster at {self._scheduler} cannot be reached: {error}"
            raise Unavailable(words, RETRY_SECONDS) from error
        except (RecipeError, Stopped):
            raise
        except Exception as error:  # noqa: BLE001  a task can end with any error
            words = f"a task of the Dask cluster failed: {type(error).__name__}: {error}"
            raise Unavailable(words, RETRY_SECONDS) from None
        values = [value for answer in answers for value in read_answer(answer)]
        return Computed(values, time.monotonic() - began)

    def _connect(self) -> Any:  # noqa: ANN401  the client's methods are not typed
        """Return the client, connected to the cluster."""
        if self._client is not None and self._client.status != "running":
            self.close()
        if self._client is None:
            refuse_code()
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
    ) -> list[tuple[Future[bytes], int]]:
        """Return the tasks, each with the number of its rows."""
        if fingerprint not in self._recipes:
            self._recipes[fingerprint] = client.submit(same, recipe(), pure=False)
        shared_recipe = self._recipes[fingerprint]
        threads = sum(client.nthreads().values())
        if not threads:
            raise OSError("it has no workers")
        size = max(-(-len(rows) // threads), FEWEST_ROWS)
        shares = [list(rows[at : at + size]) for at in range(0, len(rows), size)]
        return [
            (client.submit(compute_there, fingerprint, shared_recipe, some, pure=False), len(some))
            for some in shares
        ]

    def _wait(self, parts: list[Future[bytes]]) -> None:
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
