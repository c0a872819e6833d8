"""The sections of a spec: its enrichers, the source of its rows, where predictions go."""

from __future__ import annotations

from typing import Any

import msgspec


class EnricherSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of one enricher of a dataset."""

    use: str = ""
    """A built-in enricher or a dotted path; if empty, the built-in one with this name."""
    reads: tuple[str, ...] = ()
    """Fields and other enrichers; if empty, all fields that the enricher accepts."""
    config: dict[str, Any] = {}


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query of a user's database whose rows a worker imports every so often."""

    url: str
    """The name of the environment variable that has the database's URL."""
    query: str
    since_column: str = ""
    """The column by which changed rows are found; if empty, every run reads all rows."""
    overlap_seconds: int = 300
    """How far before the newest time in `since_column` a run begins, for rows committed late."""
    remove_missing: bool = False
    """Whether rows whose id the query no longer returns are removed."""
    every_minutes: int = 60


class PublicationSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a user's database to which a worker writes the predictions every so often."""

    url: str
    """The name of the environment variable that has the database's URL."""
    table: str
    """The table, perhaps with its schema: `scores` or `crm.scores`."""
    remove_missing: bool = False
    """Whether rows of the table whose id is no longer in the dataset are deleted."""
    every_minutes: int = 60
