"""Imports the code that a spec names by its dotted path."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from db.errors import EnricherError


def import_from_path(path: str, code_paths: Sequence[str]) -> Any:  # noqa: ANN401
    """Return the object at a dotted path; raises EnricherError.

    The path must be in a package of CODE_PATHS. Otherwise anyone who may load a dataset could run
    any installed code.
    """
    module_name, _, name = path.rpartition(".")
    if not any(f"{module_name}.".startswith(f"{allowed}.") for allowed in code_paths):
        allowed = ", ".join(code_paths)
        raise EnricherError(f"{path}: is outside CODE_PATHS ({allowed}); add its package there")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's module may raise any exception
        raise EnricherError(f"{path}: cannot be imported: {error}") from error
    if not hasattr(module, name):
        raise EnricherError(f"{path}: {module_name} has no {name}")
    return getattr(module, name)
