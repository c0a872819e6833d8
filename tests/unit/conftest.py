"""Configure Hypothesis: no deadline on slow machines, and no database of examples on disk."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", deadline=None, database=None)
settings.load_profile("unit")
