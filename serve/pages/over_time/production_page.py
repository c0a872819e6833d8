"""The page in production: how the answers of a dataset turned out, by week and by version."""

from __future__ import annotations

from bottle import HTTPResponse, request

from db.labels.production import read_production, summarize_production
from db.records.dataset import find_dataset
from db.store.direct.clock import wall_seconds
from serve.api.access.body_limit import upload_bytes
from serve.api.response import public_path
from serve.pages.jobs.upload import SUFFIXES
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator
from serve.pages.rendering import show
from serve.prediction.service import PredictionService

from .production_data import (
    alert_text,
    calm_text,
    curl_command,
    label_examples,
    subject_columns,
    summary_text,
    weeks_chart,
)


class ProductionPage:
    """The view under /production."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def production(self, name: str) -> HTTPResponse:
        """Show how good the answers turned out to be; only sums, and no rows of data."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        with self._service.store_reader.reading() as connection:
            now = wall_seconds(connection)
            weeks = read_production(connection, find_dataset(connection, name))
        is_regression = served.spec.kind == "regression"
        summary = summarize_production(weeks, now)
        labels = served.spec.labels or served.student_labels
        examples = label_examples(served.spec, labels, needs_inputs=served.is_final)
        return show(
            "production",
            title=_("{dataset} in production").format(dataset=served.spec.title or name),
            datasets=list(self._service.catalog.datasets),
            dataset=name,
            served=served,
            weeks=weeks[::-1],
            is_regression=is_regression,
            summary=summary_text(summary, is_regression=is_regression) if summary else "",
            alert=alert_text(name, weeks, is_regression=is_regression),
            calm=calm_text(weeks),
            chart=weeks_chart(weeks, now, is_regression=is_regression),
            commands=_commands(name, examples),
            subjects=subject_columns(served.spec),
            suffixes=SUFFIXES,
            most_bytes=upload_bytes(self._service.settings),
            may_change=self._authenticator.may_change(),
            keeps_answers=served.spec.remember and self._service.settings.answers_per_second > 0,
        )


def _commands(name: str, examples: list[dict[str, object]]) -> list[str]:
    host = request.urlparts
    address = f"{host.scheme}://{host.netloc}{public_path(f'/labels/{name}')}"
    return [curl_command(address, example) for example in examples]
