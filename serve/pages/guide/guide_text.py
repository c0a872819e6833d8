"""The written documentation: README.md and the files of docs/, as HTML."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from db.errors import VeilleuseError

ROOT = Path(__file__).resolve().parents[3]
# The name of README.md among the pages of the guide.
FIRST = "readme"
# So many rendered pages are kept, which are 40 kB each.
MOST_KEPT = 6


class UnknownGuidePage(VeilleuseError):
    """The documentation has no such page."""


def guide_path(name: str) -> str:
    """Return the address of a page of the guide."""
    return "/guide" if name == FIRST else f"/guide/{name}"


@functools.cache
def guide_titles() -> dict[str, str]:
    """Return the title of each page by its name, README.md first and the others by name.

    There are none where the files were not deployed with the program.
    """
    files = {FIRST: ROOT / "README.md"}
    files |= {path.stem: path for path in sorted((ROOT / "docs").glob("*.md"))}
    return {name: _read_title(path) for name, path in files.items() if path.exists()}


def _read_title(path: Path) -> str:
    """Return the first heading of a file."""
    text = path.read_text("utf-8")
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found[1] if found else path.stem


@functools.lru_cache(maxsize=MOST_KEPT)
def guide_html(name: str) -> str:
    """Return a page of the guide as HTML; raises UnknownGuidePage."""
    # Most processes never show a page, and so never load the library for it.
    from .markdown_page import render_markdown  # noqa: PLC0415

    if name not in guide_titles():
        known = ", ".join(guide_titles()) or "none: deploy README.md and docs with the program"
        raise UnknownGuidePage(f"the guide has no page {name!r}; there are: {known}")
    folder, file = ("", "README.md") if name == FIRST else ("docs", f"{name}.md")
    text = (ROOT / folder / file).read_text("utf-8")
    addresses = {
        "README.md" if known == FIRST else f"docs/{known}.md": guide_path(known)
        for known in guide_titles()
    }
    return render_markdown(text, folder, addresses)
