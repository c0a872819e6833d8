"""The draft of a dataset as a form, and the spec that a submitted form makes of the draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.errors import SpecError
from db.spec.toml_file import MAX_CHARACTERS
from serve.pages.language.translation import mark

# More columns would make the page too large; the others stay as they were inferred.
MOST_SHOWN = 60
MOST_TARGETS = 300
TYPES = {
    "text": mark("text"),
    "choice": mark("choice"),
    "number": mark("number"),
    "integer": mark("whole number"),
    "boolean": mark("yes or no"),
    "date": mark("date"),
    "datetime": mark("date and time"),
}
ROW_ID = "id"
TEXT_CHARACTERS = 1000


@dataclass(frozen=True)
class DraftColumn:
    """A column in the form; `words` say what was found in it, or why it is left out."""

    number: int
    name: str
    words: str
    type: str
    is_used: bool
    # Whether it is the row id in the draft, and may stay that.
    can_be_id: bool


def draft_columns(
    draft: Mapping[str, Any], form: Mapping[str, str] | None = None
) -> list[DraftColumn]:
    """Return the columns that the form shows, as the draft has them, or as they were submitted."""
    rows = []
    for number, column in enumerate(draft["columns"][:MOST_SHOWN]):
        is_id = column["type"] == ROW_ID
        is_used = is_id or bool(column.get("field"))
        kind = column["type"] if is_used else "text"
        if form is not None:
            is_used, kind = f"use-{number}" in form, form.get(f"type-{number}", kind)
        words = column["words"] if is_used or "note" not in column else column["note"]
        rows.append(DraftColumn(number, column["name"], words, kind, is_used, is_id))
    return rows


def edited_spec(draft: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """Return the draft's spec with what a person has changed in the form; raises SpecError.

    What comes of it has to be checked as any other spec from a browser.
    """
    spec = {**draft["spec"], "name": form.get("name", "")}
    shown = {column.number: column for column in draft_columns(draft, form)}
    fields: dict[str, Any] = {}
    keeps_id = False
    for number, column in enumerate(draft["columns"]):
        chosen = shown.get(number)
        if chosen is None or (chosen.is_used and chosen.type == column["type"]):
            keeps_id = keeps_id or column["type"] == ROW_ID
            if name := column.get("field"):
                fields[name] = draft["spec"]["fields"][name]
        elif chosen.is_used:
            name = column.get("field") or column["proposed"]
            fields[name] = _new_field(column["name"], name, chosen.type, draft["spec"]["fields"])
    if not fields:
        raise SpecError("use at least one column to predict from")
    if not keeps_id:
        spec.pop("id", None)
        spec.pop("id_column", None)
    spec["fields"] = _with_room(fields)
    spec["enrichers"] = _kept_enrichers(spec)
    return spec


def _new_field(column: str, name: str, kind: str, known: Mapping[str, Any]) -> dict[str, Any]:
    if kind not in TYPES:
        raise SpecError(f"{column}: {kind[:20]!r} is not a type of a column")
    named = {} if name == column else {"title": column, "column": column}
    missing = known.get(name, {}).get("missing")
    return {"type": kind, "optional": True, **named, **({"missing": missing} if missing else {})}


def _with_room(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with their texts as long as they may be together."""
    texts = [name for name, field in fields.items() if field["type"] == "text"]
    total = sum(fields[name].get("max_length", TEXT_CHARACTERS) for name in texts)
    if total <= MAX_CHARACTERS:
        return fields
    room = MAX_CHARACTERS // len(texts)
    shorter = {name: min(fields[name].get("max_length", TEXT_CHARACTERS), room) for name in texts}
    return {
        name: {**field, "max_length": shorter[name]} if name in shorter else field
        for name, field in fields.items()
    }


def _kept_enrichers(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the draft's enrichers with the texts that are still there to be read."""
    texts = [name for name, field in spec["fields"].items() if field["type"] == "text"]
    kept = {}
    for name, enricher in spec.get("enrichers", {}).items():
        reads = [one for one in enricher.get("reads", ()) if one in texts]
        if texts and (reads or not enricher.get("reads")):
            kept[name] = {**enricher, "reads": reads}
    return kept
