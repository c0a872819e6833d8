"""The views of the written documentation."""

from __future__ import annotations

from bottle import HTTPResponse

from serve.api.problem import Refusal
from serve.pages.login import Authenticator
from serve.pages.rendering import show
from serve.prediction.service import PredictionService

from .guide_text import FIRST, UnknownGuidePage, guide_html, guide_path, guide_titles


class GuidePages:
    """The views of /guide."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def first(self) -> HTTPResponse:
        """Show README.md, with links to all pages."""
        return self.page(FIRST)

    def page(self, page: str) -> HTTPResponse:
        """Show one page of the documentation."""
        self._authenticator.require_read_key()
        try:
            text = guide_html(page)
        except UnknownGuidePage as error:
            raise Refusal(404, str(error)) from None
        titles = guide_titles()
        return show(
            "guide",
            title=titles[page],
            datasets=list(self._service.catalog.datasets),
            pages=[(guide_path(it), title, it == page) for it, title in titles.items()],
            text=text,
        )
