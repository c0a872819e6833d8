"""How generated examples are run: however slow the machine, and without leaving files behind."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", deadline=None, database=None)
settings.load_profile("unit")
