"""Infer a dataset's TOML file from a data file, for a person to review: `python -m db infer`."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import msgspec

from db.errors import DataFileError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Value
from db.spec.normalization import normal_number
from db.spec.toml_file import MAX_CHARACTERS, check_spec

from .column_type import MAX_CHOICES, ColumnProfile
from .guess_language import guess_language
from .reader import read_rows

# A target with at most this many distinct whole numbers has classes rather than amounts.
MAX_CLASSES = 10
UNKNOWN = "unknown"
# The rest of a longer header is ignored: the time to normalise a text grows with the square of
# its length.
MAX_HEADER_CHARACTERS = 200
UNUSED = {
    "empty": "is empty",
    "constant": "has the same value in every row",
    "date": "contains dates; to use them, add a column such as the month",
    "id": "only identifies the rows",
}


@dataclass(frozen=True)
class InferredDataset:
    """A TOML file's text, the spec in it, the unused columns with reasons, and warnings."""

    text: str
    spec: DatasetSpec
    unused: dict[str, str]
    warnings: list[str]


def infer_dataset(
    path: Path, target: str, name: str = "", missing: Collection[str] = ()
) -> InferredDataset:
    """Infer a dataset from the columns of a file; raises DataFileError.

    `missing` contains words that mean "missing" in the file, in addition to the usual ones.
    """
    columns = read_columns(path, frozenset(missing))
    if target not in columns:
        close = get_close_matches(target.lower(), [column.lower() for column in columns], 1)
        similar = next((column for column in columns if close and column.lower() == close[0]), "")
        hint = f"; did you mean {similar}?" if similar else ""
        raise DataFileError(f"{path}: has no column {target}; it has {', '.join(columns)}{hint}")
    label = columns.pop(target)
    unused = {
        column.name: UNUSED[column.kind] for column in columns.values() if column.kind in UNUSED
    }
    used = [column for column in columns.values() if column.name not in unused]
    if not used:
        raise DataFileError(f"{path}: has no column to predict {target} from")
    _check_numbers(path, [*used, label])
    head = _head(path, name or slug(path.stem, "-", "_") or "dataset", label, used)
    notes = [f"# Not used: {column} {reason}" for column, reason in unused.items()]
    text = "\n\n".join(["\n".join(head + notes), *_fields(used, target), *_enrichers(used)]) + "\n"
    spec = msgspec.convert(tomllib.loads(text), DatasetSpec)
    check_spec(spec)
    return InferredDataset(text, spec, unused, list(_warnings(label, used)))


def describe_inference(inferred: InferredDataset) -> Iterator[str]:
    """Yield a line for each field, for the enrichers, for each unused column and each warning."""
    for name, field in inferred.spec.fields.items():
        parts = [str(getattr(type(field).__struct_config__, "tag", ""))]
        parts += [f"from the column {field.column}"] if field.column else []
        parts += [f"{field.default!r} if missing"] if field.default is not None else []
        yield f"  {name}: {', '.join(parts)}"
    if inferred.spec.enrichers:
        yield f"  enrichers: {', '.join(inferred.spec.enrichers)}"
    yield from (f"not used: {name} {reason}" for name, reason in inferred.unused.items())
    yield from (f"check {warning}" for warning in inferred.warnings)


def _warnings(label: ColumnProfile, used: list[ColumnProfile]) -> Iterator[str]:
    for column in used:
        if column.is_nearly_number:
            yield (
                f"{column.name}: {column.numbers_seen:,} of {column.filled:,} cells are numbers but"
                f" {column.first_word!r} is not, so the type is {column.kind}; if this word means"
                f' "missing", add --force --missing {shlex.quote(column.first_word)}'
            )
    if label.kind == "id":
        yield f"{label.name}: numbers the rows, so there may be nothing to predict"


def read_columns(path: Path, missing: frozenset[str] = frozenset()) -> dict[str, ColumnProfile]:
    """Return the profiles of all columns of a file by name; raises DataFileError."""
    columns: dict[str, ColumnProfile] = {}
    rows = 0
    for row in read_rows(path):
        if row.fault:
            continue
        for name in row.values:
            if name not in columns:
                # The earlier rows have no value in this column.
                columns[name] = ColumnProfile(name, rows=rows, missing=missing)
        rows += 1
        for name, column in columns.items():
            column.add(row.values.get(name))
    if not rows:
        raise DataFileError(f"{path}: has no rows")
    return columns


def _check_numbers(path: Path, columns: list[ColumnProfile]) -> None:
    """Raise DataFileError if a number can be read in two ways.

    That is a number with a comma, or with a point if other numbers in the file have decimal commas.
    """
    has_commas = any(column.has_decimal_commas for column in columns)
    for column in columns:
        mark = "," if column.has_decimal_commas else "."
        cell = column.ambiguous_cell(mark)
        if has_commas and cell and column.kind == "number":
            decimal, whole = cell.replace(",", "."), cell.replace(mark, "")
            raise DataFileError(
                f"{path}: {column.name}: {cell} can be {decimal} or {whole}; write its numbers with"
                " a decimal point and without thousands separators"
            )


def _head(path: Path, name: str, label: ColumnProfile, used: list[ColumnProfile]) -> list[str]:
    kind, labels = _target(path, label)
    lines = [
        f"# Inferred from {path.name}, {label.rows:,} rows. Review it, then run: python -m db load",
        f"name = {_toml(name)}",
        f"kind = {_toml(kind)}",
        f"target = {_toml(label.name)}",
    ]
    if labels:
        lines.append(f"labels = {_toml(labels)}")
    if any(column.has_decimal_commas for column in (*used, label)):
        lines.append('decimal = ","  # in data files; requests use a decimal point')
    missing = sorted({word for column in (*used, label) for word in column.missing_words})
    if missing:
        lines.append(f"missing = {_toml(missing)}  # in data files, in addition to an empty cell")
    texts = [text for column in used if column.kind == "text" for text in column.distinct]
    if language := guess_language(texts):
        lines.append(f"languages = {_toml([language])}")
    return lines


def _target(path: Path, label: ColumnProfile) -> tuple[str, list[str]]:
    """Return the dataset's kind and its labels, if it has any; raises DataFileError."""
    values = sorted(label.distinct)
    if len(values) < 2:  # noqa: PLR2004
        raise DataFileError(
            f"{path}: {label.name} has fewer than two values, so there is nothing to predict"
        )
    few = len(values) <= MAX_CLASSES and not label.has_more
    if label.kind == "number" or (label.kind in {"integer", "id"} and label.is_integer and not few):
        return "regression", []
    if label.kind == "date" or len(values) > MAX_CHOICES:
        raise DataFileError(
            f"{path}: {label.name} has {len(values):,} different values that are not numbers;"
            f" choose a column with numbers, or with at most {MAX_CHOICES} values"
        )
    return "classification", values


def _fields(used: list[ColumnProfile], target: str) -> list[str]:
    taken = {target}
    texts = sum(column.kind == "text" for column in used)
    tables = []
    for column in used:
        name = _name(column.name, taken)
        taken.add(name)
        lines = [f"[fields.{name}]", *_field(column, MAX_CHARACTERS // max(texts, 1))]
        if name != column.name:
            lines[1:1] = [f"title = {_toml(column.name)}", f"column = {_toml(column.name)}"]
        tables.append("\n".join(lines))
    return tables


def _field(column: ColumnProfile, max_characters: int) -> list[str]:
    kind, default = column.kind, _default(column)
    lines = [f"type = {_toml(kind)}"]
    if kind == "choice":
        words = sorted(column.distinct) + ([UNKNOWN] if column.is_missing_somewhere else [])
        lines.append(f"choices = {_toml(list(dict.fromkeys(words)))}")
    elif kind == "text":
        doubled = -(-2 * column.longest // 100) * 100
        lines.append(f"max_length = {min(doubled, max_characters)}")
    elif kind != "boolean" and min(column.numbers()) >= 0:
        lines.append("min = 0")
    if column.is_missing_somewhere:
        empty = column.rows - column.filled
        lines.append(
            f"default = {_toml(default)}  # {empty:,} of {column.rows:,} rows have no value"
        )
    lines.append(f"example = {_toml(_example(column))}")
    return lines


def _default(column: ColumnProfile) -> Value:
    """Return the value that stands for a missing one."""
    if column.kind == "choice":
        return UNKNOWN
    return "" if column.kind == "text" else _example(column)


def _example(column: ColumnProfile) -> Value:
    if column.kind == "text":
        return column.typical_text()
    if column.kind == "boolean":
        return column.most_common().lower() == "true"
    if column.kind == "choice":
        return column.most_common()
    median = column.median()
    return round(median) if column.kind == "integer" else normal_number(float(f"{median:.4g}"))


def _enrichers(used: list[ColumnProfile]) -> list[str]:
    if not any(column.kind == "text" for column in used):
        return []
    return ["[enrichers.text_profile]\n[enrichers.embedding]"]


def slug(text: str, joint: str = "_", kept: str = "") -> str:
    """Return a name made from a text: lower-case ASCII, a letter first, at most 40 characters."""
    short = text[:MAX_HEADER_CHARACTERS]
    plain = unicodedata.normalize("NFKD", short).encode("ascii", "ignore").decode().lower()
    return (
        re.sub(rf"[^a-z0-9{kept}]+", joint, plain)
        .strip(joint)
        .lstrip("0123456789_-")[:40]
        .strip(joint)
    )


def _name(column: str, taken: set[str]) -> str:
    """Return an unused field name: the column's name if it is valid, else one made from it."""
    own = column if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", column) else slug(column) or "field"
    name, number = own, 1
    while name in taken:
        number += 1
        name = f"{own[:36]}_{number}"
    return name


def _toml(value: Value | list[str]) -> str:
    """Return a value in TOML, which is its JSON except that TOML also escapes U+007F."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
