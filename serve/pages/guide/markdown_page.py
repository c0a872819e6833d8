"""Markdown as HTML for our pages: links between files lead to pages, and nothing is styled inline.

This module loads markdown-it, which takes a few MiB of memory: import it where it is used.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
EMPTY_HEADER = '<th scope="col"></th>'
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|//")


def render_markdown(text: str, folder: str, addresses: Mapping[str, str]) -> str:
    """Return a file of the folder as HTML; `addresses` maps files to the addresses of pages.

    Links to other files become plain text. HTML in the text is shown, not obeyed.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(_COMMENT.sub("", text))
    _name_headings(tokens)
    for token in tokens:
        _without_style(token)
        for child in token.children or ():
            _show_image_as_link(child)
        _lead_links(token.children or [], folder, addresses)
    return _as_regions(markdown.renderer.render(tokens, markdown.options, {}))


def _name_headings(tokens: Sequence[Token]) -> None:
    """Give each heading the anchor by which links of the text name it."""
    seen: Counter[str] = Counter()
    for token, inline in itertools.pairwise(tokens):
        if token.type == "heading_open":
            anchor = anchor_of(inline.content)
            number = seen[anchor]
            seen[anchor] += 1
            token.attrSet("id", f"{anchor}-{number}" if number else anchor)


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading as GitHub makes it: "Out of fold" has out-of-fold."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _without_style(token: Token) -> None:
    """Say by a class that a column is aligned right: the pages' policy forbids inline styles."""
    style = token.attrs.pop("style", "")
    if "right" in str(style):
        token.attrSet("class", "n")
    if token.type == "th_open":
        token.attrSet("scope", "col")


def _show_image_as_link(token: Token) -> None:
    """Show an image of another site as its text: pages load nothing from elsewhere."""
    if token.type == "image":
        token.type, token.tag, token.nesting = "text", "", 0


def _lead_links(tokens: Sequence[Token], folder: str, addresses: Mapping[str, str]) -> None:
    """Let links lead to our pages; those to files that are no pages become spans."""
    is_dead = False
    for token in tokens:
        if token.type == "link_open":
            address = page_address(str(token.attrs.get("href", "")), folder, addresses)
            is_dead = not address
            token.attrs.pop("href", None)
            if address:
                token.attrSet("href", address)
        if token.type in {"link_open", "link_close"} and is_dead:
            token.tag = "span"


def page_address(link: str, folder: str, addresses: Mapping[str, str]) -> str:
    """Return where a link of a file in a folder leads to, "" if there is no page for it."""
    if link.startswith("#") or _ABSOLUTE.match(link):
        return link
    file, mark, anchor = link.partition("#")
    address = addresses.get(posixpath.normpath(posixpath.join(folder, file)), "")
    return f"{address}{mark}{anchor}" if address else ""


def _as_regions(html: str) -> str:
    """Let keys scroll what is wide: tables, which are numbered as each region needs a name."""
    html = html.replace("<pre>", '<pre tabindex="0">').replace(EMPTY_HEADER, "<td></td>")
    pieces = html.split("<table>")
    opened = (
        f'<div class="wide" tabindex="0" role="region" aria-label="Table {at}"><table>{piece}'
        for at, piece in enumerate(pieces[1:], 1)
    )
    return "".join([pieces[0], *opened]).replace("</table>", "</table></div>")
