"""A dataset's file, drafted from a data file for a person to look over: `python -m db infer`."""

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
from db.spec.field import Value, normal_number
from db.spec.toml_file import MOST_CHARACTERS, check_spec

from .column_profile import MOST_CHOICES, ColumnProfile
from .guess_language import guess_language
from .reader import read_rows

# Whole numbers of which there are no more are names of classes rather than amounts.
MOST_CLASSES = 10
UNKNOWN = "unknown"
# More of a column's header is not looked at: normalising takes the square of a text's length.
LONGEST_HEADER = 200
UNUSED = {
    "empty": "is empty",
    "constant": "is the same in every row",
    "date": "holds dates: add a column with what of them matters, such as the month",
    "id": "names or numbers the rows",
}


@dataclass(frozen=True)
class InferredDataset:
    """The text of a dataset's file, what it says, and the columns that it leaves out and why.

    Doubts are what a person should look at.
    """

    text: str
    spec: DatasetSpec
    unused: dict[str, str]
    warnings: list[str]


def infer_dataset(
    path: Path, target: str, name: str = "", missing: Collection[str] = ()
) -> InferredDataset:
    """Draft a dataset from the columns of a file; raises DataFileError.

    `missing` are words that the file has where there is nothing, besides the usual ones.
    """
    columns = read_columns(path, frozenset(missing))
    if target not in columns:
        near = get_close_matches(target.lower(), [one.lower() for one in columns], 1)
        meant = next((one for one in columns if near and one.lower() == near[0]), "")
        hint = f"; did you mean {meant}?" if meant else ""
        raise DataFileError(f"{path}: has no column {target}; it has {', '.join(columns)}{hint}")
    label = columns.pop(target)
    unused = {one.name: UNUSED[one.kind] for one in columns.values() if one.kind in UNUSED}
    used = [one for one in columns.values() if one.name not in unused]
    if not used:
        raise DataFileError(f"{path}: has no column to predict {target} from")
    _check_numbers(path, [*used, label])
    head = _head(path, name or slug(path.stem, "-", "_") or "dataset", label, used)
    notes = [f"# Not used: {column} {why}" for column, why in unused.items()]
    text = "\n\n".join(["\n".join(head + notes), *_fields(used, target), *_enrichers(used)]) + "\n"
    spec = msgspec.convert(tomllib.loads(text), DatasetSpec)
    check_spec(spec)
    return InferredDataset(text, spec, unused, list(_warnings(label, used)))


def describe_inference(inferred: InferredDataset) -> Iterator[str]:
    """Yield a line for each field, and what else a person should know."""
    for name, one in inferred.spec.fields.items():
        words = [str(getattr(type(one).__struct_config__, "tag", ""))]
        words += [f"from the column {one.column}"] if one.column else []
        words += [f"{one.default!r} where there is none"] if one.default is not None else []
        yield f"  {name}: {', '.join(words)}"
    if inferred.spec.enrichers:
        yield f"  enrichers: {', '.join(inferred.spec.enrichers)}"
    yield from (f"not used: {column} {why}" for column, why in inferred.unused.items())
    yield from (f"look at {doubt}" for doubt in inferred.warnings)


def _warnings(label: ColumnProfile, used: list[ColumnProfile]) -> Iterator[str]:
    for one in used:
        if one.is_nearly_number:
            yield (
                f"{one.name}: {one.numbers_seen:,} of {one.filled:,} cells are numbers and"
                f" {one.first_word!r} is none, so it is {one.kind}; if that says nothing:"
                f" --force --missing {shlex.quote(one.first_word)}"
            )
    if label.kind == "id":
        yield f"{label.name}: numbers the rows; is there anything to predict?"


def read_columns(path: Path, missing: frozenset[str] = frozenset()) -> dict[str, ColumnProfile]:
    """Return all columns of a file by name; raises DataFileError."""
    columns: dict[str, ColumnProfile] = {}
    rows = 0
    for row in read_rows(path):
        if row.fault:
            continue
        for name in row.values:
            if name not in columns:
                # It had nothing in the rows before.
                columns[name] = ColumnProfile(name, rows=rows, missing=missing)
        rows += 1
        for name, column in columns.items():
            column.add(row.values.get(name))
    if not rows:
        raise DataFileError(f"{path}: has no rows")
    return columns


def _check_numbers(path: Path, columns: list[ColumnProfile]) -> None:
    """Raise DataFileError for a number column whose cells can be read in two ways.

    A comma in it, or a point where the file's other numbers have decimal commas.
    """
    has_commas = any(one.has_decimal_commas for one in columns)
    for one in columns:
        mark = "," if one.has_decimal_commas else "."
        cell = one.ambiguous_cell(mark)
        if has_commas and cell and one.kind == "number":
            other = cell.replace(mark, "")
            raise DataFileError(
                f"{path}: {one.name}: {cell} can be {cell.replace(',', '.')} or {other}; write its"
                f" numbers with a decimal point, and nothing between thousands"
            )


def _head(path: Path, name: str, label: ColumnProfile, used: list[ColumnProfile]) -> list[str]:
    kind, labels = _target(path, label)
    lines = [
        f"# Drafted from {path.name}, {label.rows:,} rows. Look it over, then: python -m db load",
        f"name = {_toml(name)}",
        f"kind = {_toml(kind)}",
        f"target = {_toml(label.name)}",
    ]
    if labels:
        lines.append(f"labels = {_toml(labels)}")
    if any(one.has_decimal_commas for one in (*used, label)):
        lines.append('decimal = ","  # in data files; questions are asked with a point')
    missing = sorted({word for one in (*used, label) for word in one.missing_words})
    if missing:
        lines.append(f"missing = {_toml(missing)}  # in data files, beside an empty cell")
    texts = [text for one in used if one.kind == "text" for text in one.distinct]
    if language := guess_language(texts):
        lines.append(f"languages = {_toml([language])}")
    return lines


def _target(path: Path, label: ColumnProfile) -> tuple[str, list[str]]:
    """Return the kind of a dataset, and its labels if it has any; raises DataFileError."""
    values = sorted(label.distinct)
    if len(values) < 2:  # noqa: PLR2004
        raise DataFileError(f"{path}: {label.name} has no two values: there is nothing to predict")
    few = len(values) <= MOST_CLASSES and not label.has_more
    if label.kind == "number" or (label.kind in {"integer", "id"} and label.is_integer and not few):
        return "regression", []
    if label.kind == "date" or len(values) > MOST_CHOICES:
        raise DataFileError(
            f"{path}: {label.name} has {len(values):,} different values and no numbers:"
            f" choose a column with at most {MOST_CHOICES}, or with numbers"
        )
    return "classification", values


def _fields(used: list[ColumnProfile], target: str) -> list[str]:
    taken = {target}
    texts = sum(one.kind == "text" for one in used)
    found = []
    for column in used:
        name = _name(column.name, taken)
        taken.add(name)
        lines = [f"[fields.{name}]", *_field(column, MOST_CHARACTERS // max(texts, 1))]
        if name != column.name:
            lines[1:1] = [f"title = {_toml(column.name)}", f"column = {_toml(column.name)}"]
        found.append("\n".join(lines))
    return found


def _field(column: ColumnProfile, most_characters: int) -> list[str]:
    kind, default = column.kind, _default(column)
    lines = [f"type = {_toml(kind)}"]
    if kind == "choice":
        words = sorted(column.distinct) + ([UNKNOWN] if column.is_missing_somewhere else [])
        lines.append(f"choices = {_toml(list(dict.fromkeys(words)))}")
    elif kind == "text":
        roomy = -(-2 * column.longest // 100) * 100
        lines.append(f"max_length = {min(roomy, most_characters)}")
    elif kind != "boolean" and min(column.numbers()) >= 0:
        lines.append("min = 0")
    if column.is_missing_somewhere:
        empty = column.rows - column.filled
        lines.append(f"default = {_toml(default)}  # {empty:,} of {column.rows:,} rows have none")
    lines.append(f"example = {_toml(_example(column))}")
    return lines


def _default(column: ColumnProfile) -> Value:
    """Return what stands for nothing where a row has nothing."""
    if column.kind == "choice":
        return UNKNOWN
    return "" if column.kind == "text" else _example(column)


def _example(column: ColumnProfile) -> Value:
    if column.kind == "text":
        return column.typical_text()
    if column.kind == "boolean":
        return column.commonest().lower() == "true"
    if column.kind == "choice":
        return column.commonest()
    middle = column.middle()
    return round(middle) if column.kind == "integer" else normal_number(float(f"{middle:.4g}"))


def _enrichers(used: list[ColumnProfile]) -> list[str]:
    if not any(one.kind == "text" for one in used):
        return []
    return ["[enrichers.text_profile]\n[enrichers.embedding]"]


def slug(text: str, joint: str = "_", kept: str = "") -> str:
    """Return a text as a name: lower case, ASCII, a letter first, at most 40 characters."""
    short = text[:LONGEST_HEADER]
    plain = unicodedata.normalize("NFKD", short).encode("ascii", "ignore").decode().lower()
    return (
        re.sub(rf"[^a-z0-9{kept}]+", joint, plain)
        .strip(joint)
        .lstrip("0123456789_-")[:40]
        .strip(joint)
    )


def _name(column: str, taken: set[str]) -> str:
    """Return a field's name that no other has: the column's own where it is one."""
    own = column if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", column) else slug(column) or "field"
    name, number = own, 1
    while name in taken:
        number += 1
        name = f"{own[:36]}_{number}"
    return name


def _toml(value: Value | list[str]) -> str:
    """Return a value as TOML writes it, which is as JSON does but for a character or two."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
