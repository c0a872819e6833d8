"""Enrichers: named, versioned functions from a batch of rows to one value for each row."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from db.errors import EnricherError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from enrich.import_string import import_from_path


class WrongAnswer(EnricherError):
    """An enricher did not return one value for each row."""


class Unavailable(EnricherError):
    """A service that an enricher needs is not available now; the rows are not at fault.

    `seconds` is how long to wait before the next try, 0 where that is not known.
    """

    def __init__(self, message: str = "", seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds

    def __reduce__(self) -> tuple[type[Unavailable], tuple[str, float]]:
        return type(self), (str(self), self.seconds)


# A row holds the fields and enrichments that the enricher reads, by name.
Row: TypeAlias = Mapping[str, Any]
Compute: TypeAlias = Callable[[Sequence[Row]], Sequence[Any]]

# How an enricher makes its values:
# rows: from each row alone, in the compute child.
# records: by an analysis of all records of the dataset.
# answers: by an analysis of the labels and the model's out-of-fold answers.
# vectors: by an analysis of the labels and of another enricher's vectors.
# calls: by calls to a service, which the store grants.
# lookup: from a table of the store.
Kind: TypeAlias = Literal["rows", "records", "answers", "vectors", "calls", "lookup"]

BUILT_IN = {
    "language": "enrich.enrichers.language.Language",
    "text_profile": "enrich.enrichers.text_profile.TextProfile",
    "embedding": "enrich.enrichers.embedding.Embedding",
    "near_duplicates": "enrich.enrichers.near_duplicates.NearDuplicates",
    "label_issues": "enrich.enrichers.label_issues.LabelIssues",
    "neighbours": "enrich.enrichers.neighbours.Neighbours",
    "http": "enrich.enrichers.http.enricher.Http",
    "llm": "enrich.enrichers.llm.enricher.Llm",
    "sql": "enrich.enrichers.sql.Sql",
}


@dataclass(frozen=True)
class Enricher:
    """An enricher of a dataset: its code and configuration, not started yet."""

    name: str
    code: Any
    version: str
    reads: tuple[str, ...]
    config: dict[str, Any]

    @property
    def kind(self) -> Kind:
        """How its values are made."""
        kind: Kind = getattr(self.code, "kind", "rows")
        return kind

    @property
    def is_analysis(self) -> bool:
        """Whether its values are found by an analysis of the whole dataset."""
        return self.kind in {"records", "answers", "vectors"}

    @property
    def value_config(self) -> dict[str, Any]:
        """The configuration that its values depend on."""
        apart: frozenset[str] = getattr(self.code, "apart_from_values", frozenset())
        return {key: value for key, value in self.config.items() if key not in apart}

    @property
    def listing_column(self) -> Literal["", "issue", "duplicates"]:
        """The column of listings that its values fill, if any."""
        column: Literal["", "issue", "duplicates"] = getattr(self.code, "listing_column", "")
        return column

    def make(self) -> Any:  # noqa: ANN401  whatever a user's enricher is
        """Return the code with its configuration; a class is instantiated."""
        if inspect.isclass(self.code):
            return self.code(**self.config)
        return functools.partial(self.code, **self.config)

    def start(self) -> Compute:
        """Return the function from rows to values."""
        compute: Compute = self.make()
        return compute


def find_enricher(spec: DatasetSpec, name: str, code_paths: Sequence[str]) -> Enricher:
    """Find the code of one of a dataset's enrichers; raises EnricherError."""
    wanted = spec.enrichers[name]
    use = wanted.use or name
    if use in BUILT_IN:
        module, _, attribute = BUILT_IN[use].rpartition(".")
        code = getattr(importlib.import_module(module), attribute)
    elif "." in use:
        code = import_from_path(use, code_paths)
    else:
        known = ", ".join(sorted(BUILT_IN))
        raise EnricherError(
            f"enrichers.{name}.use: {use!r} is neither a dotted path nor one of {known}"
        )
    version = getattr(code, "version", None)
    if not isinstance(version, str):
        raise EnricherError(f'{use}: has no version; give it one, such as version = "1"')
    _check_config(name, code, wanted.config)
    _check_kind(spec, name, code)
    return Enricher(name, code, version, _reads(spec, name, code), wanted.config)


def _check_config(name: str, code: Any, config: dict[str, Any]) -> None:  # noqa: ANN401
    """Raise EnricherError for a configuration that the code does not accept."""
    rows: list[list[Row]] = [] if inspect.isclass(code) else [[]]
    try:
        inspect.signature(code).bind(*rows, **config)
    except (TypeError, ValueError) as error:
        raise EnricherError(f"enrichers.{name}.config: {error}") from error


def _check_kind(spec: DatasetSpec, name: str, code: Any) -> None:  # noqa: ANN401
    """Raise EnricherError for a kind that does not exist, or that the dataset cannot have."""
    kind = getattr(code, "kind", "rows")
    if kind not in get_args(Kind):
        raise EnricherError(
            f"enrichers.{name}: its kind is {kind!r}; it must be one of {', '.join(get_args(Kind))}"
        )
    if kind == "answers" and spec.kind == "regression":
        raise EnricherError(f"enrichers.{name}: needs labels, and {spec.name} is a regression")
    others = [read for read in spec.enrichers[name].reads if read in spec.enrichers]
    if kind in {"records", "answers"} and others:
        raise EnricherError(
            f"enrichers.{name}.reads: {others[0]} is an enricher; read fields alone"
        )


def _reads(spec: DatasetSpec, name: str, code: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Return what the spec says; else all text fields, or all fields, as the code declares."""
    if getattr(code, "kind", "rows") == "vectors":
        return (_read_vectors(spec, name),)
    if spec.enrichers[name].reads:
        return spec.enrichers[name].reads
    if not getattr(code, "text_only", False):
        return tuple(spec.fields)
    texts = tuple(name for name, field in spec.fields.items() if isinstance(field, TextField))
    if not texts:
        raise EnricherError(f"enrichers.{name}: reads text, and {spec.name} has no text field")
    return texts


def _read_vectors(spec: DatasetSpec, name: str) -> str:
    """Return the enricher whose vectors are read: the only embedding, if the spec names none."""
    reads = spec.enrichers[name].reads or tuple(
        other for other, wanted in spec.enrichers.items() if (wanted.use or other) == "embedding"
    )
    if len(reads) != 1 or reads[0] not in spec.enrichers:
        raise EnricherError(
            f"enrichers.{name}.reads: name one enricher whose values are vectors, such as"
            f' ["embedding"]'
        )
    return reads[0]


def find_enrichers(spec: DatasetSpec, code_paths: Sequence[str]) -> dict[str, Enricher]:
    """Find the code of all of a dataset's enrichers, by name; raises EnricherError."""
    return {name: find_enricher(spec, name, code_paths) for name in spec.enrichers}


def fingerprint(*parts: object) -> str:
    """Return a hash of everything that a value depends on, as 16 hex digits."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]


def joined_text(row: Row) -> str:
    """Return all text of a row, each field on its own line; a missing value has no line."""
    return "\n".join(str(value) for value in row.values() if value is not None)
