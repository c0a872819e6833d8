"""A table as people have them: gaps, units, dates, an id, and rows that look alike."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import API_KEY, Reply, Site, query, run_in, serving, until

ROWS = 400
TOWNS = ("Lyon", "Lille", "Nice")


def write_orders(path: Path) -> None:
    """Write orders of which a fifth of the numbers are missing, in two spellings."""
    rng = random.Random(3)
    lines = ["Order No,placed,weight,town,model,price"]
    for number in range(ROWS):
        weight = rng.randint(1, 40)
        month, town = rng.randint(1, 12), rng.choice(TOWNS)
        price = 100 + 30 * weight + 400 * (month == 12) + 200 * (town == "Nice")
        cell = rng.choice(["", "?"]) if rng.random() < 0.2 else f"{weight} kg"
        day = f"{rng.randint(13, 28)}/{month:02}/2025"
        lines.append(f'{7 * number},{day},{cell},{town},{rng.choice("ab")},"${price:,}.00"')
    path.write_text("\n".join(lines), "utf-8")


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server after the five commands; nothing is edited in between."""
    folder = tmp_path_factory.mktemp("orders")
    url = f"sqlite:///{folder / 'store.db'}"
    write_orders(folder / "orders.csv")
    for arguments in (
        ("db", "upgrade"),
        ("db", "infer", "orders.csv", "--target", "price"),
        ("db", "load", "orders.toml"),
        ("db", "import", "orders", "orders.csv", "--strict"),
        ("enrich", "train", "orders"),
        ("enrich", "once", "orders"),
    ):
        done = run_in(folder, url, *arguments)
        assert done.code == 0, done.err
    with serving(url, folder / "log.txt") as site:
        yield site


def predict(site: Site, **inputs: object) -> Reply:
    """Ask for a prediction of an order."""
    return site.get(f"/predict/orders?{query(**inputs)}")


def test_a_row_is_asked_by_its_id(orders: Site) -> None:
    """The teacher's prediction of that row comes from the store."""
    reply = predict(orders, order_no=14)
    assert (reply.status, reply.json()["source"]) == (200, "teacher")
    assert predict(orders, **{"Order No": 14}).json() == reply.json()
    assert orders.get(f"/predict?{query(order_no='14')}").json() == reply.json()


def test_an_unknown_id_is_not_found(orders: Site) -> None:
    """The problem says what was looked for."""
    reply = predict(orders, order_no="15")
    assert (reply.status, reply.content_type) == (404, "application/problem+json")
    assert "orders has no row with the order_no '15'" in reply.json()["detail"]
    missing = predict(orders, order_no="")
    assert (missing.status, missing.json()["field"]) == (400, "order_no")


def test_ids_and_inputs_may_be_asked_together(orders: Site) -> None:
    """Each item gets its own answer or problem; a row may be sent as it stands in the file."""
    row = {"Order No": 9, "placed": "24/12/2025", "weight": "5 kg", "town": "Nice", "model": "a"}
    items = [{"order_no": 14}, {"order_no": 15}, row, {"weight": 5}]
    known, unknown, whole, part = orders.post("/predict/orders", items).json()
    assert known == predict(orders, order_no=14).json()
    assert unknown["status"] == 404
    # Of a table without enrichers the student is the teacher.
    assert (whole["source"], part["source"]) == ("teacher", "teacher")
    assert whole["prediction"] > part["prediction"]


def test_fields_may_be_left_out_or_be_empty(orders: Site) -> None:
    """But something must be given."""
    without = predict(orders, placed="2025-06-20", town="Lyon").json()
    empty = predict(orders, placed="2025-06-20", town="Lyon", weight="", model="").json()
    named = predict(orders, placed="20/06/2025", town="Lyon", weight="?").json()
    assert without == empty == named
    nothing = predict(orders)
    assert (nothing.status, nothing.json()["field"]) == (400, "placed")


def test_a_town_never_seen_is_answered_with_a_warning(orders: Site) -> None:
    """Tomorrow's table has other towns."""
    answer = predict(orders, weight=5, town="Toulouse").json()
    assert answer["warnings"] == ["town: 'Toulouse' was not seen in training"]
    assert predict(orders, weight=5, town="Lyon").json()["warnings"] == []


def test_the_parts_of_a_date_count(orders: Site) -> None:
    """Everything is dearer in December."""
    december, june = (
        predict(orders, placed=day, weight=5, town="Lyon").json()["prediction"]
        for day in ("2025-12-20", "2025-06-20")
    )
    assert december > june + 200


def test_a_unit_is_part_of_the_number(orders: Site) -> None:
    """A request may leave it out, and another unit is refused."""
    assert predict(orders, weight="5 kg").json() == predict(orders, weight=5).json()
    refused = predict(orders, weight="5 lb")
    assert (refused.status, refused.json()["field"]) == (400, "weight")


def test_a_posted_row_replaces_the_row_with_its_id(orders: Site) -> None:
    """The next look-up answers for its new inputs."""
    before = predict(orders, order_no=21).json()["prediction"]
    row = {"order_no": 21, "weight": 400, "town": "Nice", "price": "$12,000.00"}
    reply = orders.post("/records/orders", [row], API_KEY)
    assert (reply.status, reply.json()["corrected"]) == (200, 1)
    # The response cache forgets the old answer within a second.
    until(lambda: predict(orders, order_no=21).json()["prediction"] != before)
    without_id = orders.post("/records/orders", [{"weight": 3}], API_KEY)
    assert without_id.json()["problems"][0]["field"] == "order_no"
