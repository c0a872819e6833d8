"""Which records a listing shows, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from db.errors import InputError

Show: TypeAlias = Literal[
    "all", "unlabelled", "asked", "disagreements", "uncertain", "issues", "duplicates"
]
SHOWS: tuple[Show, ...] = get_args(Show)
# What a listing can be sorted by besides the fields of the dataset.
SORTS = ("label", "prediction", "confidence", "residual", "made_at")
DESCENDING = "-"
# The number of rows that asks for a whole listing, which only CSV has.
ALL_ROWS = "all"


@dataclass(frozen=True)
class ListingFilter:
    """Which records a listing shows; an empty string does not filter.

    `text` is a part of any input, in upper or lower case.
    """

    show: Show = "all"
    label: str = ""
    prediction: str = ""
    group: str = ""
    text: str = ""


@dataclass(frozen=True)
class ListingSort:
    """What a listing is sorted by: a field of the dataset, or one of SORTS where `is_own`."""

    name: str
    is_own: bool
    descending: bool


def read_sort(text: str, fields: tuple[str, ...]) -> ListingSort | None:
    """Return a sort from its text, such as "-age", None from ""; raises InputError.

    A field of the dataset comes before a name of SORTS.
    """
    if not text:
        return None
    name = text.removeprefix(DESCENDING)
    if name not in fields and name not in SORTS:
        raise InputError("sort", f"must be one of {', '.join((*fields, *SORTS))}", "-confidence")
    return ListingSort(name, name not in fields, text.startswith(DESCENDING))
