"""Which database each fault test runs on: both in the long form, one in the short form."""

from __future__ import annotations

import pytest

from tests.extent import FULL as FULL  # noqa: PLC0414  tests of faults import it from here

KINDS = ("sqlite", "postgresql")


def _kind(item: pytest.Item) -> str:
    """Return which database a test is on, "" where it is on none or on its own."""
    name = item.name.partition("[")[2]
    return next((kind for kind in KINDS if kind in name), "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In short, let each test be on one of the two databases, and every other one on the other."""
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
