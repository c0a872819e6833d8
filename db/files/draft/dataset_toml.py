"""The text of an inferred dataset's TOML file."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping

from db.files.evidence.column_decision import ColumnType
from db.files.evidence.odd_cells import row_count
from db.files.evidence.word_kind import SUBSTANTIAL_WORDS
from db.files.guess_language import guess_language
from db.spec.dates.date_value import read_moment
from db.spec.field import Value
from db.spec.normalization import normal_number, normal_text
from db.spec.toml_file import FIELD_NAME, MAX_CHARACTERS, RESERVED_NAMES
from db.spec.validation import LARGEST_NUMBER

from .target import MAX_LISTED_LABELS, Target

# The rest of a longer header is ignored: the time to normalise a text grows with the square of
# its length.
MAX_HEADER_CHARACTERS = 200
MAX_EXAMPLE_CHARACTERS = 300
MAX_COMMENT_CHARACTERS = 300
# Line ends of any kind, control characters, and half surrogate pairs.
_NOT_IN_COMMENTS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
ENRICHERS = ("text_profile", "embedding")
_LETTERS = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
)


def dataset_toml(
    name: str, source: str, target: Target, columns: list[ColumnType], names: Mapping[str, str]
) -> str:
    """Return the TOML text; `names` has the name of each field, and of the id, by column."""
    fields = [column for column in columns if column.kind not in {"unused", "id"}]
    parts = ["\n".join(_head(name, source, target, columns, names))]
    limit = MAX_CHARACTERS // max(sum(column.kind == "text" for column in fields), 1)
    parts += [
        "\n".join(_table(column, names, limit, is_only=len(fields) == 1)) for column in fields
    ]
    enrichers = _enrichers(fields, names)
    return "\n\n".join([*parts, *([enrichers] if enrichers else [])]) + "\n"


def _head(
    name: str, source: str, target: Target, columns: list[ColumnType], names: Mapping[str, str]
) -> Iterator[str]:
    rows = target.profile.rows
    yield comment(
        f"Inferred from {source}, {row_count(rows)}. Review it, then run: python -m db load"
    )
    yield f"name = {toml(name)}"
    yield f'kind = "{"regression" if target.is_regression else "classification"}"'
    yield f"target = {toml(target.profile.name)}"
    if target.format:
        yield f"target_format = {toml(target.format)}  # how the file writes 1234.5"
    missing = {**target.missing, **dict.fromkeys(target.profile.missing, 0)}
    if missing:
        yield f"target_missing = {toml(list(missing))}  # {_counts(target.missing)}"
    labels = sorted(label for label in target.labels if _is_normal(label))
    if 0 < len(labels) <= MAX_LISTED_LABELS:
        yield f"labels = {toml(labels)}"
    for column in columns:
        if column.kind == "id":
            yield from _id_lines(column, names)
    texts = [text for column in columns if column.kind == "text" for text in column.values]
    if language := guess_language(texts):
        yield f"languages = {toml([language])}"
    for column in columns:
        if column.kind == "unused":
            yield comment(f"Not used: {column.profile.name} {column.reason}")


def _id_lines(column: ColumnType, names: Mapping[str, str]) -> Iterator[str]:
    name = names[column.profile.name]
    yield f"id = {toml(name)}  # {column.reason}"
    if name != column.profile.name:
        yield f"id_column = {toml(column.profile.name)}"


def _table(
    column: ColumnType, names: Mapping[str, str], limit: int, *, is_only: bool
) -> Iterator[str]:
    original = column.profile.name
    name = names[original]
    yield f"[fields.{name}]"
    yield f"type = {toml(column.kind)}  # {facts(column)}"
    if name != original:
        yield from (f"title = {toml(original)}", f"column = {toml(original)}")
    if not is_only or column.empty:
        yield "optional = true"
    yield from _missing_lines(column)
    yield from (comment(note) for note in column.notes)
    yield from _type_lines(column, limit)
    example = _example(column)
    if example is not None:
        yield f"example = {toml(example)}"


def _missing_lines(column: ColumnType) -> Iterator[str]:
    words = {**column.missing, **dict.fromkeys(column.profile.missing, 0)}
    if words:
        yield f"missing = {toml(list(words))}  # {_counts(column.missing)}"


def _counts(words: Mapping[str, int]) -> str:
    """Return in how many rows each word for "missing" stands."""
    counts = ", ".join(f"{count:,}" for count in words.values()) or "no"
    return f"{counts} row" if counts == "1" else f"{counts} rows"


def _type_lines(column: ColumnType, limit: int) -> Iterator[str]:
    if column.kind == "choice" and column.is_listed:
        yield f"choices = {toml(sorted(filter(_is_normal, column.values)))}"
    elif column.kind == "text":
        doubled = -(-2 * column.profile.longest // 100) * 100
        yield f"max_length = {max(1, min(doubled, limit))}"
    elif column.kind == "number" and column.reading.format:
        yield f"format = {toml(column.reading.format)}"
    elif column.order != "YMD":
        yield f"order = {toml(column.order)}"


def facts(column: ColumnType) -> str:
    """Return how many rows have no value, and how many different values there are."""
    profile = column.profile
    missing = f"{column.empty:,} of {profile.rows:,} missing, " if column.empty else ""
    return f"{missing}{distinct_count(column)} distinct"


def distinct_count(column: ColumnType) -> str:
    """Return how many different values a column has."""
    more = "more than " if column.profile.has_more else ""
    return f"{more}{len(column.values):,}"


def _example(column: ColumnType) -> Value:
    if column.kind == "text":
        return _typical_text(column)
    if column.kind == "number":
        return _typical_number(column)
    common = next((text for text, _ in column.values.most_common() if _is_normal(text)), None)
    if common is None or column.kind == "choice":
        return common
    if column.kind == "boolean":
        return common.lower() == "true"
    return _typical_date(column)


def _typical_date(column: ColumnType) -> str | None:
    for text in column.values:
        try:
            moment = read_moment(text, column.order).replace(microsecond=0)
        except ValueError:
            continue
        return moment.isoformat() if column.kind == "datetime" else moment.date().isoformat()
    return None


def _typical_number(column: ColumnType) -> int | float | None:
    """Return the median to four digits, None if a model could not use it."""
    seen, half = 0, column.numbers.total() / 2
    for number in sorted(column.numbers):
        seen += column.numbers[number]
        if seen >= half:
            rounded = normal_number(float(f"{number:.4g}"))
            is_code = str(rounded) in column.missing
            return None if abs(rounded) > LARGEST_NUMBER or is_code else rounded
    return None


def _typical_text(column: ColumnType) -> str | None:
    """Return a text of median length among those of at most MAX_EXAMPLE_CHARACTERS."""
    short = [t for t in column.values if len(t) <= MAX_EXAMPLE_CHARACTERS and _is_normal(t)]
    ordered = sorted(short, key=lambda text: (len(text), text))
    return ordered[len(ordered) // 2] if ordered else None


def _enrichers(fields: list[ColumnType], names: Mapping[str, str]) -> str:
    """Return the enrichers' tables, if texts are what the table is about."""
    texts = [column for column in fields if column.kind == "text"]
    long = [names[c.profile.name] for c in texts if c.profile.median_words >= SUBSTANTIAL_WORDS]
    if not long:
        return ""
    reads = f"\nreads = {toml(long)}" if len(long) < len(texts) else ""
    return "\n".join(f"[enrichers.{enricher}]{reads}" for enricher in ENRICHERS)


def field_names(columns: list[ColumnType], target: str) -> dict[str, str]:
    """Return a valid name for each column that is used, by the column's name."""
    taken, names = {target}, {}
    for column in columns:
        if column.kind != "unused":
            name = _name(column.profile.name, taken)
            taken.add(name)
            names[column.profile.name] = name
    return names


def slug(text: str, joint: str = "_", kept: str = "") -> str:
    """Return a name made from a text: lower-case ASCII, a letter first, at most 40 characters."""
    # These letters are no others with an accent, so they would be lost.
    short = text[:MAX_HEADER_CHARACTERS].translate(_LETTERS)
    plain = unicodedata.normalize("NFKD", short).encode("ascii", "ignore").decode().lower()
    return (
        re.sub(rf"[^a-z0-9{kept}]+", joint, plain)
        .strip(joint)
        .lstrip("0123456789_-")[:40]
        .strip(joint)
    )


def _name(column: str, taken: set[str]) -> str:
    """Return an unused field name: the column's name if it is valid, else one made from it."""
    own = column if FIELD_NAME.fullmatch(column) else slug(column) or "field"
    if own in RESERVED_NAMES or own in ENRICHERS:
        own = f"{own}_column"
    name, number = own, 1
    while name in taken:
        number += 1
        name = f"{own[:36]}_{number}"
    return name


def _is_normal(text: str) -> bool:
    try:
        return normal_text(text) == text
    except ValueError:
        return False


def comment(text: str) -> str:
    """Return a TOML comment of one line."""
    short = text if len(text) <= MAX_COMMENT_CHARACTERS else f"{text[:MAX_COMMENT_CHARACTERS]}…"
    return "# " + _NOT_IN_COMMENTS.sub(" ", short)


def toml(value: Value | list[str]) -> str:
    """Return a value in TOML, which is its JSON except that TOML also escapes U+007F."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
