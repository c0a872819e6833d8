"""The language of a text."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Row, joined_text


class Language:
    """Returns the ISO 639-1 code of the likeliest language; `among` limits the choice.

    A missing text has no language.
    """

    version = "1"
    text_only = True

    def __init__(self, among: Sequence[str] = ()) -> None:
        from py3langid.langid import (  # noqa: PLC0415  slow to import
            MODEL_FILE,
            LanguageIdentifier,
        )

        self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
        if among:
            self._identifier.set_languages(list(among))

    def __call__(self, rows: Sequence[Row]) -> list[str | None]:
        return [self._classify(joined_text(row)) for row in rows]

    def _classify(self, text: str) -> str | None:
        return self._identifier.classify(text)[0] if text else None
