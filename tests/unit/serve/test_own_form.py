"""Tests of which requests count as forms of our own pages."""

from __future__ import annotations

import pytest

from serve.pages.login import is_own_form


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"HTTP_SEC_FETCH_SITE": "same-origin"}, True),
        ({"HTTP_SEC_FETCH_SITE": "none"}, True),
        ({"HTTP_SEC_FETCH_SITE": "same-site"}, False),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, False),
        ({"HTTP_ORIGIN": "http://app.example.com:8000"}, True),
        ({"HTTP_ORIGIN": "http://APP.example.com:8000"}, True),
        ({"HTTP_ORIGIN": "http://blog.example.com:8000"}, False),
        ({"HTTP_ORIGIN": "http://app.example.com:9000"}, False),
        ({"HTTP_ORIGIN": "http://app.example.com"}, False),
        ({"HTTP_ORIGIN": "null"}, False),
        ({"HTTP_ORIGIN": ""}, False),
        ({"HTTP_ORIGIN": "https://app.example.com", "HTTP_HOST": "app.example.com:443"}, True),
        ({"HTTP_ORIGIN": "https://x.org", "HTTP_SEC_FETCH_SITE": "same-origin"}, True),
    ],
)
def test_a_form_of_a_neighbour_is_told_from_our_own(headers: dict[str, str], is_own: bool) -> None:  # noqa: FBT001  a parameter
    """Over plain HTTP browsers send no Sec-Fetch-Site, and SameSite cookies go to neighbours."""
    assert is_own_form({"HTTP_HOST": "app.example.com:8000", **headers}) is is_own
