"""Views of the versions of a model: list, one version, comparison of two, and activation."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Any

from bottle import HTTPResponse, request
from sqlalchemy import Connection

from db.errors import InputError, UnknownModel
from db.records.dataset import Dataset, find_dataset
from db.records.models.trained_model import Model, find_model, newest_models
from db.versions.activation import activate_version
from db.versions.held_out import mark_held_out
from db.versions.metric_differences import metric_difference, recall_differences
from db.versions.read_comparison import ReadComparison, read_comparison
from db.versions.training_run import find_training_run
from serve.api.query import read_query
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator
from serve.pages.rendering import read_form, redirect, show
from serve.prediction.service import PredictionService

from .comparison_cache import ComparisonCache
from .scores import version_rows

VERSIONS_SHOWN = 20
# Listings of larger models are left to the command, which may take minutes.
MOST_HELD_OUT_BYTES = 8 * 2**20
_VERSION = r"[0-9]{1,9}"

log = logging.getLogger("veilleuse.web")


class ModelPages:
    """The views under /models."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator
        self._comparisons = ComparisonCache()

    def versions(self, name: str) -> HTTPResponse:
        """List the versions of a model, or go to the comparison that the form asks for."""
        self._authenticator.require_read_key()
        self._service.catalog.find(name)
        parameters = read_query(request.query_string, only=("before", "from", "to"))
        if "from" in parameters or "to" in parameters:
            pair = [_read_version(parameters, field) for field in ("from", "to")]
            return redirect(f"/models/{name}/{pair[0]}..{pair[1]}")
        before = _read_version(parameters, "before") if "before" in parameters else None
        with self._service.store_reader.reading() as connection:
            dataset = find_dataset(connection, name)
            models = newest_models(connection, dataset.id, VERSIONS_SHOWN + 1, before)
        return self._show(
            "models",
            name,
            _("Models of {dataset}").format(dataset=name),
            dataset_spec=dataset.spec,
            rows=version_rows(models, VERSIONS_SHOWN),
            before=before,
            has_older=len(models) > VERSIONS_SHOWN,
        )

    def version(self, name: str, versions: str) -> HTTPResponse:
        """Show one version, such as 3, or compare two, such as 1..2."""
        self._authenticator.require_read_key()
        self._service.catalog.find(name)
        match = re.fullmatch(rf"({_VERSION})(?:\.\.({_VERSION}))?", versions)
        if match is None:
            raise UnknownModel(
                f"{name} has no version {versions!r}; ask for one such as 3, or two such as 1..2"
            )
        if match[2] is None:
            return self._show_version(name, int(match[1]))
        return self._show_comparison(name, int(match[1]), int(match[2]))

    def _show_version(self, name: str, version: int) -> HTTPResponse:
        parameters = read_query(request.query_string, only=("listings",))
        with self._service.store_reader.reading() as connection:
            dataset = find_dataset(connection, name)
            model = find_model(connection, dataset, version)
            older = newest_models(connection, dataset.id, 1, version)
            run = find_training_run(connection, dataset, version)
        return self._show(
            "models_version",
            name,
            f"{name}@{version}",
            model=model,
            older=older[0] if older else None,
            run=run,
            shows_reason=self._authenticator.may_list(),
            has_old_listings=parameters.get("listings") == "old",
        )

    def _show_comparison(self, name: str, before: int, after: int) -> HTTPResponse:
        if before == after:
            raise InputError("versions", "must be two different versions", "1..2")
        with self._service.store_reader.reading() as connection:
            dataset = find_dataset(connection, name)
            models = [find_model(connection, dataset, version) for version in (before, after)]
            found = self._compare(connection, dataset, *models)
        metrics = [model.metrics for model in models]
        return self._show(
            "models_compare",
            name,
            f"{name}@{before} – {name}@{after}",
            before=models[0],
            after=models[1],
            found=found,
            teacher=metric_difference(metrics[0], metrics[1], "teacher"),
            student=metric_difference(metrics[0], metrics[1], "student"),
            recalls=recall_differences(*metrics),
            lists_records=self._authenticator.may_list(),
        )

    def _compare(
        self, connection: Connection, dataset: Dataset, before: Model, after: Model
    ) -> ReadComparison:
        key = (dataset.id, before.version, after.version)
        make = partial(read_comparison, connection, dataset.id, before, after)
        return self._comparisons.find(key, make)

    def _show(
        self,
        template: str,
        name: str,
        title: str,
        **values: Any,  # noqa: ANN401  what the template shows
    ) -> HTTPResponse:
        return show(
            template,
            title=title,
            datasets=list(self._service.catalog.datasets),
            dataset=name,
            may_change=self._authenticator.may_change(),
            **values,
        )

    def activate(self, name: str) -> HTTPResponse:
        """Activate the version that a form of our own pages names."""
        client = self._authenticator.require_changer("activating a model")
        served = self._service.catalog.find(name)
        version = _read_version(read_form(), "version")
        with self._service.store_reader.reading() as connection:
            dataset = find_dataset(connection, served.name)
        self._service.write(partial(activate_version, dataset=dataset, version=version))
        log.info("%s activated %s@%d", client, name, version)
        is_marked = mark_held_out(self._service.store.pooled, dataset, version, MOST_HELD_OUT_BYTES)
        return redirect(f"/models/{name}/{version}{'' if is_marked else '?listings=old'}")


def _read_version(fields: dict[str, str], name: str) -> int:
    """Return the number of a version in a query or form; raises InputError."""
    text = fields.get(name, "")
    # int() would also accept "1_0" and digits of other scripts.
    if not re.fullmatch(_VERSION, text):
        raise InputError(name, "must be the number of a version", 1)
    return int(text)
