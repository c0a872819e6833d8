"""The store of a test as a web process has it."""

from __future__ import annotations

from db.store.direct.direct_store import DirectStore
from db.store.limits import Limits, command_limits
from db.store.store import Store
from tests.empty_store import settings_for

_opened: list[DirectStore] = []


def direct_store(store: Store, limits: Limits | None = None) -> DirectStore:
    """Return the store without SQLAlchemy; it is closed at the end of the test."""
    url = store.writer.url.render_as_string(hide_password=False)
    schema = store.writer.get_execution_options().get("configured_schema", "")
    more = {"DATABASE_SCHEMA": schema} if schema else {}
    settings = settings_for(url, **more)
    direct = DirectStore(settings, 5, "veilleuse", 256, limits or command_limits(settings))
    _opened.append(direct)
    return direct


def close_direct_stores() -> None:
    """Close what `direct_store` has opened."""
    while _opened:
        _opened.pop().close()
