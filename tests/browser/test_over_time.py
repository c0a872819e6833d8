"""A test of the page over time in a browser: charts, times of the viewer, and accessibility."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import insert

from db.records.dataset import find_dataset
from db.store import tables
from db.store.direct.clock import wall_seconds
from tests.integration.conftest import Site

from .accessibility import LAPTOP, findings, phone_findings
from .conftest import Visitor

# Three hours before UTC in winter and summer.
ZONE, OFFSET_HOURS = "America/Sao_Paulo", -3


def add_answers(site: Site) -> int:
    """Add 30 answers for each of the last 90 days' hours, of one label; return the last hour."""
    with site.store.writing() as connection:
        dataset_id = find_dataset(connection, "intents").id
        hour = int(wall_seconds(connection)) // 3600
        rows = [
            {
                "dataset_id": dataset_id,
                "hour": hour - ago,
                "source": ("student", "teacher")[ago % 2],
                "prediction": "purchase",
                "answers": 30,
            }
            for ago in range(1, 24 * 90)
        ]
        connection.execute(insert(tables.served), rows)
    return hour - 1


def first_title(page: Page) -> str:
    """Return the last title of the first chart, which a pointer over the last bar shows."""
    return page.locator("svg.chart").first.locator("title").last.text_content() or ""


def test_charts_show_the_times_of_the_viewer_and_are_accessible(
    visitor: Callable[..., Visitor], own_site: Site
) -> None:
    """Without JavaScript they say UTC."""
    last = add_answers(own_site)
    page = visitor(own_site, timezone_id=ZONE, viewport=LAPTOP).visit("/over-time/intents")
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\d {(last + OFFSET_HOURS) % 24:02}:00\nteacher: 30", first_title(page)
    )
    expect(page.locator("[data-zone]")).to_have_text(ZONE)
    assert findings(page) == []
    page.get_by_role("link", name="90 days").click()
    expect(page.locator("svg.chart title").first).to_contain_text("teacher")
    assert phone_findings(page) == []
    plain = visitor(own_site, timezone_id=ZONE, java_script_enabled=False)
    page = plain.visit("/over-time/intents")
    assert re.search(rf" {last % 24:02}:00 UTC\nteacher: 30", first_title(page))
    expect(page.locator("[data-zone]")).to_have_text("UTC")
