"""The settings of the SQL store, which all processes share."""

from __future__ import annotations

from dataclasses import dataclass

from .address import store_address
from .value import number, schema_name, setting


@dataclass(frozen=True)
class StoreSettings:
    """The settings of the SQL store, which all processes share."""

    database_url: str = setting(
        "sqlite:///veilleuse.db",
        store_address,
        "the SQL store: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
    )
    database_schema: str = setting(
        "",
        schema_name,
        "PostgreSQL schema of the tables; if empty, veilleuse, or public where an earlier release"
        " has made them",
    )
    store_connect_seconds: float = setting(
        5.0, number(0.5, 600, "seconds"), "seconds a connection to the store may take"
    )
    store_statement_seconds: float = setting(
        300.0,
        number(0.5, 86400, "seconds"),
        "seconds a statement of a worker or a command may take",
    )
    store_lock_seconds: float = setting(
        30.0,
        number(0.5, 3600, "seconds"),
        "seconds a statement of a worker or a command may wait for a lock",
    )
    web_store_seconds: float = setting(
        1.5,
        number(0.1, 60, "seconds"),
        "seconds a connection, a statement or a lock of a web process may take; after that it"
        " answers without the store until the store answers again",
    )
