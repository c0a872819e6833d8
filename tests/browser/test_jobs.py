"""A new dataset in the browser: a file is dropped, its draft reviewed, and a model trained."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from enrich.gate.suspender import ProcessSuspender
from enrich.worker.job_runner import JobRunner
from enrich.worker.subcommand import Subcommands
from tests.integration.conftest import API_KEY, Site

from .conftest import Visitor

ROWS = 60
# Drops a file on an element, as a person does with a mouse.
DROP = """(box, text) => {
  const files = new DataTransfer();
  files.items.add(new File([text], "flats.csv"));
  const drop = { dataTransfer: files, bubbles: true, cancelable: true };
  box.dispatchEvent(new DragEvent("drop", drop));
}"""


def test_a_dropped_table_becomes_a_dataset_that_answers(
    visitor: Callable[..., Visitor], own_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages follow the work by themselves, and need no further page of the command line."""
    monkeypatch.setenv("DATABASE_URL", own_site.url)
    subcommands = Subcommands(ProcessSuspender(), threading.Event(), 60.0)
    worker = JobRunner(own_site.store, 1, subcommands)
    person = visitor(own_site, viewport={"width": 390, "height": 800}, color_scheme="dark")
    page = person.visit("/key?next=/add")
    page.locator("input[name=key]").fill(API_KEY)
    page.get_by_role("button", name="Continue").click()
    page.locator("label.drop").evaluate(DROP, table())
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_text("waiting for a worker")).to_be_visible()
    worker.run_all(lambda: True)
    # The page shows the draft without being loaded again.
    page.get_by_label("Use street").check()
    page.get_by_label("Type of street").select_option("choice")
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Create, import and train").click()
    worker.run_all(lambda: True)
    expect(page.get_by_text("The dataset flats is there, with 60 rows.")).to_be_visible()
    page.get_by_role("link", name="Try it").click()
    expect(page.get_by_label("street")).to_be_visible()


def table() -> str:
    """Return a table in which the size decides on the rent; all streets but one are the same."""
    rows = [f"{20 + n},{['Lyon', 'Nice'][n % 2]},Rue A,{500 + 10 * n}" for n in range(ROWS)]
    return "\n".join(["size,town,street,rent", *rows]) + "\n"
