"""The language of the page that is being made, and its texts in that language."""

from __future__ import annotations

import functools
import gettext as catalogues
from contextvars import ContextVar
from pathlib import Path

FOLDER = Path(__file__).parent / "translations"
DOMAIN = "pages"
LANGUAGES = ("en", "fr")
DEFAULT = "en"

_language = ContextVar("language", default=DEFAULT)


@functools.cache
def _catalogue(language: str) -> catalogues.NullTranslations:
    return catalogues.translation(DOMAIN, FOLDER, [language], fallback=language == DEFAULT)


def language() -> str:
    """Return the language of the page that is being made, such as "en"."""
    return _language.get()


def use_language(name: str) -> None:
    """Make pages in this language from now on, in this thread."""
    _language.set(name)


def gettext(text: str) -> str:
    """Return a text in the language of the page."""
    # The empty text stands for the header of a catalogue.
    return _catalogue(language()).gettext(text) if text else ""


def ngettext(one: str, many: str, number: int) -> str:
    """Return the form of a text that the language uses with a number."""
    return _catalogue(language()).ngettext(one, many, number)


def mark(text: str) -> str:
    """Return a text that is translated where it is shown, so that the catalogue contains it."""
    return text


def choose_language(accepted: str) -> str:
    """Return the language that suits a header Accept-Language best, the default one if none does.

    Of languages with equal weights the first one counts; see RFC 9110, section 12.5.4.
    """
    weights: dict[str, float] = {}
    for part in accepted[:1000].split(","):
        tag, _, parameter = part.strip().partition(";")
        name = tag.split("-")[0].strip().lower()
        weight = _weight(parameter)
        if name in LANGUAGES:
            weights[name] = max(weight, weights.get(name, 0.0))
    best = max(weights, key=lambda name: weights[name], default=DEFAULT)
    return best if weights.get(best, 0.0) > 0 else DEFAULT


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
