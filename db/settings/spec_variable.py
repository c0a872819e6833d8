"""The environment variables that specs may name: never those that are secrets of our own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from fnmatch import fnmatchcase

from .loader import Settings
from .value import comma_separated

# Other variables of the worker that may have its passwords, in upper case.
OTHER_SECRETS = frozenset({"PGPASSWORD", "PGPASSFILE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})
# Tables are exchanged with other tables of the store's database. The URL is sent nowhere else.
FOR_DATABASES = "DATABASE_URL"


def is_own(variable: str) -> bool:
    """Return whether a variable is a setting, or may have another password of this program."""
    name = variable.upper()
    return name in OTHER_SECRETS or any(name == one.name.upper() for one in fields(Settings))


def variable_fault(variable: str, allowed: Sequence[str], *, is_database: bool = False) -> str:
    """Return why a spec may not name a variable, "" if it may.

    `allowed` are the patterns of SPEC_VARIABLES; `is_database` if it has the URL of a database.
    """
    if is_own(variable) and not (is_database and variable == FOR_DATABASES):
        return f"{variable} belongs to this application; put the value into another variable"
    if not any(fnmatchcase(variable, pattern) for pattern in allowed):
        return f"{variable} is not in SPEC_VARIABLES; add it there, or name another variable"
    return ""


def allowed_variables(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the patterns of SPEC_VARIABLES, for a process that has not loaded the settings."""
    return comma_separated(environ.get("SPEC_VARIABLES", "")) or Settings.spec_variables
