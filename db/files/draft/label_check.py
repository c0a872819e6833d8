"""What is suspicious about labels: few rows, different spellings of one, too many of them."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from difflib import SequenceMatcher

MAX_SHOWN = 5
MIN_ROWS = 5
_LARGEST_SHARE = 0.95
_MAX_ABBREVIATION = 3
_MAX_COMPARED = 60
_MIN_TYPO_CHARACTERS = 4
_SIMILAR = 0.85
# A typo is so many times rarer than the word that is meant.
_RARER = 10
# Spreadsheets and databases write the same answer in two ways.
_TRUTH = {"true": "1", "false": "0"}


def check_labels(labels: Counter[str]) -> Iterator[str]:
    """Yield a sentence for each suspicion."""
    rows = labels.total()
    if 2 * len(labels) > rows:
        yield f"has {len(labels):,} labels in {rows:,} rows, more than one for two rows"
    label, count = labels.most_common(1)[0]
    if count >= _LARGEST_SHARE * rows:
        share = f"{count:,} of {rows:,} rows have the label {_quoted(label)}"
        yield f"{share}, so a model that always says it looks good"
    rare = [(label, n) for label, n in labels.most_common() if n < MIN_ROWS]
    if rare:
        shown = ", ".join(f"{_quoted(label)} ({n})" for label, n in rare[:MAX_SHOWN])
        more = f" and {len(rare) - MAX_SHOWN:,} more" if len(rare) > MAX_SHOWN else ""
        yield f"labels with fewer than {MIN_ROWS} rows are hard to learn: {shown}{more}"
    for group in list(_same(labels))[:MAX_SHOWN]:
        shown = ", ".join(f"{_quoted(label)} ({labels[label]:,})" for label in group)
        yield f"{shown} may be one label; write it in one way"


def check_choices(values: Counter[str]) -> Iterator[str]:
    """Yield a sentence for choices that differ only in case, or are TRUE and 1."""
    by_fold: dict[str, list[str]] = defaultdict(list)
    for value in values:
        fold = " ".join(value.casefold().split())
        by_fold[_TRUTH.get(fold, fold)].append(value)
    for group in [group for group in by_fold.values() if len(group) > 1][:MAX_SHOWN]:
        shown = ", ".join(f"{_quoted(value)} ({values[value]:,})" for value in group)
        yield f"{shown} may be one choice; write it in one way"


def _same(labels: Counter[str]) -> Iterator[list[str]]:
    """Yield groups of labels that are probably spellings of one."""
    by_fold: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        by_fold[_fold(label)].append(label)
    folds = {fold: sum(labels[each] for each in group) for fold, group in by_fold.items()}
    joined: dict[str, str] = {}
    for fold in sorted(folds, key=lambda each: folds[each]):
        meant = _abbreviated(fold, folds) or _misspelt(fold, folds)
        if meant and joined.get(meant) != fold:
            joined[fold] = meant
    for fold, meant in joined.items():
        by_fold[meant] += by_fold.pop(fold) if meant in by_fold else []
    yield from (group for group in by_fold.values() if len(group) > 1)


def _fold(label: str) -> str:
    plain = unicodedata.normalize("NFKD", label[:200]).casefold()
    bare = "".join(c for c in plain if c.isalnum() or c in "+-<>=").strip() or label[:200]
    return _TRUTH.get(bare, bare)


def _abbreviated(fold: str, folds: dict[str, int]) -> str:
    """Return the label of which this one is the beginning, if there is exactly one."""
    if len(fold) > _MAX_ABBREVIATION or not fold.isalpha():
        return ""
    longer = [other for other in folds if other.startswith(fold) and other != fold]
    is_word = len(longer) == 1 and longer[0].isalpha() and len(longer[0]) > len(fold) + 1
    return longer[0] if is_word else ""


def _misspelt(fold: str, folds: dict[str, int]) -> str:
    """Return the frequent label that a rare one resembles; those with digits are no words."""
    count = folds[fold]
    if len(fold) < _MIN_TYPO_CHARACTERS or not fold.isalpha():
        return ""
    frequent = [other for other in folds if folds[other] >= _RARER * count and other.isalpha()]
    for other in sorted(frequent, key=lambda each: -folds[each])[:_MAX_COMPARED]:
        if abs(len(other) - len(fold)) <= 2 and _resemble(fold, other):  # noqa: PLR2004
            return other
    return ""


def _resemble(one: str, other: str) -> bool:
    matcher = SequenceMatcher(None, one[:60], other[:60], autojunk=False)
    return matcher.quick_ratio() >= _SIMILAR and matcher.ratio() >= _SIMILAR


def _quoted(label: str) -> str:
    return repr(label if len(label) <= 60 else f"{label[:57]}...")  # noqa: PLR2004
