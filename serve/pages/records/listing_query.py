"""The query string of a listing of records."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from db.errors import InputError
from db.records.listings.listing import MOST_ROWS
from db.records.listings.listing_filter import ALL_ROWS, SHOWS, ListingFilter
from db.spec.normalization import normal_text
from serve.pages.language.translation import mark

ROWS = 50
FORMATS = ("html", "json", "csv")
TITLES = {
    "all": mark("All"),
    "unlabelled": mark("Without a label, the least certain first"),
    "asked": mark("Asked and not imported, the newest first"),
    "disagreements": mark("Label and prediction disagree, the surest first"),
    "uncertain": mark("Uncertain, the least certain first"),
    "issues": mark("Labels that are probably wrong"),
    "duplicates": mark("Near duplicates, by group"),
}
FILTERS = ("show", "label", "prediction", "group", "q")
_NAMES = (*FILTERS, "sort", "after", "before", "rows", "format", "row")


@dataclass(frozen=True)
class ListingQuery:
    """The parsed query string of a listing; an empty `format` leaves it to the header Accept.

    If `row` is given, the listing has the record of the row with this id alone. `is_whole` asks for
    all rows.
    """

    filter: ListingFilter
    sort: str = ""
    after: str = ""
    before: str = ""
    rows: int = ROWS
    is_whole: bool = False
    format: str = ""
    row: str = ""

    def path(self, dataset: str, **change: str) -> str:
        """Return the address of this listing with some parameters changed."""
        parameters = {
            **{name: getattr(self.filter, name) for name in ("label", "prediction", "group")},
            "show": "" if self.filter.show == "all" else self.filter.show,
            "q": self.filter.text,
            "sort": self.sort,
            "after": self.after,
            "before": self.before,
            "rows": "" if self.rows == ROWS else str(self.rows),
            "format": self.format,
            "row": self.row,
            **change,
        }
        parameters = {name: value for name, value in parameters.items() if value}
        query = urlencode(parameters, quote_via=quote)
        return f"/records/{dataset}{'?' if query else ''}{query}"


def read_listing_query(parameters: Mapping[str, str]) -> ListingQuery:
    """Parse the parameters of a listing; raises InputError."""
    for name, value in parameters.items():
        if name not in _NAMES:
            raise InputError(name, f"is not a parameter of a listing; use {', '.join(_NAMES)}")
        check_text(name, value)
    show = parameters.get("show", "all")
    if show not in SHOWS:
        raise InputError("show", f"must be one of {', '.join(SHOWS)}", "disagreements")
    group = parameters.get("group", "")
    if group and show not in {"all", "duplicates"}:
        raise InputError("group", "works only with show=duplicates")
    label, prediction = parameters.get("label", ""), parameters.get("prediction", "")
    listing_filter = ListingFilter(show, label, prediction, group, parameters.get("q", ""))
    format_name, row = read_format(parameters), _read_row(parameters)
    sort, (after, before) = parameters.get("sort", ""), _read_position(parameters)
    rows, is_whole = _read_rows(parameters.get("rows", str(ROWS)), format_name)
    return ListingQuery(listing_filter, sort, after, before, rows, is_whole, format_name, row)


def _read_position(parameters: Mapping[str, str]) -> tuple[str, str]:
    after, before = parameters.get("after", ""), parameters.get("before", "")
    if after and before:
        raise InputError("before", "works only without after")
    if before and parameters.get("sort"):
        raise InputError("before", "works only without sort; use after")
    return after, before


def _read_row(parameters: Mapping[str, str]) -> str:
    row = parameters.get("row", "")
    if "row" in parameters and not row:
        raise InputError("row", "must not be empty; leave it out for all records")
    others = [name for name in (*FILTERS, "sort", "after", "before") if parameters.get(name)]
    if row and others:
        raise InputError("row", f"names one row; leave out {', '.join(others)}")
    return row


def read_format(parameters: Mapping[str, str], formats: Collection[str] = FORMATS) -> str:
    """Return the parameter `format`, "" if it is left out; raises InputError."""
    format_name = parameters.get("format", "")
    if "format" in parameters and format_name not in formats:
        raise InputError("format", f"must be one of {', '.join(formats)}", "json")
    return format_name


def check_text(name: str, value: str) -> None:
    """Raise InputError if a value has characters that the store cannot hold."""
    try:
        normal_text(value)
    except ValueError as error:
        raise InputError(name, str(error)) from None


def _read_rows(text: str, format_name: str) -> tuple[int, bool]:
    """Return the number of rows, and whether all of them are asked for."""
    if text == ALL_ROWS and format_name == "csv":
        return ROWS, True
    # int() would also accept "1_0" and digits of other scripts.
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_ROWS:
        every = ", or all with format=csv"
        raise InputError("rows", f"must be a whole number from 1 to {MOST_ROWS}{every}", ROWS)
    return int(text), False
