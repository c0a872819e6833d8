"""Run every simulation, and end with 1 if one of them breaks its promise: make simulate."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.simulation


def main(names: list[str]) -> int:
    """Run the simulations of these names, or all; each has a function `report` that yields lines.

    It raises AssertionError where a promise is not kept.
    """
    known = sorted(it.name for it in pkgutil.iter_modules(tests.simulation.__path__))
    broken = False
    for name in names or [it for it in known if it != "__main__"]:
        print(f"{name}:", flush=True)
        try:
            for line in importlib.import_module(f"tests.simulation.{name}").report():
                print(f"  {line}", flush=True)
        except AssertionError as error:
            broken = True
            print(f"  broken: {error}", flush=True)
    return int(broken)


sys.exit(main(sys.argv[1:]))
