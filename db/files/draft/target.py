"""What the target's column predicts: labels or numbers, and its words for "no label"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from db.errors import DataFileError
from db.files.column_type import ColumnProfile
from db.files.evidence.column_decision import ColumnType, decide_number, decide_type, split_marks
from db.files.evidence.number_marks import FileMarks, NumberReading
from db.files.evidence.odd_cells import row_count
from db.files.evidence.sentinel import looks_like_code
from db.spec.dataset_spec import MAX_LABEL_CHARACTERS

# A target with at most this many distinct whole numbers has classes rather than amounts.
MAX_CLASSES = 10
MAX_LABELS = 1_000
# From here on, labels must repeat; and from here on, the file does not list them.
MANY_LABELS, MAX_LISTED_LABELS = 40, 100
MIN_REPEATS = 2
# Words that are no label; others such as "none" can be one.
NO_LABEL = frozenset(("?", "nan", "#n/a", "#na", "<na>", "nat", "null", "n/a", ".", "-"))
# Numbers that stand for "no label" beside few classes, and those that may do so.
_NO_CLASS = frozenset((-9999, -999, -99, 99, 999, 9999))
_DOUBTFUL_CLASS = frozenset((-9, -1, 9))
# A doubtful class is so far from the others.
_CLASS_APART = 3
# Whole numbers that repeat so often may be classes.
_CLASS_REPEATS = 5


@dataclass(frozen=True)
class Target:
    """The column to predict; `labels` are empty for a regression."""

    profile: ColumnProfile
    labels: Counter[str] = field(default_factory=Counter)
    format: str = ""
    ambiguous: str = ""
    missing: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Whether the target has amounts rather than labels."""
        return not self.labels

    def read(self, text: str) -> str | float | None:
        """Return the label or number in a cell, None if it has none."""
        if not text or text in self.missing:
            return None
        return NumberReading(self.format).read(text) if self.is_regression else text


def read_target(source: str, profile: ColumnProfile, file: FileMarks) -> Target:
    """Return what there is to predict; raises DataFileError if nothing is."""
    column = decide_type(profile, file)
    if column.kind in {"date", "datetime"}:
        raise DataFileError(
            f"{source}: {profile.name} contains dates, which cannot be predicted; choose a column"
            " with numbers or labels"
        )
    number = decide_number(profile, file)
    if profile.nested or (number is None and not profile.distinct and not profile.marks):
        raise DataFileError(f"{source}: {profile.name} {column.reason}, so it cannot be predicted")
    if number is None:
        return _labels(source, profile)
    if len(number.numbers) < 2:  # noqa: PLR2004
        return _labels(source, profile)
    _drop_codes(number)
    return _classes(number) if _has_classes(number) else _amounts(number)


def _drop_codes(number: ColumnType) -> None:
    """Let 99, -999 and the like mean "no label" beside few classes."""
    if len(number.numbers) > MAX_CLASSES + len(_NO_CLASS) or number.profile.has_more:
        return
    classes = [value for value in number.numbers if value not in _NO_CLASS]
    if len(classes) < 2 or not _are_whole(classes) or max(map(abs, classes)) > 2 * MAX_CLASSES:  # noqa: PLR2004
        return
    for word, value in [(w, number.reading.read(w)) for w in number.values]:
        if value in _NO_CLASS and value in number.numbers and word not in number.missing:
            number.missing[word] += number.values[word]
            number.numbers.pop(value)


def _are_whole(values: Iterable[float]) -> bool:
    return all(float(value).is_integer() for value in values)


def _one_value(source: str, profile: ColumnProfile) -> DataFileError:
    return DataFileError(
        f"{source}: {profile.name} has fewer than two values, so there is nothing to predict"
    )


def _has_classes(number: ColumnType) -> bool:
    is_few = len(number.numbers) <= MAX_CLASSES and not number.profile.has_more
    is_plain = not number.reading.format or _are_plain(number)
    return is_few and _are_whole(number.numbers) and is_plain and len(number.numbers) > 1


def _are_plain(number: ColumnType) -> bool:
    """Return whether the numbers have no sign or unit, but for the file's decimal commas."""
    return not any(shape.before or shape.after for shape, _ in number.profile.groups.numbers())


def _classes(number: ColumnType) -> Target:
    labels = Counter({w: n for w, n in number.values.items() if w not in number.missing})
    warnings = [
        *number.warnings,
        *_missing_warnings(number.missing, number.profile),
        *_spellings(number, labels),
    ]
    warnings += [_kept(word, labels[word]) for word in _doubtful(number, labels)]
    return Target(number.profile, labels=labels, missing=number.missing, warnings=tuple(warnings))


def _spellings(number: ColumnType, labels: Counter[str]) -> Iterator[str]:
    """Yield a sentence for each class that is written in several ways, such as 1 and 1.0."""
    by_value: dict[float | None, list[str]] = {}
    for word in labels:
        by_value.setdefault(number.reading.read(word), []).append(word)
    for words in by_value.values():
        if len(words) > 1:
            shown = " and ".join(f"{word} ({labels[word]:,})" for word in words)
            yield f"{shown} are one label; write it in one way"


def _doubtful(number: ColumnType, labels: Counter[str]) -> Iterator[str]:
    """Yield the label -1, -9 or 9 if it is the only one apart from the others."""
    values = {number.reading.read(word): word for word in labels}
    for value in _DOUBTFUL_CLASS & values.keys():
        others = [each for each in values if each is not None and each != value]
        is_apart = value - max(others) > _CLASS_APART or min(others) - value > _CLASS_APART
        if len(others) > 1 and ((value == -1 and min(others) >= 0) or is_apart):
            yield values[value]


def _kept(word: str, count: int) -> str:
    return (
        f"{word} is kept as a label ({row_count(count)}); if it means no label, add"
        f' target_missing = ["{word}"]'
    )


def _amounts(number: ColumnType) -> Target:
    """Return a regression; a number is dropped from it only if it looks like a code."""
    missing = number.missing.copy()
    warnings = list(number.warnings)
    for word, value in number.sentinels.items():
        if not looks_like_code(value):
            count = missing.pop(word)
            warnings.append(
                f"{word} stands in {row_count(count)}, far from all other values; if it means"
                f' missing, add target_missing = ["{word}"]'
            )
    warnings += _missing_warnings(missing, number.profile)
    reading = number.reading
    notes = tuple(number.notes)
    warnings += _maybe_classes(number)
    return Target(
        number.profile,
        format=reading.format,
        ambiguous=reading.ambiguous,
        missing=missing,
        notes=notes,
        warnings=tuple(warnings),
    )


def _maybe_classes(number: ColumnType) -> Iterator[str]:
    """Yield a sentence if whole numbers repeat so often that they may be classes."""
    count, profile = len(number.numbers), number.profile
    repeats = number.numbers.total() >= _CLASS_REPEATS * count and not profile.has_more
    if count > MAX_CLASSES and repeats and _are_whole(number.numbers) and _are_plain(number):
        yield (
            f"has {count:,} different whole numbers, which are predicted as amounts; if they are"
            ' labels, write kind = "classification"'
        )


def _missing_warnings(missing: Counter[str], profile: ColumnProfile) -> list[str]:
    return [
        f"{word} is taken for a missing value, so {row_count(count)} {_have(count)} nothing to"
        " learn from"
        for word, count in missing.items()
        if word not in profile.user_marks
    ]


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _labels(source: str, profile: ColumnProfile) -> Target:
    clear, kept = split_marks(profile, NO_LABEL)
    labels = profile.distinct + kept
    if len(labels) == 1:
        # A word such as "null" is then the other label.
        labels, kept, clear = labels + clear, kept + clear, Counter()
    if len(labels) < 2:  # noqa: PLR2004
        raise _one_value(source, profile)
    if profile.longest > MAX_LABEL_CHARACTERS:
        raise DataFileError(
            f"{source}: {profile.name} has a label of {profile.longest:,} characters, more than"
            f" {MAX_LABEL_CHARACTERS}"
        )
    repeats = profile.mean_count >= MIN_REPEATS and not profile.has_more
    if len(labels) > MANY_LABELS and not (repeats and len(labels) <= MAX_LABELS):
        many = f"more than {len(labels):,}" if profile.has_more else f"{len(labels):,}"
        raise DataFileError(
            f"{source}: {profile.name} has {many} different values that are not numbers; choose a"
            f" column with numbers, with at most {MANY_LABELS} labels, or with labels that repeat"
            f" (at most {MAX_LABELS:,})"
        )
    missing = clear + profile.user_marks
    warnings = _missing_warnings(missing, profile)
    signs = {"+", "-"} if "+" in labels else set()
    warnings += [_kept(word, count) for word, count in kept.items() if word not in signs]
    return Target(profile, labels=labels, missing=missing, warnings=tuple(warnings))
