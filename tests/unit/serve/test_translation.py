"""Tests of the languages of the pages: the choice of one, and a complete catalogue."""

from __future__ import annotations

import re

import pytest

from deploy.translate import (
    CATALOGUE,
    collect_texts,
    compiled,
    missing_texts,
    read_catalogue,
)
from serve.pages.formatting import count, number, percent
from serve.pages.language.translation import choose_language, gettext, ngettext, use_language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("en-GB,fr;q=0.5", "en"),
        ("de,fr;q=0.4,en;q=0.6", "en"),
        ("de, FR", "fr"),
        ("fr;q=0", "en"),
        ("fr;q=much", "en"),
        ("*", "en"),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(accepted: str, language: str) -> None:
    """English where it prefers no language that we have."""
    assert choose_language(accepted) == language


def test_every_text_of_the_pages_has_a_french_translation() -> None:
    """Run `make translations`, and translate the texts that it names."""
    catalogue, wanted = read_catalogue(), collect_texts()
    known = {message.id for message in catalogue if message.id}
    assert known == {message.id for message in wanted if message.id}
    assert list(missing_texts(catalogue)) == []


def test_the_compiled_catalogue_is_that_of_the_texts() -> None:
    """Run `make translations` after changing a translation."""
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled(read_catalogue())


def test_a_translation_has_the_same_values_in_it_as_its_text() -> None:
    """A value that is missing or misspelt would be an error on the page."""
    for message in read_catalogue():
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        forms = message.string if isinstance(message.string, tuple | list) else [message.string]
        for form in forms if message.id else ():
            # A singular may say "one" instead of the number.
            least = set.intersection(*map(_values, ids)) - {"count"}
            assert least <= _values(form or "") <= set.union(*map(_values, ids)), message.id


def _values(text: str) -> set[str]:
    return set(re.findall(r"\{(\w*)\}", text))


def test_numbers_and_plurals_follow_the_language() -> None:
    """French has commas before decimals, narrow spaces between thousands, and 0 is singular."""
    assert (number(1234.5, 1), count(5551), percent(0.825, 1)) == ("1,234.5", "5,551", "82.5 %")
    use_language("fr")
    try:
        assert (number(1234.5, 1), count(5551)) == ("1\u202f234,5", "5\u202f551")
        assert percent(0.825, 1) == "82,5 %"
        assert ngettext("{count} record", "{count} records", 0) == "{count} enregistrement"
        assert gettext("") == ""
    finally:
        use_language("en")
