"""Tests of the written documentation as pages."""

from __future__ import annotations

import re

import pytest

from serve.pages.guide.guide_text import UnknownGuidePage, guide_html, guide_titles
from serve.pages.guide.markdown_page import anchor_of, page_address, render_markdown

ADDRESSES = {"README.md": "/guide", "docs/web.md": "/guide/web"}


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("web.md", "/guide/web"),
        ("web.md#keys", "/guide/web#keys"),
        ("../README.md", "/guide"),
        ("#keys", "#keys"),
        ("https://example.org/web.md", "https://example.org/web.md"),
        ("../tests/test_docs.py", ""),
    ],
)
def test_links_between_files_lead_to_pages(link: str, address: str) -> None:
    """There are no pages for other files."""
    assert page_address(link, "docs", ADDRESSES) == address


def test_a_text_becomes_html_without_styles_images_and_html_of_its_own() -> None:
    """A link to a file without a page stays as text."""
    text = (
        "# Of keys\n<!-- made -->\n<b>bold</b> ![chart](a.svg) [tests](../tests/x.py)\n\n"
        "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
    )
    html = render_markdown(text, "docs", ADDRESSES)
    assert '<h1 id="of-keys">Of keys</h1>' in html
    assert "&lt;b&gt;bold" in html
    assert "chart <span>tests</span>" in html
    assert '<td class="n">2</td>' in html
    assert not re.search(r"<img|<b>|style=|href|made", html)


def test_anchors_are_those_by_which_the_documentation_links() -> None:
    """They are made as GitHub makes them."""
    assert anchor_of("Why an answer is what it is") == "why-an-answer-is-what-it-is"
    assert anchor_of("`GET /predict`, and more") == "get-predict-and-more"


def test_every_page_is_shown_and_its_links_lead_to_pages_and_anchors() -> None:
    """A link to a page names an anchor that this page has."""
    pages = {f"/guide/{name}": guide_html(name) for name in guide_titles() if name != "readme"}
    pages["/guide"] = guide_html("readme")
    assert {"/guide/web", "/guide/glossary", "/guide/reference"} <= set(pages)
    for path, html in pages.items():
        assert html.count("<h1") == 1, path
        for link in re.findall(r'href="([^"]+)"', html):
            page, _, anchor = link.partition("#")
            if not page or page.startswith("/"):
                target = pages[page or path]
                assert not anchor or f'id="{anchor}"' in target, (path, link)


def test_an_unknown_page_is_refused_with_the_names_of_all_pages() -> None:
    """The names come from the folder, and never from an address."""
    with pytest.raises(UnknownGuidePage, match="there are: readme, backup"):
        guide_html("../pyproject")
