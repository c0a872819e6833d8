"""The view that keeps what a person says on the page of a record about its label."""

from __future__ import annotations

from functools import partial

from bottle import HTTPResponse
from sqlalchemy import Connection

from db.errors import InputError, LabelRefused
from db.labels.record_label import give_label, mark_unsure, remove_label, undo_label
from db.records.dataset import find_dataset
from serve.pages.login import Authenticator
from serve.pages.records.record_pages import RecordPages, read_key
from serve.pages.rendering import read_form, redirect
from serve.prediction.service import PredictionService

ACTIONS = ("label", "remove", "unsure", "undo")
# More would be beyond the ids of either database.
MOST_ID_DIGITS = 18


class RecordLabelPages:
    """The view of POST /label/NAME/KEY."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator
        self._records = RecordPages(service, authenticator)

    def submit(self, name: str, key: str) -> HTTPResponse:
        """Keep a label or what else the form says, and show the record again."""
        author = self._authenticator.require_changer("labelling")
        self._service.catalog.find(name)
        record_key, form = read_key(key), read_form()
        change = partial(_change, name=name, key=record_key, form=form, author=author)
        try:
            given = self._service.write(change)
        except InputError as error:
            return self._records.show_record(name, key, 400, str(error))
        except LabelRefused as error:
            return self._records.show_record(name, key, 409, str(error))
        return redirect(f"/records/{name}/{key}{given and f'?labelled={given}'}")


def _change(
    connection: Connection, name: str, key: bytes, form: dict[str, str], author: str
) -> str:
    """Do what a form says; return the id of the new observation, "" if one has been undone."""
    dataset, action = find_dataset(connection, name), form.get("action", "label")
    match action:
        case "label":
            return str(give_label(connection, dataset, key, form.get("label", ""), author))
        case "remove":
            return str(remove_label(connection, dataset, key, author))
        case "unsure":
            return str(mark_unsure(connection, dataset, key, author))
        case "undo":
            undo_label(connection, dataset, _read_id(form), author)
            return ""
    raise InputError("action", f"must be one of {', '.join(ACTIONS)}", "label")


def _read_id(form: dict[str, str]) -> int:
    text = form.get("observation", "")
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_ID_DIGITS):
        raise InputError("observation", "must be the id of an observation", "1")
    return int(text)
