"""Tests of pages with optional fields, dates, open choices, row ids and several labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from db.records.observation import MOST_SHOWN
from tests.integration.conftest import Site, query, serving
from tests.integration.orders import BLUE, ORDERS, QUESTIONS, ROWS, make_orders

from .accessibility import LAPTOP, findings, phone_findings
from .conftest import Visitor

Visitors = Callable[..., Visitor]


@pytest.fixture(scope="module")
def orders_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with fields of every kind, which has no model yet."""
    folder = tmp_path_factory.mktemp("orders")
    with serving(make_orders(folder), folder / "log.txt", ready="/livez") as running:
        yield running


def blue_key() -> str:
    """Return the key of the record with many rows."""
    return ORDERS.key(ORDERS.read_inputs(BLUE)).hex()


def test_pages_with_every_kind_of_field_are_accessible(
    visitor: Visitors, orders_site: Site
) -> None:
    """No page breaks a rule of axe-core or reports an error, and none scrolls sideways."""
    person = visitor(orders_site, refusals=(400, 404, 503), viewport=LAPTOP)
    found: dict[str, object] = {}
    for path in (
        "/",
        "/try/orders?order_no=7",
        "/try/orders?order_no=nothing",
        f"/try/orders?{query(price='$1,200', size='XL', shipped='2024-02-01T08:30:15Z')}",
        "/try/survey",
        "/records/orders",
        "/records/orders?row=nothing",
        "/records/survey",
        f"/records/orders/{blue_key()}",
    ):
        page = person.visit(path)
        found[path] = findings(page)
        found[f"{path}, phone"] = phone_findings(page)
        page.close()
    assert {path: faults for path, faults in found.items() if faults} == {}


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_look_up_of_a_row_fills_the_form(
    visitor: Visitors, orders_site: Site, *, script: bool
) -> None:
    """The answer is the teacher's, and the form can be sent again with the same inputs."""
    page = visitor(orders_site, java_script_enabled=script).visit("/try/orders")
    page.locator("form.look-up input").fill("7")
    page.locator("form.look-up button").click()
    expect(page.locator(".result")).to_have_attribute("data-source", "teacher")
    form = page.locator("form.try")
    expect(form.locator("[name=colour]")).to_have_value("blue")
    expect(form.locator("[name=price]")).to_have_value("1200.5")
    expect(form.locator("[name=ordered]")).to_have_value("2024-01-31")
    expect(form.locator("[name=shipped]")).to_have_value("2024-02-01T08:30:15")
    expect(form.locator("[name=gift]")).to_have_value("")
    form.locator("button").click()
    expect(page.locator(".result")).to_have_attribute("data-source", "teacher")
    expect(page.locator(".notice")).to_have_count(0)


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_an_unknown_row_is_explained(visitor: Visitors, orders_site: Site, *, script: bool) -> None:
    """The form stays as it is."""
    page = visitor(orders_site, refusals=(404,), java_script_enabled=script).visit("/try/orders")
    page.locator("form.look-up input").fill("nothing")
    page.locator("form.look-up button").click()
    expect(page.locator(".notice")).to_contain_text("no row with the order_no 'nothing'")
    expect(page.locator("form.look-up input")).to_have_value("nothing")


def test_a_form_shows_the_inputs_that_its_inputs_cannot_hold(
    visitor: Visitors, orders_site: Site
) -> None:
    """A number in the column's format, another choice and a time zone are shown as text."""
    asked = query(price="$1,200", size="XL", shipped="2024-02-01T08:30:15+01:00", colour="green")
    page = visitor(orders_site).visit(f"/try/orders?{asked}")
    expect(page.locator("[role=alert]")).to_contain_text("size: must be one of S, M")
    expect(page.locator("[name=price]")).to_have_value("$1,200")
    expect(page.locator("[name=size]")).to_have_value("XL")
    expect(page.locator("[name=shipped]")).to_have_value("2024-02-01T08:30:15+01:00")
    expect(page.locator("[name=colour]")).to_have_value("green")


def test_an_empty_form_is_explained(visitor: Visitors, orders_site: Site) -> None:
    """Where all fields are optional the browser lets it pass."""
    page = visitor(orders_site).visit("/try/survey")
    for field in page.locator("form.try input").all():
        field.fill("")
    page.locator("form.try button").click()
    expect(page.locator(".answer .notice")).to_contain_text("give at least one field")


def test_a_form_with_many_fields_is_a_grid(visitor: Visitors, orders_site: Site) -> None:
    """The first page has no field of it."""
    person = visitor(orders_site)
    page = person.visit("/")
    expect(page.locator("[name=question_119]")).to_have_count(0)
    page = person.visit("/try/survey")
    boxes = [it.bounding_box() for it in page.locator("form.try input").all()[:2]]
    assert len(page.locator("form.try input").all()) == QUESTIONS
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]


def test_a_listing_shows_all_labels_and_missing_inputs(
    visitor: Visitors, orders_site: Site
) -> None:
    """Many numbers are shown as their range; a click leads to the rows of the record."""
    person = visitor(orders_site)
    page = person.visit("/records/orders")
    row = page.locator("tbody tr", has_text="blue")
    expect(row).to_contain_text("yes ×200, no ×50")
    expect(row).to_contain_text("–")
    expect(row).not_to_contain_text("None")
    row.locator("a").first.click()
    expect(page.locator("main")).to_contain_text(f"the most frequent of {ROWS} rows")
    expect(page.get_by_role("region", name="Rows").locator("tbody tr")).to_have_count(MOST_SHOWN)
    expect(page.locator("main")).to_contain_text(f"and {ROWS - MOST_SHOWN} more with a label")
    page = person.visit("/records/survey")
    expect(page.locator("td[title]")).to_have_text("640 to 645, 6 rows")
    expect(page.locator("tbody")).to_contain_text("700, 701")


def test_a_row_is_found_in_the_listing(visitor: Visitors, orders_site: Site) -> None:
    """An unknown row is said to be unknown, and the way back is shown."""
    page = visitor(orders_site, refusals=(404,)).visit("/records/orders")
    page.locator("input[name=row]").fill("red 1")
    page.get_by_role("button", name="Find row").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("red")
    page.locator("input[name=row]").fill("red 2")
    page.get_by_role("button", name="Find row").click()
    expect(page.locator("[role=alert]")).to_have_text("No row has the order_no red 2.")
    page.get_by_role("link", name="All records").click()
    expect(page.locator("tbody tr")).to_have_count(2)
