"""The options of commands that read a query of a database."""

from __future__ import annotations

from dataclasses import dataclass

import click
from msgspec import structs

from db.errors import VeilleuseError
from db.spec.dataset_spec import DatasetSpec
from db.spec.section import SourceSpec

DEFAULT_OVERLAP_SECONDS = SourceSpec(url="", query="").overlap_seconds

from_option = click.option(
    "--from",
    "from_",
    metavar="URL_OR_VARIABLE",
    help="Database to read, or the environment variable that has its URL.",
)
query_option = click.option("--query", help="SELECT whose rows are read, with --from.")


@dataclass(frozen=True)
class SourceOptions:
    """What the command line says about a source."""

    from_: str | None
    query: str | None
    since_column: str | None
    overlap_seconds: int | None
    remove_missing: bool


def check_query_options(from_: str | None, query: str | None, *, has_files: bool) -> None:
    """Raise UsageError unless there are files, or a database and a query."""
    if has_files and (from_ is not None or query is not None):
        raise click.UsageError("name either files, or --from and --query")
    if (from_ is None) != (query is None):
        raise click.UsageError("--from and --query go together")


def check_source_options(given: SourceOptions, *, has_files: bool, read_all: bool) -> None:
    """Raise UsageError if options contradict each other."""
    check_query_options(given.from_, given.query, has_files=has_files)
    if given.since_column is not None and given.from_ is None:
        raise click.UsageError("--since-column goes with --from and --query")
    if given.overlap_seconds is not None and given.since_column is None:
        raise click.UsageError("--overlap goes with --since-column")
    if read_all and (has_files or (given.from_ is not None and given.since_column is None)):
        raise click.UsageError("--all goes with --since-column; without it, all rows are read")


def chosen_source(given: SourceOptions, spec: DatasetSpec) -> SourceSpec:
    """Return the source that the command line describes, or else that of the spec."""
    if given.from_ is None:
        if spec.source is None:
            raise VeilleuseError(
                f"{spec.name}: its TOML file has no [source]; name FILES, or --from and --query"
            )
        remove = given.remove_missing or spec.source.remove_missing
        return structs.replace(spec.source, remove_missing=remove)
    overlap = given.overlap_seconds
    return SourceSpec(
        url=given.from_,
        query=given.query or "",
        since_column=given.since_column or "",
        overlap_seconds=DEFAULT_OVERLAP_SECONDS if overlap is None else overlap,
        remove_missing=given.remove_missing,
    )
