"""Fixtures of the browser tests: a browser, and the servers that it visits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.integration.answers import teach
from tests.integration.conftest import API_KEY, Site, serving_copy, until
from tests.processes import PATIENCE_SECONDS
from tests.programs import require_program
from tests.two_versions import make_tones

NAMES = ("chromium", "chromium-browser", "google-chrome")
# On a busy machine a page takes long to do anything.
PATIENCE_MS = 1000 * PATIENCE_SECONDS
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium or Chrome for one module.

    While the browser runs, an event loop runs in this thread, so no other test can start one.
    """
    found = require_program(*NAMES, install="apt-get install chromium")
    with sync_playwright() as playwright:
        # The sandbox does not work as root, and the browser opens only our own pages.
        running = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"], timeout=PATIENCE_MS
        )
        yield running
        running.close()


@dataclass
class Visitor:
    """A person with a browser, who records every error and warning.

    `refusals` are the HTTP statuses that a test expects; they are not recorded as complaints.
    """

    site: Site
    context: BrowserContext
    refusals: tuple[int, ...] = (400,)
    complaints: list[str] = field(default_factory=list)

    def visit(self, path: str) -> Page:
        """Open a page."""
        page = self.context.new_page()
        page.on("console", lambda it: self._record_message(it.type, it.text))
        page.on("pageerror", lambda it: self.complaints.append(str(it)))
        page.goto(f"http://127.0.0.1:{self.site.port}{path}")
        return page

    def sign_in(self) -> None:
        """Begin a session with an API key, as the form does."""
        form: dict[str, str | float | bool] = {"key": API_KEY, "next": "/livez"}
        reply = self.context.request.post(f"http://127.0.0.1:{self.site.port}/key", form=form)
        assert reply.status == 200, reply.text()

    def _record_message(self, kind: str, words: str) -> None:
        is_refusal = any(f"status of {status}" in words for status in self.refusals)
        if kind in {"error", "warning"} and not is_refusal:
            self.complaints.append(words)


@pytest.fixture(scope="session")
def filled_site(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with records, answers and two versions of a model, so no page is empty."""
    folder = tmp_path_factory.mktemp("filled_site")
    with serving_copy(trained, folder, CODE_PATHS="datasets,tests") as site:
        teach(site.store)
        make_tones(site.store)
        until(lambda: site.get("/models/tones").status == 200)
        yield site


@pytest.fixture
def new_site(trained: Path, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Yield a function that starts a server for this test alone, with settings of its own."""
    with ExitStack() as servers:
        yield lambda **settings: servers.enter_context(
            serving_copy(trained, tmp_path / "own", **settings)
        )


@pytest.fixture
def own_site(new_site: Callable[..., Site]) -> Site:
    """Start a server for one test that changes the store or the process."""
    return new_site()


@pytest.fixture
def visitor(
    browser: Browser,
    filled_site: Site,
    new_site: Callable[..., Site],  # noqa: ARG001  its servers stop after the browser's pages close
) -> Iterator[Callable[..., Visitor]]:
    """Yield a function that returns a visitor; after the test no visitor may have complaints."""
    visitors: list[Visitor] = []

    def new_visitor(
        site: Site = filled_site,
        refusals: tuple[int, ...] = (400,),
        **options: Any,  # noqa: ANN401  Playwright's own options
    ) -> Visitor:
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        visitors.append(Visitor(site, context, refusals))
        return visitors[-1]

    yield new_visitor
    for person in visitors:
        person.context.close()
    assert [words for person in visitors for words in person.complaints] == []
