"""Tests of each page, as people use it."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Response, expect

from tests.conftest import run_command
from tests.integration.answers import TAUGHT
from tests.integration.conftest import API_KEY, Site, query

from .accessibility import LAPTOP, findings, phone_findings
from .conftest import Visitor

Visitors = Callable[..., Visitor]

MOST_BYTES = 100_000
UNSEEN = "un petit hôtel au calme dans une ville où je ne suis jamais allé"


def some_key(site: Site, label: str = "purchase") -> str:
    """Return the key of a record with that label."""
    return str(site.records(label=label)[0].key.hex())


def paths(site: Site) -> list[str]:
    """Return the path of every page, some with what they show of a mistake."""
    return [
        "/",
        "/?dataset=customers",
        "/server",
        "/guide/glossary",
        f"/try/intents?{query(sentence=TAUGHT)}",
        "/try/customers",
        "/try/customers?age=old",
        "/records/intents",
        "/records/intents?show=disagreements",
        "/records/customers?show=disagreements",
        f"/records/intents/{some_key(site)}",
        "/models/intents",
        "/models/customers/1",
        "/models/tones",
        "/models/tones/1..2",
        "/label/intents",
        "/label/customers?order=disagreements",
        "/over-time/intents",
        "/production/intents",
        "/batch/customers",
        "/add",
        "/jobs",
        "/guide",
        "/key",
        "/records/nothing",
    ]


# On a phone their tables, charts and forms stand differently.
PHONE_PATHS = ("/", "/server", "/records/intents", "/models/tones/1..2", "/label/intents")


def test_every_page_is_accessible(visitor: Visitors, filled_site: Site) -> None:
    """No page breaks a rule of axe-core in either theme, and the console shows no error."""
    person = visitor(refusals=(400, 404), viewport=LAPTOP)
    found: dict[str, object] = {}
    for path in ("/key", "/label/intents", "/add"):
        found[f"{path}, not signed in"] = findings(person.visit(path))
    person.sign_in()
    for path in paths(filled_site):
        page = person.visit(path)
        found[path] = findings(page)
        found[f"{path}, phone"] = phone_findings(page, with_axe=path in PHONE_PATHS)
        page.close()
    found["/docs"] = findings(person.visit("/docs"), "header.site")
    assert {path: faults for path, faults in found.items() if faults} == {}


def load(person: Visitor, path: str) -> list[Response]:
    """Open a page and return all responses that were loaded for it."""
    loaded: list[Response] = []

    def note(response: Response) -> None:
        loaded.append(response)

    person.context.on("response", note)
    person.visit(path).wait_for_load_state("networkidle")
    return loaded


def test_a_page_with_all_that_it_loads_stays_small(visitor: Visitors, filled_site: Site) -> None:
    """It is below 100 kB, and all of it comes from the server."""
    for path in paths(filled_site)[:11]:
        sizes = {response.url: len(response.body()) for response in load(visitor(), path)}
        assert sum(sizes.values()) < MOST_BYTES, sizes
        assert all(url.startswith(f"http://127.0.0.1:{filled_site.port}/") for url in sizes)


def test_an_invalid_input_is_explained_next_to_the_form(visitor: Visitors) -> None:
    """The input can be corrected in the same form."""
    page = visitor().visit("/try/customers")
    form = page.locator("section.predict-form")
    form.locator("input[name=age]").fill("")
    form.locator("form").evaluate("form => { form.noValidate = true }")
    form.locator("button").click()
    expect(form.locator(".answer .notice")).to_contain_text("age: is missing")
    form.locator("input[name=age]").fill("40")
    form.locator("button").click()
    expect(form.locator(".answer .headline strong")).not_to_be_empty()


def test_the_teachers_answer_replaces_the_students_on_the_open_page(
    visitor: Visitors, own_site: Site
) -> None:
    """It appears when a worker has run, without a click and without loading a page."""
    page = visitor(own_site).visit("/try/intents")
    form = page.locator("section.predict-form")
    form.locator("textarea").fill(UNSEEN)
    form.locator("button").click()
    expect(form.locator(".result")).to_have_attribute("data-source", "student")
    expect(form.locator(".result")).to_contain_text("queued")
    page.evaluate("window.same = true")
    assert run_command(own_site.url, "enrich", "once").code == 0
    expect(form.locator(".result")).to_have_attribute("data-source", "teacher")
    assert page.evaluate("window.same")


def test_the_page_of_a_dataset_updates_itself(visitor: Visitors, own_site: Site) -> None:
    """Its figures change without loading the page again."""
    page = visitor(own_site).visit("/?dataset=intents")
    row = page.locator("#intents-coverage tr", has_text="text_profile")
    expect(row).to_contain_text("0 of 1,810")
    page.evaluate("window.same = true")
    assert run_command(own_site.url, "enrich", "once").code == 0
    expect(row).to_contain_text("1,810 of 1,810")
    assert page.evaluate("window.same")


def test_a_number_of_the_confusion_matrix_leads_to_its_records(visitor: Visitors) -> None:
    """The listing has as many records as the number says."""
    page = visitor().visit("/models/intents/1")
    cells = page.locator(".matrix td a")
    counts = [int(words) for words in cells.all_inner_texts()]
    at = counts.index(min(counts))
    cells.nth(at).click()
    expect(page.locator("tbody tr")).to_have_count(counts[at])
    page.locator("tbody tr a").first.click()
    expect(page.locator("h1")).to_contain_text("one record")


def test_a_record_can_be_deleted_with_an_api_key(visitor: Visitors, own_site: Site) -> None:
    """A wrong key is refused."""
    key = some_key(own_site)
    page = visitor(own_site, refusals=(403,)).visit(f"/records/intents/{key}")
    page.locator("input[name=api_key]").fill("a guess")
    page.locator("button.danger").click()
    expect(page.locator("[role=alert]")).to_contain_text("The record was not deleted")
    assert own_site.records(key=bytes.fromhex(key))
    page.locator("input[name=api_key]").fill(API_KEY)
    page.locator("button.danger").click()
    expect(page).to_have_url(re.compile(r"/records/intents$"))
    assert not own_site.records(key=bytes.fromhex(key))


def test_a_form_asks_for_the_key_if_answers_need_one(
    visitor: Visitors, new_site: Callable[..., Site]
) -> None:
    """After the sign-in, the requested page is shown."""
    person = visitor(new_site(READ_KEYS="for-readers"), refusals=(403,))
    page = person.visit("/records/intents?show=uncertain")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.locator("input[name=key]").fill("a guess")
    page.locator("button").click()
    expect(page.locator("[role=alert]")).to_be_visible()
    page.locator("input[name=key]").fill("for-readers")
    page.locator("button").click()
    expect(page).to_have_url(re.compile(r"/records/intents\?show=uncertain$"))
    expect(page.locator("h1")).to_contain_text("records")
    (cookie,) = person.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_the_keyboard_reaches_the_answer(visitor: Visitors) -> None:
    """Focus moves in the order of the page, and the first link skips the header."""
    page = visitor().visit("/try/intents")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("textarea")).to_be_focused()
    page.keyboard.type("je veux acheter un livre")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".result")).to_be_visible()
