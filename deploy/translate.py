"""Collect the texts of the pages into the French catalogue, and compile it: `make translations`.

A new text has no translation in the catalogue until a person writes one there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from bottle import SimpleTemplate

from serve.pages.language.translation import DOMAIN, FOLDER

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "serve" / "pages"
LANGUAGE = "fr"
CATALOGUE = FOLDER / LANGUAGE / "LC_MESSAGES" / f"{DOMAIN}.po"
KEYWORDS = {"_": None, "gettext": None, "mark": None, "ngettext": (1, 2)}


def collect_texts() -> Catalog:
    """Return a catalogue of every text that the pages translate."""
    found = Catalog()
    for path in sorted([*PAGES.rglob("*.py"), *PAGES.rglob("*.tpl")]):
        source = io.BytesIO(_python_of(path).encode())
        for _, text, comments, _ in extract("python", source, KEYWORDS):
            found.add(text, auto_comments=comments)
    return found


def _python_of(path: Path) -> str:
    """Return a module's source, or the code that a template is compiled to."""
    source = path.read_text("utf-8")
    return source if path.suffix == ".py" else str(SimpleTemplate(source).code)


def read_catalogue() -> Catalog:
    """Return the French catalogue, an empty one if there is none."""
    if not CATALOGUE.exists():
        return Catalog(locale=LANGUAGE, domain=DOMAIN)
    with CATALOGUE.open("rb") as file:
        return read_po(file, LANGUAGE, DOMAIN)


def missing_texts(catalogue: Catalog) -> Iterator[str]:
    """Yield the texts that have no translation, or not every plural form."""
    for message in catalogue:
        forms = message.string if isinstance(message.string, tuple | list) else [message.string]
        if message.id and not all(forms):
            yield message.id if isinstance(message.id, str) else message.id[0]


def compiled(catalogue: Catalog) -> bytes:
    """Return the catalogue in the form that gettext reads."""
    output = io.BytesIO()
    write_mo(output, catalogue)
    return output.getvalue()


def main() -> None:
    """Update the catalogue, compile it, and print what has no translation."""
    catalogue = read_catalogue()
    catalogue.update(collect_texts(), no_fuzzy_matching=True)
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=100, sort_output=True, ignore_obsolete=True)
    CATALOGUE.with_suffix(".mo").write_bytes(compiled(read_catalogue()))
    for text in missing_texts(catalogue):
        print(f"no translation: {text}")


if __name__ == "__main__":
    main()
