"""The rows of a record with the labels that stand for them, after people have corrected some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from db.records.observation import Observation


def standing_rows(observations: Sequence[Observation]) -> list[Observation]:
    """Return the rows of the data, each with the label that counts for it, and other labels.

    A label that a person gave stands for the rows that it replaced, and for rows without a label if
    it is the record's only one. One that stands for no row is a row of its own.
    """
    if all(one.origin != "person" for one in observations):
        return list(observations)
    by_id = {one.id: one for one in observations}
    current = [one for one in observations if one.label is not None and not one.is_replaced]
    only = current[0] if len(current) == 1 else None
    standing = {
        one.id: _newest(one, by_id) if one.is_replaced or one.label is not None else only
        for one in observations
        if one.origin != "person"
    }
    shown = {one.id for one in standing.values() if one is not None}
    rows = []
    for one in observations:
        if one.id in standing:
            found = standing[one.id]
            rows.append(replace(one, label=found.label if found else None))
        elif one in current and one.id not in shown:
            rows.append(one)
    return rows


def _newest(one: Observation, by_id: Mapping[int, Observation]) -> Observation:
    """Return the observation that stands for another: the last of those that replaced it."""
    while one.replaced_by is not None and one.replaced_by in by_id:
        one = by_id[one.replaced_by]
    return one
