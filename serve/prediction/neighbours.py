"""The neighbours of inputs: the most similar labelled records, as an enricher has found them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from db.records.enrichment import existing_neighbours, read_fresh_value
from db.scoring.explanation import Neighbour
from db.spec.field import Inputs
from serve.store_reader import StoreReader, StoreUnreachable

from .catalog import Served
from .explanation import neighbours_enrichers


def find_neighbours(
    reader: StoreReader, served: Served, inputs: Inputs
) -> Sequence[Neighbour] | msgspec.UnsetType:
    """Return the most similar labelled records of a stored record, by the first such enricher.

    UNSET if there is no fresh value of these inputs, or while the store is down.
    """
    key = served.spec.key(inputs)
    try:
        for name in neighbours_enrichers(served.spec)[:1]:
            with reader.reading() as connection:
                value = read_fresh_value(connection, served.id, key, name)
                found = existing_neighbours(connection, served.id, value)
                return msgspec.UNSET if found is None else found
    except StoreUnreachable:
        pass
    return msgspec.UNSET
