"""Tests of pages under a proxy's path."""

from __future__ import annotations

import pytest

from serve.api.response import with_prefix


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ('<a href="/records/a?x=1">', '<a href="/ml/records/a?x=1">'),
        ('<form method="post" action="/key">', '<form method="post" action="/ml/key">'),
        ('<script defer src="/docs/page.js">', '<script defer src="/ml/docs/page.js">'),
        ('<a class="name" href="/">', '<a class="name" href="/ml/">'),
        ('<a href="#model">', '<a href="#model">'),
        ('<a href="//other.example/">', '<a href="//other.example/">'),
        ('<a href="https://other.example/">', '<a href="https://other.example/">'),
        ("a text with href=&quot;/x&quot;", "a text with href=&quot;/x&quot;"),
    ],
)
def test_addresses_of_a_page_begin_with_the_prefix(page: str, wanted: str) -> None:
    """Those of other sites, and what people have written, stay as they are."""
    assert with_prefix(page.encode(), "/ml").decode() == wanted
    assert with_prefix(page.encode(), "").decode() == page
