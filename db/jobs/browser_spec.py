"""Specs that a browser sends: a model on the columns of a file, and nothing that reaches further.

A spec on the disk of an operator may import code, call services and read databases. A spec that
comes over HTTP may not, not even with a valid key.
"""

from __future__ import annotations

from typing import Any

import msgspec

from db.errors import SpecError
from db.spec.dataset_spec import DatasetSpec
from db.spec.toml_file import check_spec

# The enrichers that infer proposes: they compute on this machine, from the record alone.
ENRICHERS = ("text_profile", "embedding")
_ALLOWED_KEYS = frozenset(
    (
        *("name", "kind", "target", "target_format", "target_missing", "id", "id_column"),
        *("fields", "title", "labels", "languages", "enrichers", "decimal", "missing"),
    )
)


def read_browser_spec(raw: dict[str, Any]) -> DatasetSpec:
    """Return the checked spec; raises SpecError, also for what only a file may have."""
    for key in raw:
        if key not in _ALLOWED_KEYS:
            raise SpecError(f"key {key}: cannot be set in the browser; use python -m db load")
    try:
        spec = msgspec.convert(raw, DatasetSpec)
    except msgspec.ValidationError as error:
        raise SpecError(str(error)) from None
    for name, enricher in spec.enrichers.items():
        if name not in ENRICHERS or enricher.use not in {"", name} or enricher.config:
            raise SpecError(
                f"key enrichers.{name}: only {' and '.join(ENRICHERS)} can be used in the browser;"
                " load a file with others: python -m db load"
            )
    check_spec(spec)
    return spec
