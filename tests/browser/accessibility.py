"""The rules that every page keeps, whatever the theme and the width."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PHONE = {"width": 390, "height": 800}
LAPTOP = {"width": 1280, "height": 800}
# Themes differ in nothing but colours.
CONTRAST = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}


def findings(page: Page, within: str | None = None) -> list[tuple[str, list[str]]]:
    """Return the rules of axe-core that a page breaks in either theme, with the elements.

    Wide elements may scroll sideways, but not the page: that is a finding too.
    """
    page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")
    page.emulate_media(color_scheme="light")
    found = Axe().run(page, context=within).response["violations"]
    page.emulate_media(color_scheme="dark")
    found += page.evaluate(
        "([within, options]) => axe.run(within ?? document, options).then(it => it.violations)",
        [within, CONTRAST],
    )
    return [_in_short(one) for one in found] + _overflow(page)


def _in_short(violation: dict[str, Any]) -> tuple[str, list[str]]:
    return violation["id"], [node["html"][:120] for node in violation["nodes"][:3]]


def _overflow(page: Page) -> list[tuple[str, list[str]]]:
    if page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
        return []
    return [("wider than the window", [page.url])]


def phone_findings(page: Page, *, with_axe: bool = False) -> list[tuple[str, list[str]]]:
    """Return what a page breaks on a phone; without axe-core, whether it scrolls sideways."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    return findings(page) if with_axe else _overflow(page)
