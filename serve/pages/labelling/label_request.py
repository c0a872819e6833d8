"""What a browser asks of the label pages: an order, a record, and what to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from db.errors import InputError
from db.labels.queue_scan import ORDERS, Order
from db.spec.record_key import KEY_BYTES
from serve.pages.language.translation import mark

Action: TypeAlias = Literal["label", "skip", "unsure", "undo"]
ACTIONS: tuple[Action, ...] = get_args(Action)


@dataclass(frozen=True)
class OrderText:
    """The name of an order on its link, and a sentence about it."""

    name: str
    about: str


ORDER_TEXTS: dict[Order, OrderText] = {
    "uncertain": OrderText(
        mark("Uncertain first"),
        mark("Records without a label, first those about which the model is least certain."),
    ),
    "disagreements": OrderText(
        mark("Disagreements"),
        mark("Records whose label is not what the model answers, first where it is most certain."),
    ),
    "issues": OrderText(mark("Doubtful labels"), mark("Records whose labels are probably wrong.")),
    "sample": OrderText(
        mark("Fair sample"),
        mark("Records chosen by chance, with a label or without: measure the model with them."),
    ),
    "asked": OrderText(
        mark("Newest questions"), mark("What was asked and has no label, the newest first.")
    ),
}
_NUMBER_TEXTS: dict[Order, OrderText] = {
    "uncertain": OrderText(
        mark("Uncertain first"),
        mark("Records without a label, first those with the widest interval."),
    ),
    "disagreements": OrderText(
        mark("Disagreements"),
        mark("Records whose label is far from what the model answers, the farthest first."),
    ),
}


@dataclass(frozen=True)
class LabelRequest:
    """A parsed request; without a key it asks for the next record in the order."""

    order: Order = "uncertain"
    key: bytes | None = None

    def path(self, dataset: str) -> str:
        """Return the address of this request."""
        key = f"&key={self.key.hex()}" if self.key else ""
        return f"/label/{dataset}?order={self.order}{key}"


def order_texts(*, regression: bool) -> dict[Order, OrderText]:
    """Return the orders that a dataset can be labelled in; only labels can be doubtful."""
    if not regression:
        return ORDER_TEXTS
    texts = ORDER_TEXTS | _NUMBER_TEXTS
    return {order: text for order, text in texts.items() if order != "issues"}


def read_label_request(given: Mapping[str, str]) -> LabelRequest:
    """Parse the order and the key of a query or a form; raises InputError."""
    order = next((one for one in ORDERS if one == given.get("order", "uncertain")), None)
    if order is None:
        raise InputError("order", f"must be one of {', '.join(ORDERS)}", "uncertain")
    return LabelRequest(order, _read_key(given.get("key", "")))


def read_action(form: Mapping[str, str]) -> Action:
    """Return what a form asks to do, by default to label; raises InputError."""
    action = next((one for one in ACTIONS if one == form.get("action", "label")), None)
    if action is None:
        raise InputError("action", f"must be one of {', '.join(ACTIONS)}", "label")
    return action


def _read_key(text: str) -> bytes | None:
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or key.hex() != text:
        raise InputError("key", "is not a record's key; a key has 32 lower-case hex digits")
    return key
