"""All parsers that are fuzzed, by their names."""

from __future__ import annotations

from tests.fuzz.target import FuzzTarget

from . import call, file, model, value, web

_MODULES = (web, file, model, call, value)

TARGETS = {
    target.name: target
    for module in _MODULES
    for target in vars(module).values()
    if isinstance(target, FuzzTarget)
}
