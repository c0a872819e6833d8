"""Generate the reference tables of settings, commands and routes from the code.

Usage: python -m deploy.reference; rewrites the tables of README.md and docs/reference.md between
their markers.
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
from enrich.commands.group import cli as enrich_cli
from serve.openapi.document import openapi_document

ROOT = Path(__file__).parent.parent
README, REFERENCE = ROOT / "README.md", ROOT / "docs" / "reference.md"
SAMPLE = ROOT / "datasets" / "intents.toml"
SERVE = (
    "| `python -m serve [--check]` | Run the web process: predictions, pages and metrics over HTTP."
    " | `--check`: check whether it would start, and exit: 0 if it would, else 1 |"
)


def settings_table() -> str:
    """Return a table of all settings with their defaults and meanings."""
    rows = [
        f"| `{field.name.upper()}` | {_default(field.default)} | {field.metadata['meaning']} |"
        for field in fields(Settings)
    ]
    return "\n".join(["| variable | default | meaning |", "| --- | --- | --- |", *rows])


def _default(value: object) -> str:
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value != "" else "none"


def commands_table() -> str:
    """Return a table of all commands with their help and options."""
    rows = [*_commands(db_cli, "python -m db"), *_commands(enrich_cli, "python -m enrich"), SERVE]
    head = ["| command | what it does | options |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _commands(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for inner_name, inner in command.commands.items():
            yield from _commands(inner, f"{name} {inner_name}")
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
            yield f"`{name}`: {_list_item(meaning.replace('  ', ' '))}".replace("|", "\\|")


def _list_item(text: str) -> str:
    """Return a sentence as an item of a list: without capital letter and full stop."""
    text = text.strip().replace(".  [", " [").replace(". [", " [").rstrip(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def routes_table() -> str:
    """Return a table of all routes of the API with their descriptions."""
    document = openapi_document([read_spec(SAMPLE)])
    rows = [
        f"| `{method.upper()} {_shown_path(path)}{_query(path, method, operation)}`"
        f" | {_description(operation)} |"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return "\n".join(["| route | answer |", "| --- | --- |", *rows])


def _shown_path(path: str) -> str:
    return re.sub(r"^/(predict|explain|records|labels)/intents", r"/\1/DATASET", path)


def _query(path: str, method: str, operation: dict[str, Any]) -> str:
    names = [
        parameter["name"]
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    ]
    if method == "get" and path.startswith(("/predict", "/explain")):
        return "?FIELD=…" if names else ""
    return f"?{'&'.join(f'{name}=…' for name in names)}" if names else ""


def _description(operation: dict[str, Any]) -> str:
    summary: str = operation["summary"].removeprefix("Intents of French utterances: ")
    text = f"{summary[:1].upper()}{summary[1:]}. {operation.get('description', '')}".strip()
    return re.sub(r"\bintent\b", "the target", text)


TABLES = {"settings": settings_table, "commands": commands_table, "routes": routes_table}


def update_tables(page: str) -> str:
    """Return a page with the current tables between its markers."""
    for name, table in TABLES.items():
        begin, end = f"<!-- make reference: {name} -->\n", "<!-- reference ends -->"
        marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        # Not re.sub: in its replacement a backslash has a meaning.
        page = f"{begin}{table()}\n{end}".join(marked.split(page))
    return page


def main() -> None:
    """Update both pages."""
    for page in (README, REFERENCE):
        page.write_text(update_tables(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
