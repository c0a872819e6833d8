"""Guess the language of texts from the most common words, to infer a dataset's file.

The enricher `language` is more accurate, but needs a larger library.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

WORDS = {
    "fr": "le la les des une est pas pour dans que qui sur avec je vous du au et",
    "en": "the of and to is in that for with you are this was not it on be",
    "de": "der die das und ist nicht ein eine zu mit auf für ich den von im",
    "es": "el los las que una es por para con del no se su como lo y",
    "it": "il gli che di una per con non sono del della è più alla mi si",
}
MIN_WORDS = 20
# The best language needs this many times the words of the second.
MIN_LEAD = 1.5


def guess_language(texts: Iterable[str]) -> str:
    """Return the language's code, or "" if the words do not show it clearly."""
    counts = Counter(word for text in texts for word in re.findall(r"\w+", text.lower()))
    ranking = sorted(
        ((sum(counts[word] for word in words.split()), code) for code, words in WORDS.items()),
        reverse=True,
    )
    (best, code), (second, _) = ranking[:2]
    return code if best >= MIN_WORDS and best >= MIN_LEAD * second else ""
