"""The view of the page about the server and its workers."""

from __future__ import annotations

from bottle import HTTPResponse

from serve.api.response import respond_page
from serve.pages.login import Authenticator

from .dashboard import Dashboard


class ServerPage:
    """The view of /server."""

    def __init__(self, dashboard: Dashboard, authenticator: Authenticator) -> None:
        self._dashboard = dashboard
        self._authenticator = authenticator

    def show(self) -> HTTPResponse:
        """Show the traffic of the server, its workers, and what has gone wrong."""
        self._authenticator.require_read_key()
        return respond_page(self._dashboard.server_page())
