"""What a person says about a record, written to the store."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from db.errors import InputError
from db.labels.label_claim import claim_key, release_key, skip_key
from db.labels.record_label import give_label, mark_unsure, undo_label
from db.records.dataset import Dataset, find_dataset

from .label_browser import LabellingBrowser
from .label_request import Action, LabelRequest


@dataclass(frozen=True)
class LabelChange:
    """A submitted form: the record, what to do with it, and who wants it."""

    dataset: str
    wanted: LabelRequest
    action: Action
    label: str
    author: str

    def apply(
        self, connection: Connection, browser: LabellingBrowser
    ) -> tuple[LabellingBrowser, LabelRequest]:
        """Write the change; return the browser afterwards, and what it sees next.

        Raises InputError, LabelRefused, UnknownRecord, or UnknownDataset.
        """
        dataset = find_dataset(connection, self.dataset)
        if self.action == "undo":
            return self._undo(connection, dataset, browser)
        key = self.wanted.key
        if key is None:
            raise InputError("key", "is missing; it is the key of the record to label")
        following = replace(self.wanted, key=None)
        if self.action == "skip":
            skip_key(connection, dataset.id, key, browser.holder)
            return browser, following
        if self.action == "unsure":
            given = mark_unsure(connection, dataset, key, self.author)
        else:
            given = give_label(connection, dataset, key, self.label, self.author)
        release_key(connection, dataset.id, key, browser.holder)
        return browser.after_giving(given), following

    def _undo(
        self, connection: Connection, dataset: Dataset, browser: LabellingBrowser
    ) -> tuple[LabellingBrowser, LabelRequest]:
        """Undo the browser's newest label; its record is shown again."""
        if not browser.given:
            return browser, replace(self.wanted, key=None)
        key = undo_label(connection, dataset, browser.given[0], self.author)
        claim_key(connection, dataset.id, key, browser.holder)
        return browser.after_undoing(), replace(self.wanted, key=key)
