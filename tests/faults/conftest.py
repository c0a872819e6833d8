"""The database of each fault test: both databases in a full run, one in a short run."""

from __future__ import annotations

import pytest

from tests.extent import FULL as FULL  # noqa: PLC0414  the fault tests import it from here

KINDS = ("sqlite", "postgresql")


def _kind(item: pytest.Item) -> str:
    """Return the kind of database a test runs on, or "" if it is not parametrized by database."""
    name = item.name.partition("[")[2]
    return next((kind for kind in KINDS if kind in name), "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run each test on one database in a short run, alternating between the two kinds."""
    if FULL:
        return
    twins: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path.parent.name == "faults" and (kind := _kind(item)):
            twins.setdefault(item.nodeid.replace(kind, "*"), []).append(item)
    left_out = [
        item
        for number, name in enumerate(sorted(twins))
        if len(twins[name]) == len(KINDS)
        for item in twins[name]
        if _kind(item) != KINDS[number % len(KINDS)]
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
