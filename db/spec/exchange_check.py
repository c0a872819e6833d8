"""The rules of the sections `source` and `publish` of a spec."""

from __future__ import annotations

import re

from db.errors import SpecError

from .dataset_spec import DatasetSpec
from .section import PublicationSpec, SourceSpec

# A table's name, perhaps with its schema.
TABLE_NAME = re.compile(r"([^\s.\"'`;]+\.)?[^\s.\"'`;]+")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST_MINUTES = 525_600
MOST_OVERLAP_SECONDS = 31_536_000


def check_exchange(spec: DatasetSpec) -> None:
    """Raise SpecError if the section `source` or `publish` breaks a rule."""
    for where, section in (("source", spec.source), ("publish", spec.publish)):
        if section is not None:
            _check_common(where, section)
    if spec.source is not None:
        _check_source(spec, spec.source)
    if spec.publish is not None and not TABLE_NAME.fullmatch(spec.publish.table):
        raise SpecError(
            "key publish.table: use the table's name, perhaps with its schema: crm.scores"
        )


def _check_common(where: str, section: SourceSpec | PublicationSpec) -> None:
    if not VARIABLE_NAME.fullmatch(section.url):
        # The message does not show the text: it may contain a password.
        raise SpecError(
            f"key {where}.url: name the environment variable that has the database's URL, such as"
            " SHOP_DATABASE_URL; the URL itself must not be in the spec, because it may contain a"
            " password"
        )
    if not 1 <= section.every_minutes <= MOST_MINUTES:
        raise SpecError(f"key {where}.every_minutes: must be from 1 to {MOST_MINUTES:,}")


def _check_source(spec: DatasetSpec, source: SourceSpec) -> None:
    if not source.query.strip():
        raise SpecError("key source.query: is empty; write the SELECT whose rows are imported")
    for key in ("since_column", "remove_missing"):
        if getattr(source, key) and not spec.id:
            raise SpecError(
                f"key source.{key}: needs an id, by which a changed row is recognised; add id ="
                ' "COLUMN" to the spec'
            )
    if not 0 <= source.overlap_seconds <= MOST_OVERLAP_SECONDS:
        raise SpecError(f"key source.overlap_seconds: must be from 0 to {MOST_OVERLAP_SECONDS:,}")
