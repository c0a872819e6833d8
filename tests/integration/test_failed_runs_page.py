"""The page of the server shows commands that failed, with the reason."""

from __future__ import annotations

import urllib.request

import pytest

from db.errors import ExchangeError
from db.queue.run_history import recorded_run
from db.queue.workers.worker_registry import register_worker
from db.records.dataset import find_dataset
from tests.processes import wait_for

from .conftest import Site


def server_page(site: Site) -> str:
    """Return the page of the server as a browser gets it."""
    address = f"http://127.0.0.1:{site.port}/server"
    request = urllib.request.Request(address, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request) as reply:  # noqa: S310  the address is our own
        body: bytes = reply.read()
    return body.decode()


def test_the_page_of_the_server_says_why_an_import_failed(own_site: Site) -> None:
    """The reason is text, whatever characters it has."""
    store = own_site.store
    with store.reading() as connection:
        dataset = find_dataset(connection, "intents")
    with (
        pytest.raises(ExchangeError),
        recorded_run(store, dataset.id, "import", store.write(register_worker)),
    ):
        raise ExchangeError("postgresql://shop@db/shop: no such table <rows>")
    reason = "postgresql://shop@db/shop: no such table &lt;rows&gt;"
    wait_for(lambda: reason in server_page(own_site))
