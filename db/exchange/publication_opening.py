"""A table of predictions is found and checked, or created, before rows are written to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, Inspector, MetaData, Table, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from db.errors import ExchangeError
from db.spec.dataset_spec import DatasetSpec
from db.spec.exchange_check import TABLE_NAME
from db.store.direct.place import OWN_SCHEMA
from db.store.schema_version import OWN_TABLES

from .publication_columns import TableColumn, column_kinds, match_columns, new_type
from .publication_rows import value_names
from .publication_table import MYSQL, PublicationTable
from .user_database import UserDatabase


@contextmanager
def opened_table(
    database: UserDatabase, spec: DatasetSpec, named: str
) -> Iterator[PublicationTable]:
    """Yield the table of a name such as `crm.scores`, which is created if it is not there."""
    schema, name = split_name(named)
    connection = database.connect()
    try:
        with database.errors():
            columns = _prepared(connection, database, spec, (schema, name))
        yield PublicationTable(
            database, connection, named, _table(columns, schema, name), columns, value_names(spec)
        )
    finally:
        connection.close()


def split_name(named: str) -> tuple[str | None, str]:
    """Return the schema and the name of a table; raises ExchangeError."""
    if not TABLE_NAME.fullmatch(named):
        raise ExchangeError(
            f"{named!r} is not the name of a table; use a name such as churn_scores, perhaps with"
            " its schema: crm.churn_scores"
        )
    schema, _, name = named.rpartition(".")
    return schema or None, name


def _prepared(
    connection: Connection, database: UserDatabase, spec: DatasetSpec, place: tuple[str | None, str]
) -> dict[str, TableColumn]:
    """Return the columns of the table, created or checked."""
    schema, name = place
    shown = f"{schema}.{name}" if schema else name
    if connection.dialect.name in MYSQL:
        # Times in TIMESTAMP columns are read in the time zone of the session.
        connection.exec_driver_sql("SET time_zone = '+00:00'")
        connection.commit()
    with connection.begin():
        _refuse_own(connection, schema, name)
        exists = inspect(connection).has_table(name, schema)
    if not exists:
        _create(connection, spec, schema, name)
    with connection.begin():
        inspector = inspect(connection)
        found = {str(one["name"]): one["type"] for one in inspector.get_columns(name, schema)}
        try:
            columns = match_columns(shown, spec, found, connection.dialect.name)
            _check_unique(inspector, columns["id"].name, schema, name)
        except ExchangeError as error:
            raise ExchangeError(f"{database.name}: {error}") from None
    return columns


def _refuse_own(connection: Connection, schema: str | None, name: str) -> None:
    """Raise ExchangeError if a table of this name could be one of the store's."""
    default = connection.dialect.default_schema_name
    places = {None, default, "main", "public", OWN_SCHEMA}
    if name.lower() in OWN_TABLES and schema in places:
        raise ExchangeError(
            f"table {name}: is the name of one of Veilleuse's own tables; use another name, such"
            " as scores"
        )


def _create(connection: Connection, spec: DatasetSpec, schema: str | None, name: str) -> None:
    dialect = connection.dialect.name
    types = {ours: new_type(kind, dialect) for ours, kind in column_kinds(spec).items()}
    table = Table(
        name,
        MetaData(),
        *(_column(ours, ours, types[ours]) for ours in types),
        schema=schema,
    )
    try:
        with connection.begin():
            table.create(connection, checkfirst=False)
    except DBAPIError:
        # Another publisher may have created it at the same time.
        with connection.begin():
            if not inspect(connection).has_table(name, schema):
                raise


def _check_unique(inspector: Inspector, at: str, schema: str | None, name: str) -> None:
    """Raise ExchangeError unless no two rows can have the same id."""
    unique: list[Sequence[str | None]] = [
        inspector.get_pk_constraint(name, schema)["constrained_columns"],
        *(one["column_names"] for one in inspector.get_unique_constraints(name, schema)),
        *(
            one["column_names"]
            for one in inspector.get_indexes(name, schema)
            if one["unique"] and not any("where" in key for key in one.get("dialect_options", {}))
        ),
    ]
    if [at] not in [list(names) for names in unique]:
        shown = f"{schema}.{name}" if schema else name
        raise ExchangeError(
            f"table {shown}: column {at} must be its primary key or unique, so that each row is"
            " there once"
        )


def _table(columns: dict[str, TableColumn], schema: str | None, name: str) -> Table:
    """Return the table as its statements need it, with our names as keys."""
    parts = [_column(column.name, ours, column.type) for ours, column in columns.items()]
    return Table(name, MetaData(), *parts, schema=schema)


def _column(name: str, key: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, key=key, primary_key=key == "id", autoincrement=False)
