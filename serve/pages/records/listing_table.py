"""The columns and numbers of a listing's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from db.records.listings.index_scan import MOST_COUNTED
from db.records.listings.listing import ListedRecord
from db.records.listings.sorted_listing import MOST_SORTED_ROWS
from db.spec.field import Field, IntegerField, NumberField
from serve.pages.formatting import (
    USUAL_DECIMALS,
    count,
    decimals_for,
    number,
    signed,
)
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import mark, ngettext

from .listing_query import TITLES, ListingQuery

FARTHEST = mark("Label and prediction, the farthest apart first")
UNLABELLED = mark("Without a label")


@dataclass(frozen=True)
class SortLink:
    """A column's heading, which sorts the listing; `order` is its aria-sort, "" if it does not."""

    text: str
    path: str
    order: str = ""


def sort_link(dataset: str, query: ListingQuery, name: str, text: str) -> SortLink:
    """Return the heading of a column: a click sorts by it, and a second one turns the order."""
    rising = query.sort == name
    order = "ascending" if rising else "descending" if query.sort == f"-{name}" else ""
    following = f"-{name}" if rising else name
    return SortLink(text, query.path(dataset, sort=following, after="", before=""), order)


def titles_of(*, regression: bool) -> dict[str, str]:
    """Return the lists that a dataset has, by their names, in the language of the page."""
    if not regression:
        return {name: _(text) for name, text in TITLES.items()}
    titles = {**TITLES, "disagreements": FARTHEST, "unlabelled": UNLABELLED}
    return {name: _(titles[name]) for name in titles if name not in {"uncertain", "issues"}}


def is_number(field: Field) -> bool:
    """Return whether the values of a field are numbers, which are aligned to the right."""
    return isinstance(field, NumberField | IntegerField)


def can_sort(total: int | None) -> bool:
    """Return whether a listing is small enough to be sorted by any column."""
    return total is not None and total <= MOST_SORTED_ROWS


def total_text(total: int | None) -> str:
    """Return how many records a listing has, "" where they are not counted."""
    if total is None:
        return ""
    if total > MOST_COUNTED:
        return _("more than {count} records").format(count=count(MOST_COUNTED))
    return ngettext("{count} record", "{count} records", total).format(count=count(total))


def number_decimals(rows: Sequence[ListedRecord]) -> int:
    """Return with how many decimals all numbers of a page are shown: labels and predictions."""
    sizes = [abs(row.score) for row in rows if row.score is not None]
    sizes = sizes or [abs(float(row.label)) for row in rows if row.label is not None]
    return min(decimals_for(median(sizes)), USUAL_DECIMALS) if sizes else 0


def residual(row: ListedRecord, decimals: int) -> str:
    """Return by how much the label is above the prediction, with its sign; "" without either."""
    if row.label is None or row.score is None:
        return ""
    difference = float(row.label) - row.score
    shown = number(abs(difference), decimals)
    return number(0.0, decimals) if shown == number(0.0, decimals) else signed(difference, decimals)
