"""Views that show one record after another to be labelled, and keep what a person says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bottle import HTTPResponse, request

from db.errors import InputError, LabelRefused, UnknownRecord
from db.labels.label_queue import next_record, peek_record
from db.records.dataset import find_dataset
from db.records.record_detail import RecordDetail, read_record_detail
from serve.api.query import read_query
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator
from serve.pages.rendering import read_form, redirect, show
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

from .label_browser import LabellingBrowser, browser_cookie, read_browser
from .label_change import LabelChange
from .label_choice import make_choices
from .label_control import MOST_SUGGESTIONS
from .label_progress import (
    LabelProgress,
    QueueCounts,
    ShortMemory,
    count_waiting,
    read_progress,
)
from .label_request import LabelRequest, order_texts, read_action, read_label_request
from .model_answer import answer_for


class LabelPages:
    """The views of /label/NAME."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator
        self._progress: ShortMemory[LabelProgress] = ShortMemory()
        self._counts: ShortMemory[QueueCounts] = ShortMemory()

    def show_next(self, name: str) -> HTTPResponse:
        """Show the next record to label, or the one whose key the query has."""
        self._authenticator.require_listing_key()
        served = self._service.catalog.find(name)
        wanted = read_label_request(read_query(request.query_string))
        return self._show(served, wanted, read_browser(request.environ))

    def submit(self, name: str) -> HTTPResponse:
        """Keep what a person says about a record, and continue with the next one."""
        author = self._authenticator.require_changer("labelling")
        served, form = self._service.catalog.find(name), read_form()
        wanted, action = read_label_request(form), read_action(form)
        browser = read_browser(request.environ)
        change = LabelChange(name, wanted, action, form.get("label", ""), author)
        try:
            browser, following = self._service.write(partial(change.apply, browser=browser))
        except InputError as error:
            return self._show(served, wanted, browser, 400, str(error))
        except (LabelRefused, UnknownRecord) as error:
            browser = browser.after_undoing() if action == "undo" else browser
            return self._show(served, LabelRequest(wanted.order), browser, 409, str(error))
        self._progress.forget(served.id)
        self._counts.forget((served.id, wanted.order))
        response = redirect(following.path(name))
        response.set_header("Set-Cookie", browser_cookie(request.environ, name, browser))
        return response

    def _show(
        self,
        served: Served,
        wanted: LabelRequest,
        browser: LabellingBrowser,
        status: int = 200,
        problem: str = "",
    ) -> HTTPResponse:
        may_label = self._authenticator.may_change()
        key = wanted.key or self._next_key(served, wanted, browser.holder if may_label else "")
        record, progress, counts = self._read(served, wanted, key)
        response = show(
            "label",
            status,
            title=_("Label {dataset}").format(dataset=served.name),
            datasets=list(self._service.catalog.datasets),
            dataset=served.name,
            served=served,
            wanted=wanted,
            record=record,
            progress=progress,
            counts=counts,
            may_label=may_label,
            has_api_keys=bool(self._service.settings.api_keys),
            can_undo=bool(browser.given),
            problem=problem,
            **_choices(served, record, counts.labels),
        )
        if may_label:
            cookie = browser_cookie(request.environ, served.name, browser)
            response.set_header("Set-Cookie", cookie)
        return response

    def _read(
        self, served: Served, wanted: LabelRequest, key: bytes | None
    ) -> tuple[RecordDetail | None, LabelProgress, QueueCounts]:
        with self._service.store_reader.reading() as connection:
            dataset = find_dataset(connection, served.name)
            record = read_record_detail(connection, dataset, key) if key else None
            progress = partial(read_progress, connection, dataset)
            counts = partial(count_waiting, connection, dataset, wanted.order)
            return (
                record,
                self._progress.get(served.id, progress),
                self._counts.get((served.id, wanted.order), counts),
            )

    def _next_key(self, served: Served, wanted: LabelRequest, holder: str) -> bytes | None:
        """Return the key of the next record, claimed for a browser that may label it."""
        if holder:
            return self._service.write(
                lambda connection: next_record(
                    connection, find_dataset(connection, served.name), wanted.order, holder
                )
            )
        with self._service.store_reader.reading() as connection:
            return peek_record(connection, find_dataset(connection, served.name), wanted.order)


def _choices(
    served: Served, record: RecordDetail | None, known: Sequence[str]
) -> dict[str, object]:
    """Return what a person can choose from: orders and labels, with the model's answer."""
    answer = answer_for(served, record) if record else None
    # Always in the same order, whatever the record.
    labels = served.spec.labels or tuple(dict.fromkeys([*served.student_labels, *known]))
    return {
        "orders": order_texts(regression=served.spec.kind == "regression"),
        "answer": answer,
        "labels": labels[:MOST_SUGGESTIONS],
        "choices": make_choices(labels, answer.shares if answer else {}),
    }
