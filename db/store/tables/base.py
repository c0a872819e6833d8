"""What every table is declared with."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData

metadata = MetaData()

# SQLite numbers rows by itself only where the column is declared INTEGER. It gives the number
# of a deleted row again unless told not to, and a worker that has lost its lease may still
# hold the old chunk's.
BigId = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Column[int]:
    """Return a table's own number."""
    return Column("id", BigId, primary_key=True)


def dataset_column(*, primary_key: bool = False) -> Column[int]:
    """Return the reference to the dataset that a row belongs to."""
    return Column(
        "dataset_id",
        BigId,
        ForeignKey("dataset.id"),
        nullable=False,
        primary_key=primary_key,
        autoincrement=False,
    )


# Times ending in _at are seconds since 1970 by the clock of whoever wrote the row.
