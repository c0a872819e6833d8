"""The reference: what the documentation says of settings, commands and routes, made from them.

Usage: python -m deploy.reference: writes README.md and docs/reference.md anew, between the marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from db.__main__ import cli as db_cli
from db.settings import Settings
from db.spec.toml_file import read_spec
from enrich.__main__ import cli as enrich_cli
from serve.openapi.document import openapi_document

ROOT = Path(__file__).parent.parent
README, REFERENCE = ROOT / "README.md", ROOT / "docs" / "reference.md"
SAMPLE = ROOT / "datasets" / "intents.toml"
SERVE = (
    "| `python -m serve [--check]` | Be the web process. |"
    " `--check`: look whether it would start, and exit |"
)


def settings_table() -> str:
    """Return every setting with its default and meaning."""
    rows = [
        f"| `{one.name.upper()}` | {_default(one.default)} | {one.metadata['meaning']} |"
        for one in fields(Settings)
    ]
    return "\n".join(["| variable | default | meaning |", "| --- | --- | --- |", *rows])


def _default(value: object) -> str:
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value != "" else "none"


def commands_table() -> str:
    """Return every command with its help and its options."""
    rows = [*_commands(db_cli, "python -m db"), *_commands(enrich_cli, "python -m enrich"), SERVE]
    head = ["| command | what it does | options |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _commands(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner, one in command.commands.items():
            yield from _commands(one, f"{name} {inner}")
        return
    context = click.Context(command, info_name=name)
    usage = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    help_text = " ".join((command.help or "").split()).replace("|", "\\|")
    shown = " ".join([name, *usage]).replace("|", "\\|")
    yield f"| `{shown}` | {help_text} | {'; '.join(_options(command, context))} |"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record and parameter.name != "as_json_":
            name, meaning = record
            yield f"`{name}`: {_small(meaning.replace('  ', ' '))}".replace("|", "\\|")


def _small(text: str) -> str:
    """Return a sentence as a part of a list."""
    text = text.strip().replace(".  [", " [").replace(". [", " [").rstrip(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def routes_table() -> str:
    """Return every route of the API with what is said of it."""
    document = openapi_document([read_spec(SAMPLE)])
    rows = [
        f"| `{method.upper()} {_shown(path)}{_query(path, one)}` | {_said(one)} |"
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]
    return "\n".join(["| route | answer |", "| --- | --- |", *rows])


def _shown(path: str) -> str:
    return re.sub(r"^/(predict|records)/intents", r"/\1/DATASET", path)


def _query(path: str, operation: dict[str, Any]) -> str:
    names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    if path.startswith("/predict"):
        return "?FIELD=…" if names else ""
    return f"?{'&'.join(f'{name}=…' for name in names)}" if names else ""


def _said(operation: dict[str, Any]) -> str:
    summary: str = operation["summary"].removeprefix("Intents of French utterances: ")
    said = f"{summary[:1].upper()}{summary[1:]}. {operation.get('description', '')}".strip()
    return re.sub(r"\bintent\b", "the target", said)


TABLES = {"settings": settings_table, "commands": commands_table, "routes": routes_table}


def renewed(page: str) -> str:
    """Return a page with its tables as they should be."""
    for name, table in TABLES.items():
        begin, end = f"<!-- make reference: {name} -->\n", "<!-- reference ends -->"
        marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        # Not as a template, in which a backslash would mean something.
        page = f"{begin}{table()}\n{end}".join(marked.split(page))
    return page


def main() -> None:
    """Write both pages."""
    for page in (README, REFERENCE):
        page.write_text(renewed(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
