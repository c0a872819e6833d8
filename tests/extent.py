"""Which tests are run, and in which form.

`make test` runs those that are not slow, `make test-all` every test, and `make faults` the fault
injections in their long form.
"""

from __future__ import annotations

import os

import pytest

# Nothing may be skipped.
ALL = os.environ.get("VEILLEUSE_TESTS") == "all"
# Faults are injected in their long form, which tests all that the project claims.
FULL = os.environ.get("VEILLEUSE_FAULTS") == "full"
# Tests on PostgreSQL reach it through PgBouncer.
POOLED = os.environ.get("VEILLEUSE_POOLER") == "1"


def on_store(short: str) -> pytest.MarkDecorator:
    """Run a slow test on one kind of store, and on both in the long form.

    `short` is the kind on which the fault is more likely to show.
    """
    kinds = ["sqlite", "postgresql"] if FULL else [short]
    return pytest.mark.parametrize("database_url", kinds, indirect=True)
