"""Column types and columns that all tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    TextClause,
)

metadata = MetaData()

# SQLite assigns row ids by itself only if the column is declared INTEGER. It reuses the id of a
# deleted row unless the table has sqlite_autoincrement; a worker that has lost its lease may
# still have the id of a deleted chunk, so ids must not be reused.
BigId = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Column[int]:
    """Return a primary key that the database assigns."""
    return Column("id", BigId, primary_key=True)


def dataset_column(*, primary_key: bool = False) -> Column[int]:
    """Return a foreign key to the dataset that a row belongs to."""
    return Column(
        "dataset_id",
        BigId,
        ForeignKey("dataset.id"),
        nullable=False,
        primary_key=primary_key,
        autoincrement=False,
    )


def partial_index(
    name: str,
    *columns: ColumnElement[Any] | TextClause,
    where: ColumnElement[bool] | TextClause,
    unique: bool = False,
    table: Table | None = None,
) -> Index:
    """Return an index of the rows that fulfil a condition; migrations make it.

    The condition stands in `info`: as an argument of the databases' dialects it would make every
    process import both of them, which takes 2 MiB and 25 ms.
    """
    return Index(name, *columns, unique=unique, _table=table, info={"where": where})


# Columns whose names end in _at are seconds since 1970, by the clock of the process that wrote
# the row.
