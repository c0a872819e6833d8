"""Whether a column of words has choices, free text, or what only identifies the rows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from db.files.column_type import ColumnProfile

from .id_name import is_id_name, name_parts

MAX_LISTED = 40
MAX_LISTED_CHARACTERS = 60
MAX_CHOICE_CHARACTERS = 100
# The values of a choice repeat: each occurs at least this often on average.
MIN_LISTED_REPEATS = 3
MIN_REPEATS = 2
MIN_ID_ROWS = 20
NEARLY_UNIQUE = 1.1
_SHOWN_CHARACTERS, _SHOWN_CELLS = 40, 3
_OWN_VALUES = "has a value of its own in nearly every row"
_TEXT_WORDS = 3
_LONG_TEXT_WORDS = 6
# Texts of so many words are what the table is about, so models of language are worth their time.
SUBSTANTIAL_WORDS = 4

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+\.[^@\s]+")
_PHONE = re.compile(r"(?:\+|\(|0)[0-9][-0-9 ()./]{7,20}")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+")
_PERSONAL = frozenset(
    (
        *("name", "names", "surname", "firstname", "lastname", "fullname", "username", "nickname"),
        *("nom", "prenom", "vorname", "nachname", "nombre", "apellido", "cognome"),
        *("email", "mail", "phone", "telephone", "tel", "mobile", "fax", "telefon", "telefono"),
        *("address", "adresse", "adress", "street", "strasse", "rue", "direccion", "indirizzo"),
    )
)


@dataclass(frozen=True)
class WordKind:
    """What a column of words is: its type, or why it is not used, and what to check."""

    kind: Literal["choice", "text", "id", "unused"]
    reason: str = ""
    is_listed: bool = False
    warning: str = ""


def kind_of_words(profile: ColumnProfile, values: Counter[str], filled: int) -> WordKind:
    """Return what a column of words is; `values` and `filled` count its words for "missing"."""
    if profile.is_unique and is_id_name(profile.name) and filled == profile.rows:
        return WordKind("id", "is one per row, so it identifies rows")
    is_few = len(values) <= MAX_LISTED and not profile.has_more
    repeats = filled >= MIN_LISTED_REPEATS * len(values)
    if is_few and repeats and profile.longest <= MAX_LISTED_CHARACTERS:
        return WordKind("choice", is_listed=True)
    return _personal(profile, values) or _kind_of_many(profile, is_few=is_few)


def _kind_of_many(profile: ColumnProfile, *, is_few: bool) -> WordKind:
    """Return what a column is that has many different words, or long ones."""
    if _is_free_text(profile, is_few=is_few):
        return WordKind("text")
    if not _is_nearly_unique(profile):
        return WordKind("choice", is_listed=is_few and profile.longest <= MAX_LISTED_CHARACTERS)
    if profile.is_unique and (profile.codes.is_common or profile.has_large_numbers):
        return WordKind("id", "is one per row, so it identifies rows")
    return _unlearnable(profile)


def _unlearnable(profile: ColumnProfile) -> WordKind:
    """Return that a column is not used, and why a person should look at it."""
    example = next(iter(profile.distinct))[:_SHOWN_CHARACTERS]
    own = f"is not used, because it {_OWN_VALUES}, such as {example}"
    advice = "if it says something, write its parts as numbers or words in columns of their own"
    groups = sorted(profile.groups.by_key.values(), key=lambda group: group.line)
    numbers = [group for _, group in profile.groups.numbers()]
    if 2 * sum(group.count for group in numbers) > profile.filled:
        shown = ", ".join(group.example[:_SHOWN_CHARACTERS] for group in groups[:_SHOWN_CELLS])
        own, advice = (
            f"is not used, because it has numbers that are written in several ways: {shown}",
            "write them alike",
        )
    return WordKind("unused", f"{_OWN_VALUES}, and no sentences", warning=f"{own}; {advice}")


def _personal(profile: ColumnProfile, values: Counter[str]) -> WordKind | None:
    """Return the kind of a column of names, e-mail or web addresses; None for another."""
    for pattern, what in (
        (_EMAIL, "e-mail addresses"),
        (_ADDRESS, "web addresses"),
        (_PHONE, "phone numbers"),
    ):
        matches = sum(bool(pattern.fullmatch(text)) for text in values)
        if matches > 0.9 * len(values):
            is_choice = profile.mean_count >= MIN_REPEATS and profile.longest <= 200  # noqa: PLR2004
            reason = f"contains {what}, which only identify"
            return WordKind("choice") if is_choice else WordKind("unused", reason)
    is_named = bool(_PERSONAL & set(name_parts(profile.name)))
    is_titled = profile.titles > 0.9 * profile.filled and profile.median_words <= _TEXT_WORDS
    if (is_named or is_titled) and _is_nearly_unique(profile) and _is_short(profile):
        return WordKind("unused", "contains names or addresses, which only identify")
    return None


def _is_short(profile: ColumnProfile) -> bool:
    return profile.median_words < _LONG_TEXT_WORDS and 2 * profile.sentences < profile.filled


def _is_nearly_unique(profile: ColumnProfile) -> bool:
    return profile.filled >= MIN_ID_ROWS and profile.mean_count < NEARLY_UNIQUE


def _is_free_text(profile: ColumnProfile, *, is_few: bool) -> bool:
    """Return whether cells are sentences, or several words that hardly repeat."""
    words = profile.median_words
    if profile.longest > 2 * MAX_CHOICE_CHARACTERS and words >= _TEXT_WORDS:
        return True
    if profile.longest > 2 * MAX_CHOICE_CHARACTERS and profile.mean_count < MIN_REPEATS:
        return True
    if words >= _TEXT_WORDS and profile.mean_count < MIN_REPEATS:
        return not is_few or len(profile.distinct) >= MIN_ID_ROWS or words >= SUBSTANTIAL_WORDS
    return not is_few and (2 * profile.sentences >= profile.filled or words >= _LONG_TEXT_WORDS)
