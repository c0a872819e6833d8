"""Tests of terms on pages and in the glossary."""

from __future__ import annotations

import re
from pathlib import Path

from serve.pages.guide.guide_text import ROOT, guide_html
from serve.pages.guide.term import TERMS, term
from serve.pages.rendering import TEMPLATES


def test_every_term_has_its_place_in_the_glossary() -> None:
    """And the glossary explains no other words."""
    anchors = re.findall(r'<h2 id="([^"]+)">', guide_html("glossary"))
    assert anchors == sorted(TERMS)


def test_a_term_is_a_link_with_a_short_explanation() -> None:
    """Its text may be another form of the word."""
    link = term("psi", "<PSI>")
    assert link.startswith('<a class="term" href="/guide/glossary#psi" title="A measure of drift')
    assert link.endswith(">&lt;PSI&gt;</a>")


def test_every_term_that_a_template_names_exists() -> None:
    """A misspelt name would break the page."""
    texts = [path.read_text("utf-8") for path in Path(TEMPLATES).glob("*.tpl")]
    named = {name for text in texts for name in re.findall(r'\bterm\("([^"]+)"', text)}
    assert named
    assert named <= set(TERMS)
    assert (ROOT / "docs" / "glossary.md").exists()
