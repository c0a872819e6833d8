"""Tests of a path under which a proxy shows the server."""

from __future__ import annotations

import pytest
from bottle import Bottle

from db.errors import SettingError
from serve.app import check_base_path


def routes() -> Bottle:
    """Return an application with a few routes."""
    app = Bottle()
    for path in ("/", "/docs", "/api/health", "/<path:path>"):
        app.route(path, "GET", print)
    return app


@pytest.mark.parametrize("base_path", ["/docs", "/api", "/api/models"])
def test_a_path_that_begins_as_a_route_does_is_refused(base_path: str) -> None:
    """An address could mean either."""
    with pytest.raises(SettingError, match=f"BASE_PATH={base_path}"):
        check_base_path(routes(), base_path)


@pytest.mark.parametrize("base_path", ["", "/ml", "/doc", "/ml/docs"])
def test_any_other_path_is_accepted(base_path: str) -> None:
    """Also one with a route's name further on."""
    check_base_path(routes(), base_path)
