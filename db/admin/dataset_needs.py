"""What a dataset's spec needs on a worker's machine: packages, and URLs of users' databases."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping

from db.errors import ExchangeError
from db.exchange.user_database import open_database, spec_database_url
from db.settings.spec_variable import allowed_variables
from db.spec.dataset_spec import DatasetSpec
from db.spec.named_variables import variable_faults

from .finding import Finding, fault

# The modules that built-in enrichers need beyond those that every worker has.
_MODULES = {
    "http": ("httpx", "tenacity"),
    "llm": ("httpx", "tenacity", "jsonschema"),
    "label_issues": ("cleanlab",),
    "near_duplicates": ("datasketch",),
}


def check_needs(spec: DatasetSpec, environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Yield a finding for each package and each database URL that a spec needs and lacks here."""
    for name, enricher in spec.enrichers.items():
        yield from _check_modules(spec.name, name, _MODULES.get(enricher.use or name, ()))
    for message in variable_faults(spec, allowed_variables(environ)):
        remedy = "correct the spec or SPEC_VARIABLES, then load it: python -m db load FILE"
        yield Finding("fault", f"variables of {spec.name}", message, remedy)
    for section, purpose in (
        (spec.source, "imports its rows"),
        (spec.publish, "publishes its predictions"),
    ):
        if section is not None:
            yield _check_database(
                spec.name, section.url, purpose, environ, must_exist=section is spec.source
            )


def _check_modules(dataset: str, enricher: str, modules: tuple[str, ...]) -> Iterator[Finding]:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        message = f"the enricher {enricher} needs {', '.join(missing)}"
        remedy = "pip install -r requirements-extra.txt"
        yield Finding("fault", f"packages of {dataset}", message, remedy)


def _check_database(
    dataset: str, variable: str, purpose: str, environ: Mapping[str, str], *, must_exist: bool
) -> Finding:
    subject = f"database of {dataset}"
    if not environ.get(variable, "").strip():
        message = f"{variable} is not set here, so no worker with this environment {purpose}"
        remedy = f"set {variable} to the database's URL where workers run"
        return Finding("warning", subject, message, remedy)
    try:
        with open_database(spec_database_url(variable, environ), must_exist=must_exist) as database:
            # Creating the engine has imported its driver; nothing is connected to.
            return Finding("good", subject, f"{variable} is {database.name}; a worker {purpose}")
    except ExchangeError as error:
        return fault(subject, error)
