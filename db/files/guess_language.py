"""The language of texts, guessed from their commonest words: only to draft a dataset's file.

Enrichment has the enricher `language`, which is exact and heavier.
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
LEAST_WORDS = 20
# The second language must be so much rarer.
LEAST_LEAD = 1.5


def guess_language(texts: Iterable[str]) -> str:
    """Return a language's code, "" where the words do not tell."""
    counts = Counter(word for text in texts for word in re.findall(r"\w+", text.lower()))
    found = sorted(
        ((sum(counts[word] for word in words.split()), code) for code, words in WORDS.items()),
        reverse=True,
    )
    (most, code), (second, _) = found[:2]
    return code if most >= LEAST_WORDS and most >= LEAST_LEAD * second else ""
