"""The parts of documents that commands write, each between two marks."""

from __future__ import annotations


def insert_section(text: str, section: str, begin: str, end: str) -> str:
    """Return a document with a section between its marks."""
    before, _, rest = text.partition(begin)
    return f"{before}{begin}{section}\n{end}{rest.partition(end)[2]}"
