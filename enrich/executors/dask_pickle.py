"""What this process unpickles of a Dask cluster: plain data and errors, and never code.

Dask itself pickles results, errors and log events on its wire. Whoever can reach a scheduler or run
a task could send an object that runs code here when it is read.
"""

from __future__ import annotations

import builtins
import io
import pickle
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import distributed.client
import distributed.protocol.pickle

# The classes by which Dask says that workers died, and the types of plain data.
_ALLOWED = frozenset(
    {
        ("builtins", "bytes"),
        ("builtins", "bytearray"),
        ("builtins", "set"),
        ("builtins", "frozenset"),
        ("distributed.scheduler", "KilledWorker"),
        ("distributed.scheduler", "WorkerState"),
        ("distributed.core", "Status"),
        # How Dask pickles errors: it makes one of an allowed class, and sets its attributes.
        ("tblib.pickling_support", "unpickle_exception_with_attrs"),
    }
)


class RefusedPickle(pickle.UnpicklingError, TypeError):
    """A Dask cluster sent an object that is not plain data."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        found = getattr(builtins, name, None) if module == "builtins" else None
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise RefusedPickle(f"the Dask cluster sent an object of {module}.{name}")


def load_plain(data: Any, *, buffers: Iterable[Any] = ()) -> Any:  # noqa: ANN401
    """Return the object in a pickle; raises RefusedPickle unless it is plain data or an error."""
    return _PlainUnpickler(io.BytesIO(data), buffers=buffers or None).load()


def refuse_code() -> None:
    """Make Dask's client in this process unpickle plain data alone."""
    client: Any = distributed.client
    distributed.protocol.pickle.loads = load_plain
    client.loads = load_plain
    client.pickle = SimpleNamespace(loads=load_plain, dumps=pickle.dumps)
