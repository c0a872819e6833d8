"""Records with several rows over HTTP: all their labels, their rows, and a row by its id."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest

from db.records.observation import MOST_SHOWN

from .conftest import Site, query, serving
from .orders import BLUE, ORDERS, make_orders

LABELS = {"yes": 200, "no": 50}


@pytest.fixture(scope="module")
def orders_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server whose records have several rows."""
    folder = tmp_path_factory.mktemp("orders")
    with serving(make_orders(folder), folder / "log.txt", ready="/livez") as running:
        yield running


def test_a_row_is_found_by_its_id(orders_site: Site) -> None:
    """The listing has its record alone, in each format."""
    (found,) = orders_site.get("/records/orders?row=7").json()["records"]
    assert (found["label"], found["labels"]) == ("yes", LABELS)
    assert found["inputs"]["size"] is None
    (row,) = csv.DictReader(
        io.StringIO(orders_site.get("/records/orders?row=7&format=csv").body.decode())
    )
    assert (row["returned"], row["labels"]) == ("yes", "yes ×200, no ×50")
    assert (row["colour"], row["size"]) == ("blue", "")
    assert "yes ×200" in orders_site.get("/records/orders?row=7", Accept="text/html").body.decode()


@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_an_unknown_row_is_not_found(orders_site: Site, form: str) -> None:
    """A page still has the form to find another one."""
    reply = orders_site.get(f"/records/orders?row=nothing&format={form}")
    assert reply.status == 404
    assert ('name="row"' in reply.body.decode()) == (form == "html")


@pytest.mark.parametrize(
    "target",
    [
        "/records/survey?row=7",
        "/records/orders?row=7&label=yes",
        "/records/orders?row=%00",
        "/records/orders?row=",
        f"/records/orders?row={'7' * 1000}",
    ],
)
def test_a_row_that_cannot_be_asked_for_is_refused(orders_site: Site, target: str) -> None:
    """The dataset has no ids, or the listing is filtered too, or the id is none."""
    assert orders_site.get(target).status == 400


def test_a_record_has_its_rows_and_all_labels_as_json(orders_site: Site) -> None:
    """The newest rows come first, and not all are shown."""
    key = ORDERS.key(ORDERS.read_inputs(BLUE)).hex()
    shown = orders_site.get(f"/records/orders/{key}?format=json").json()
    assert shown["labels"] == LABELS
    assert len(shown["observations"]) == MOST_SHOWN
    assert {name: shown["observations"][0][name] for name in ("row_id", "label", "origin")} == {
        "row_id": "249",
        "label": "yes",
        "origin": "import",
    }


def test_the_form_answers_a_row_by_its_id_or_by_its_inputs(orders_site: Site) -> None:
    """The link to the answer has what was given."""
    by_id = orders_site.get("/try/orders?colour=&order_no=7").body.decode()
    asked = query(**{name: BLUE[name] for name in ("colour", "price", "ordered", "shipped")})
    by_inputs = orders_site.get(f"/try/orders?gift=&{asked}").body.decode()
    assert 'href="/predict/orders?order_no=7"' in by_id
    assert all('data-source="teacher"' in page for page in (by_id, by_inputs))


def test_an_empty_form_and_an_unknown_row_are_refused(orders_site: Site) -> None:
    """The page says why."""
    empty = orders_site.get("/try/survey?question_1=&question_2=")
    unknown = orders_site.get("/try/orders?order_no=nothing")
    assert (empty.status, unknown.status) == (400, 404)
    assert "give at least one field" in empty.body.decode()
    assert "no row with the order_no" in unknown.body.decode()
