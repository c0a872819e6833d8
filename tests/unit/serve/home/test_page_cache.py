"""Tests of the cache of rendered pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serve.pages.home.page_cache import PageCache
from serve.pages.language.translation import use_language
from serve.pages.navigation import site_links, use_session


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    yield
    use_language("en")
    use_session(is_there=False)


def test_a_page_is_rendered_once_for_each_language() -> None:
    """A French reader must not get the English page."""
    cache, rendered = PageCache(), []

    def page(language: str, generation: int = 1) -> bytes:
        def render() -> bytes:
            rendered.append(language)
            return language.encode()

        use_language(language)
        return cache.get("/", generation, render)

    assert [page("en"), page("fr"), page("en"), page("fr")] == [b"en", b"fr", b"en", b"fr"]
    assert rendered == ["en", "fr"]
    page("en", generation=2)
    assert rendered == ["en", "fr", "en"]


def test_a_page_tells_those_who_have_signed_in() -> None:
    """The others get the link to the form, from the same cache."""
    cache = PageCache()
    for is_there, text in ((True, "Signed in"), (False, "Sign in"), (True, "Signed in")):
        use_session(is_there=is_there)
        page = cache.get("/", 1, site_links([], "", "/")[-1].text.encode)
        assert page.decode() == text
