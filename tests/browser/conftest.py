"""A browser, and the servers that it looks at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.integration.answers import teach
from tests.integration.conftest import Site, own_site, serving_copy

__all__ = ["own_site"]
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium, or whatever Chrome there is.

    For a module and no longer: while it is there an event loop runs in this thread, so that other
    tests could run none.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and "CI" not in os.environ:
        pytest.skip("there is no Chromium here: apt install chromium")
    with sync_playwright() as playwright:
        # As root it wants no sandbox; it sees nothing but our own pages.
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@dataclass
class Visitor:
    """A person with a browser, who notes whatever goes wrong.

    A refusal that a test is about is no complaint: `refusals` are the statuses of those.
    """

    site: Site
    context: BrowserContext
    refusals: tuple[int, ...] = (400,)
    complaints: list[str] = field(default_factory=list)

    def visit(self, path: str) -> Page:
        """Open a page."""
        page = self.context.new_page()
        page.on("console", lambda it: self._hear(it.type, it.text))
        page.on("pageerror", lambda it: self.complaints.append(str(it)))
        page.goto(f"http://127.0.0.1:{self.site.port}{path}")
        return page

    def _hear(self, kind: str, words: str) -> None:
        is_refusal = any(f"status of {status}" in words for status in self.refusals)
        if kind in {"error", "warning"} and not is_refusal:
            self.complaints.append(words)


@pytest.fixture(scope="session")
def looked_at(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a server with records, answers of a teacher, and something to see everywhere."""
    folder = tmp_path_factory.mktemp("looked_at")
    with serving_copy(trained, folder, CODE_PATHS="datasets,tests") as site:
        teach(site.store)
        yield site


@pytest.fixture
def visitor(browser: Browser, looked_at: Site) -> Iterator[Callable[..., Visitor]]:
    """Give a function that returns a visitor; in the end nothing may have gone wrong."""
    came: list[Visitor] = []

    def come(site: Site = looked_at, refusals: tuple[int, ...] = (400,), **options: Any) -> Visitor:  # noqa: ANN401  what Playwright takes
        came.append(Visitor(site, browser.new_context(**options), refusals))
        return came[-1]

    yield come
    for one in came:
        one.context.close()
    assert [words for one in came for words in one.complaints] == []
