"""Listings of records: what a query asks for, as a page, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import msgspec

from db.errors import InputError
from db.records.listing import MOST_ROWS, SHOWS, ListingFilter, ListingPage
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import normal_text

ROWS = 50
FORMATS = ("html", "json", "csv")
TITLES = {
    "all": "All",
    "disagreements": "Label and prediction disagree",
    "uncertain": "Uncertain, most so first",
    "issues": "Labels that are probably wrong",
    "duplicates": "Near duplicates, group by group",
}
_NAMES = ("show", "label", "prediction", "group", "after", "rows", "format")

encode_json = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class ListingQuery:
    """What a listing's address asks for."""

    filter: ListingFilter
    after: str = ""
    rows: int = ROWS
    format: str = ""

    def path(self, dataset: str, **change: str) -> str:
        """Return the address of this listing, some of it changed."""
        parameters = {
            **{name: getattr(self.filter, name) for name in ("label", "prediction", "group")},
            "show": "" if self.filter.show == "all" else self.filter.show,
            "after": self.after,
            "rows": "" if self.rows == ROWS else str(self.rows),
            "format": self.format,
            **change,
        }
        query = urlencode({name: it for name, it in parameters.items() if it}, quote_via=quote)
        return f"/records/{dataset}{'?' if query else ''}{query}"


def read_listing_query(given: Mapping[str, str]) -> ListingQuery:
    """Return what was asked for; raises InputError."""
    for name in given:
        if name not in _NAMES:
            raise InputError(name, f"is nothing that a listing knows; it knows {', '.join(_NAMES)}")
        check_words(name, given[name])
    show = given.get("show", "all")
    if show not in SHOWS:
        raise InputError("show", f"must be one of {', '.join(SHOWS)}", "disagreements")
    if given.get("group") and show not in {"all", "duplicates"}:
        raise InputError("group", "goes with show=duplicates alone")
    label, prediction, group = (given.get(name, "") for name in ("label", "prediction", "group"))
    wanted = ListingFilter(show, label, prediction, group)
    rows = _rows(given.get("rows", str(ROWS)))
    return ListingQuery(wanted, given.get("after", ""), rows, read_format(given))


def read_format(given: Mapping[str, str], formats: Collection[str] = FORMATS) -> str:
    """Return the form that is asked for, "" where that is left to Accept; raises InputError."""
    form = given.get("format", "")
    if "format" in given and form not in formats:
        raise InputError("format", f"must be one of {', '.join(formats)}", "json")
    return form


def check_words(name: str, value: str) -> None:
    """Raise InputError where a value holds what no store can."""
    try:
        normal_text(value)
    except ValueError as error:
        raise InputError(name, str(error)) from None


def _rows(text: str) -> int:
    # int() would also take "1_0" and digits of other scripts.
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_ROWS:
        raise InputError("rows", f"must be a whole number from 1 to {MOST_ROWS}", ROWS)
    return int(text)


def as_json(dataset: str, query: ListingQuery, page: ListingPage) -> bytes:
    """Return a page of a listing; `next` is the address of the one after it."""
    following = query.path(dataset, after=page.after) if page.after else None
    records = [
        {
            "key": one.key,
            "inputs": one.inputs,
            "label": one.label,
            "origin": one.origin,
            "made_at": one.made_at,
            "answer": one.answer or one.score,
            "score": one.score if one.answer else None,
            "held_out": one.held_out,
            "issue": one.issue,
            "group": one.group,
        }
        for one in page.rows
    ]
    return encode_json({"dataset": dataset, "records": records, "next": following})


def as_csv(spec: DatasetSpec, page: ListingPage) -> bytes:
    """Return a page of a listing, one line a record, after a line of names."""
    out = io.StringIO()
    writer = csv.writer(out)
    more = ("answer", "score", "held_out", "origin", "issue", "group")
    writer.writerow(["key", *spec.fields, spec.target, *more])
    for one in page.rows:
        listed = [one.answer or one.score, one.score if one.answer else None, one.held_out]
        inputs = [one.inputs.get(name) for name in spec.fields]
        writer.writerow([one.key, *inputs, one.label, *listed, one.origin, one.issue, one.group])
    return out.getvalue().encode()
