"""Tests of labelling in a browser, by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.ingestion.row import NewRow
from db.records.dataset import find_dataset
from db.store import tables
from tests.conftest import ask
from tests.integration.conftest import Site

from .conftest import Visitor

Visitors = Callable[..., Visitor]
RECORDS = 40


def ask_sentences(site: Site) -> None:
    """Record sentences that somebody asked and nobody has labelled."""
    with site.store.writing() as connection:
        dataset = find_dataset(connection, "intents")
        spec = dataset.spec
        given = [spec.read_inputs({"sentence": f"un train n° {it}"}) for it in range(RECORDS)]
        ask(connection, dataset.id, [NewRow(spec.key(one), one, None) for one in given])


def begin_labelling(person: Visitor) -> Page:
    """Sign in, and open the label page."""
    person.sign_in()
    page = person.visit("/label/intents")
    expect(page.locator("button.choice")).to_have_count(10)
    return page


def shown_key(page: Page) -> str:
    """Return the key of the record that a page shows."""
    return page.locator("#labelling input[name=key]").first.input_value()


def press(page: Page, key: str) -> str:
    """Press a key, and return the key of the record that is shown then."""
    before = shown_key(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.querySelector('#labelling input[name=key]').value !== before",
        arg=before,
    )
    return shown_key(page)


def labels_given(site: Site) -> list[tuple[str, str | None]]:
    """Return the keys of the records that people judged, with their labels, the oldest first."""
    given = tables.observation
    query = select(tables.record.c.key, given.c.label).join_from(given, tables.record)
    with site.store.reading() as connection:
        rows = connection.execute(query.where(given.c.origin == "person").order_by(given.c.id))
        return [(row.key.hex(), row.label) for row in rows]


def test_thirty_records_are_labelled_by_keyboard_while_another_browser_labels_too(
    visitor: Visitors, own_site: Site
) -> None:
    """No record is shown in both browsers, no page is loaded, and the last label is undone."""
    ask_sentences(own_site)
    page, other = begin_labelling(visitor(own_site)), begin_labelling(visitor(own_site))
    page.evaluate("window.same = true")
    seen, of_other = [shown_key(page)], [shown_key(other)]
    for number in range(30):
        seen.append(press(page, "5" if number % 2 else "8"))
        if number % 10 == 0:
            of_other.append(press(other, "1"))
    assert len(set(seen)) == 31
    assert not set(seen) & set(of_other)
    given = dict(labels_given(own_site))
    assert [given.pop(key) for key in seen[:30]] == ["purchase", "find-train"] * 15
    assert given == dict.fromkeys(of_other[:3], "find-around-me")
    assert press(page, "u") == seen[-2]
    assert press(page, "n") == seen[-1]
    assert labels_given(own_site)[-1] == (seen[-2], None)
    assert press(page, "Control+z") == seen[-2]
    expect(page.locator("#labelling")).to_contain_text("32 labels since intents@1; retrain at 50.")
    assert page.evaluate("window.same")
