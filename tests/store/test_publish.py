"""Tests of publishing predictions, to both kinds of databases from stores on both."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, insert, inspect, text

from db.errors import ExchangeError, UnknownModel
from db.exchange.publication import Destination, PublicationCounts, publish_predictions
from db.exchange.publication_opening import opened_table
from db.exchange.publication_rows import PAGE_ROWS, count_rows
from db.exchange.publication_table import PublicationTable
from db.exchange.user_database import open_database
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records import delete_dataset
from db.records.dataset import Dataset
from db.records.predictor import open_predictor
from db.records.record import forget_record
from db.scoring.response_body import Answer, encode_answer
from db.spec.field import Inputs
from db.spec.section import PublicationSpec
from db.store import tables
from db.store.store import Store
from tests.conftest import ask, register
from tests.extent import FULL
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones

ODD_IDS = [
    "o'neill",
    '"quoted"',
    "semi;colon",
    "数据-🙂",
    "%(id)s",
    "a:b",
    "ü" * 200,
    "back\\slash",
]
TYPED = "id TEXT PRIMARY KEY, interval_low {0}, interval_high {0}, source TEXT, model TEXT"
OWN_TABLE = f"{TYPED.format('DOUBLE PRECISION')}, prediction DOUBLE PRECISION"
Row = tuple[Any, ...]


@pytest.fixture(params=["same", "other"] if FULL else ["other"])
def destination(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> str:
    """Return the URL of the user's empty database, of the store's kind and of the other in turn.

    In the short form it is of the other kind: each kind is read from, and written to.
    """
    if database_url.startswith("sqlite") == (request.param == "same"):
        return f"sqlite:///{tmp_path / 'users.db'}"
    new_database: Callable[[], str] = request.getfixturevalue("postgres")
    return new_database()


@pytest.fixture
def users(destination: str) -> Iterator[Engine]:
    """Yield the user's own connections."""
    url = destination.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def flats(store: Store) -> Dataset:
    """Return a dataset of rents with a model and 20 rows."""
    dataset = serve_student(store, RENTS, rents())
    put(store, dataset, {f"F{number}": flat(20.0 + 5 * number) for number in range(20)})
    return dataset


def flat(area: float, town: str = "Lyon") -> Inputs:
    """Return the inputs of a flat."""
    return {"area": area, "town": town}


def put(store: Store, dataset: Dataset, rows: Mapping[str, Inputs]) -> None:
    """Import rows by their ids."""
    new = [
        NewRow(dataset.spec.key(inputs), inputs, None, row_id if dataset.spec.id else None)
        for row_id, inputs in rows.items()
    ]
    with store.writing() as connection:
        add_rows(connection, dataset, new, "import")


def publish(store: Store, dataset: Dataset, url: str, **more: Any) -> PublicationCounts:  # noqa: ANN401
    """Publish to the table `scores`, unless another is named."""
    named = {"table": "scores", **more}
    return publish_predictions(store, dataset, Destination(url, **named), {})


def rows_of(users: Engine, columns: str, table: str = "scores") -> dict[Any, Row]:
    """Return the rows of the table by id."""
    with users.connect() as connection:
        rows = connection.execute(text(f"SELECT id, {columns} FROM {table}"))  # noqa: S608
        return {row[0]: tuple(row[1:]) for row in rows}


def answers(store: Store, dataset: Dataset, rows: Mapping[str, Inputs]) -> dict[str, Answer]:
    """Return the answers that `GET /predict` gives."""
    with store.reading() as connection:
        asked = [(dataset.spec.key(inputs), inputs) for inputs in rows.values()]
        found = open_predictor(connection, dataset).answers(connection, asked)
    return dict(zip(rows, found, strict=True))


def run(users: Engine, *statements: str) -> None:
    """Run statements as the user does."""
    with users.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("destination", ["same", "other"], indirect=True)
def test_a_table_of_the_predictions_is_created(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """It has a row per row id, with the answers that `GET /predict` gives."""
    before = datetime.now(UTC).replace(tzinfo=None)
    assert publish(store, flats, destination) == PublicationCounts(inserted=20)
    published = rows_of(users, "prediction, interval_low, interval_high, source, model")
    rows = {f"F{number}": flat(20.0 + 5 * number) for number in range(20)}
    assert published == {
        row_id: (answer.prediction, *answer.interval, "teacher", "rents@1")  # type: ignore[misc]
        for row_id, answer in answers(store, flats, rows).items()
    }
    for (written,) in rows_of(users, "predicted_at").values():
        at = datetime.fromisoformat(written) if isinstance(written, str) else written
        at = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
        assert before <= at <= datetime.now(UTC).replace(tzinfo=None)
    assert inspect(users).get_pk_constraint("scores")["constrained_columns"] == ["id"]


def test_publishing_again_changes_nothing(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """Nor does it touch the time of a row."""
    publish(store, flats, destination)
    before = rows_of(users, "prediction, predicted_at")
    assert publish(store, flats, destination) == PublicationCounts(unchanged=20)
    assert rows_of(users, "prediction, predicted_at") == before


def test_corrected_and_added_rows_are_published(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """Only they are written."""
    publish(store, flats, destination)
    before = rows_of(users, "prediction, predicted_at")
    put(store, flats, {"F3": flat(170.0, "Paris"), "new": flat(33.0)})
    counts = publish(store, flats, destination)
    assert counts == PublicationCounts(inserted=1, updated=1, unchanged=19)
    after = rows_of(users, "prediction, predicted_at")
    assert {row_id for row_id in after if after[row_id] != before.get(row_id)} == {"F3", "new"}


def test_another_model_updates_every_row(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """The column `model` differs even where the prediction does not."""
    publish(store, flats, destination)
    serve_student(store, RENTS, rents())
    assert publish(store, flats, destination) == PublicationCounts(updated=20)
    models = rows_of(users, "model").values()
    assert set(models) == {("rents@2",)}


def test_answers_of_the_teacher_come_first(store: Store, destination: str, users: Engine) -> None:
    """Exactly the rows are updated whose answer has come."""
    spec = msgspec.structs.replace(TONES, id="row")
    dataset = serve_student(store, spec, tones())
    rows: dict[str, Inputs] = {
        row_id: {"sentence": f"je suis {row_id}", "town": None} for row_id in ("ravi", "triste")
    }
    put(store, dataset, rows)
    publish(store, dataset, destination)
    first = rows_of(users, "prediction, probability, source, model")
    assert first["ravi"][0] == "happy"
    assert first["ravi"][2:] == ("student", "tones@1")
    answer = Answer(
        dataset="tones",
        prediction="sad",
        probabilities={"sad": 0.75, "happy": 0.25},
        source="teacher",
        model="tones@1",
        enrichment="done",
    )
    put_body(store, dataset, rows["ravi"], answer)
    counts = publish(store, dataset, destination)
    assert counts == PublicationCounts(updated=1, unchanged=1)
    after = rows_of(users, "prediction, probability, source, model")
    assert after == first | {"ravi": ("sad", 0.75, "teacher", "tones@1")}


def put_body(store: Store, dataset: Dataset, inputs: Inputs, answer: Answer) -> None:
    """Store an answer as a worker does."""
    with store.writing() as connection:
        connection.execute(
            insert(tables.prediction).values(
                dataset_id=dataset.id,
                key=dataset.spec.key(inputs),
                body=encode_answer(answer),
                fingerprint="",
                made_at=0.0,
            )
        )


def test_rows_that_are_gone_are_deleted_if_asked(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """Without being asked, they stay."""
    publish(store, flats, destination)
    with store.writing() as connection:
        forget_record(connection, flats.id, flats.spec.key(flat(20.0)))
    run(users, "INSERT INTO scores (id) VALUES ('of another program')")
    assert publish(store, flats, destination) == PublicationCounts(unchanged=19)
    counts = publish(store, flats, destination, remove_missing=True)
    assert counts == PublicationCounts(unchanged=19, deleted=2)
    assert set(rows_of(users, "model")) == {f"F{number}" for number in range(1, 20)}


def test_an_empty_dataset_never_empties_the_table(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """The error says what to do."""
    publish(store, flats, destination)
    empty = serve_student(store, msgspec.structs.replace(RENTS, name="empty"), rents())
    with pytest.raises(ExchangeError, match=r"^empty: has no row.*import the rows first$"):
        publish(store, empty, destination, remove_missing=True)
    assert publish(store, empty, destination) == PublicationCounts()
    assert len(rows_of(users, "model")) == 20


def test_more_rows_than_a_page(store: Store, destination: str, users: Engine) -> None:
    """Rows of other datasets are left out, and no row is left out between pages."""
    dataset = serve_student(store, RENTS, rents())
    other = serve_student(store, msgspec.structs.replace(RENTS, name="other"), rents())
    rows = {f"F{number}": flat(10.0 + number / 64) for number in range(2 * PAGE_ROWS)}
    put(store, dataset, rows)
    put(store, other, {"alien": flat(1.5)})
    put(store, dataset, {"last": flat(1.0)})
    assert publish(store, dataset, destination).inserted == 2 * PAGE_ROWS + 1
    expected = answers(store, dataset, rows | {"last": flat(1.0)})
    assert rows_of(users, "prediction") == {
        row_id: (answer.prediction,) for row_id, answer in expected.items()
    }
    run(users, "INSERT INTO scores (id) SELECT 'x' || id FROM scores")
    counts = publish(store, dataset, destination, remove_missing=True)
    assert counts == PublicationCounts(unchanged=len(expected), deleted=len(expected))
    assert set(rows_of(users, "model")) == set(expected)


def test_odd_ids_are_published_as_they_are(store: Store, destination: str, users: Engine) -> None:
    """Quotes, other alphabets, and 200 characters."""
    dataset = serve_student(store, RENTS, rents())
    put(store, dataset, {row_id: flat(40.0) for row_id in ODD_IDS})
    assert publish(store, dataset, destination).inserted == len(ODD_IDS)
    assert set(rows_of(users, "model")) == set(ODD_IDS)
    again = publish(store, dataset, destination, remove_missing=True)
    assert again == PublicationCounts(unchanged=len(ODD_IDS))


def test_records_without_row_ids_have_their_keys(
    store: Store, destination: str, users: Engine
) -> None:
    """Each record is a row, unless somebody only asked about it; equal rows share one."""
    dataset = serve_student(store, msgspec.structs.replace(RENTS, id=""), rents())
    put(store, dataset, {"a": flat(40.0), "b": flat(40.0), "c": flat(50.0)})
    requested = flat(60.0)
    with store.writing() as connection:
        ask(connection, dataset.id, [NewRow(dataset.spec.key(requested), requested)])
        assert count_rows(connection, dataset) == 2
    assert publish(store, dataset, destination) == PublicationCounts(inserted=2)
    keys = {dataset.spec.key(flat(area)).hex() for area in (40.0, 50.0)}
    assert set(rows_of(users, "model")) == keys
    asked = dataset.spec.key(requested).hex()
    run(users, f"INSERT INTO scores (id) VALUES ('no key'), ('AB'), ('{asked}')")  # noqa: S608
    counts = publish(store, dataset, destination, remove_missing=True)
    assert counts == PublicationCounts(unchanged=2, deleted=3)
    put(store, dataset, {"d": requested})
    assert publish(store, dataset, destination) == PublicationCounts(inserted=1, unchanged=2)


def test_requests_alone_never_empty_the_table(
    store: Store, destination: str, users: Engine
) -> None:
    """They are no rows."""
    dataset = serve_student(store, msgspec.structs.replace(RENTS, id=""), rents())
    requested = flat(60.0)
    with store.writing() as connection:
        ask(connection, dataset.id, [NewRow(dataset.spec.key(requested), requested)])
    publish(store, dataset, destination)
    run(users, "INSERT INTO scores (id) VALUES ('mine')")
    with pytest.raises(ExchangeError, match="has no row"):
        publish(store, dataset, destination, remove_missing=True)
    assert set(rows_of(users, "model")) == {"mine"}


@pytest.mark.parametrize("batches", [1, 9])
def test_a_dataset_that_is_dropped_meanwhile_never_empties_the_table(
    *,
    store: Store,
    flats: Dataset,
    destination: str,
    users: Engine,
    monkeypatch: pytest.MonkeyPatch,
    batches: int,
) -> None:
    """Whether all of its records are deleted already or some."""
    publish(store, flats, destination)
    delete_batch, calls = delete_dataset._delete_batch, itertools.count()

    def delete_some(connection: Connection, dataset: Dataset) -> int:
        if next(calls) == batches:
            raise KeyboardInterrupt
        return delete_batch(connection, dataset)

    def drop(_: int) -> None:
        with suppress(KeyboardInterrupt):
            delete_dataset.drop_dataset(store, flats)

    monkeypatch.setattr(delete_dataset, "BATCH_RECORDS", 5)
    monkeypatch.setattr(delete_dataset, "_delete_batch", delete_some)
    to = Destination(destination, "scores", remove_missing=True)
    with pytest.raises(ExchangeError, match=r"^rents: is being deleted"):
        publish_predictions(store, flats, to, {}, drop)
    assert len(rows_of(users, "model")) == 20


def test_rows_that_are_all_forgotten_meanwhile_never_empty_the_table(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """The dataset is still there."""
    publish(store, flats, destination)

    def forget(_: int) -> None:
        with store.writing() as connection:
            for number in range(20):
                forget_record(connection, flats.id, flats.spec.key(flat(20.0 + 5 * number)))

    to = Destination(destination, "scores", remove_missing=True)
    with pytest.raises(ExchangeError, match=r"^rents: has no row"):
        publish_predictions(store, flats, to, {}, forget)
    assert len(rows_of(users, "model")) == 20


def test_each_id_of_the_table_is_read_once(
    store: Store, flats: Dataset, destination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the table has several pages of them."""
    publish(store, flats, destination)
    monkeypatch.setattr("db.exchange.publication_table.PAGE_ROWS", 3)
    with (
        open_database(destination) as database,
        opened_table(database, flats.spec, "scores") as table,
    ):
        pages = list(itertools.islice(table.ids(), 20))
    assert [len(page) for page in pages] == [3, 3, 3, 3, 3, 3, 2]
    assert sorted(itertools.chain(*pages)) == sorted(f"F{number}" for number in range(20))


def test_an_option_that_the_driver_does_not_know_is_a_fault_of_the_url(
    store: Store, flats: Dataset
) -> None:
    """The driver refuses it only when it connects."""
    with pytest.raises(ExchangeError, match=r"options of the URL are not valid.*foo"):
        publish(store, flats, "mysql://u:secret-1@127.0.0.1:1/shop?foo=bar")


def test_a_dataset_without_a_model_creates_no_table(
    store: Store, destination: str, users: Engine
) -> None:
    """The error says how to train one."""
    dataset = register(store, RENTS)
    with pytest.raises(UnknownModel, match="python -m enrich train rents"):
        publish(store, dataset, destination)
    assert inspect(users).get_table_names() == []


def test_a_model_without_intervals_leaves_them_empty(
    store: Store, destination: str, users: Engine
) -> None:
    """Comparing them again changes nothing."""
    dataset = serve_student(store, RENTS, msgspec.structs.replace(rents(), interval=None))
    put(store, dataset, {"a": flat(40.0)})
    publish(store, dataset, destination)
    assert rows_of(users, "interval_low, interval_high") == {"a": (None, None)}
    assert publish(store, dataset, destination).unchanged == 1


def test_columns_of_the_user_are_left_alone(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """They may have any name, and must have values by themselves if they may not be empty."""
    run(
        users,
        f"CREATE TABLE scores ({OWN_TABLE}, predicted_at TIMESTAMP,"
        " \"order by; '\" TEXT NOT NULL DEFAULT 'x')",
        "INSERT INTO scores (id, prediction, \"order by; '\") VALUES ('F1', 1, 'mine')",
    )
    counts = publish(store, flats, destination)
    assert counts == PublicationCounts(inserted=19, updated=1)
    own = {row_id: value for row_id, (value,) in rows_of(users, '"order by; \'"').items()}
    assert own == {f"F{number}": "mine" if number == 1 else "x" for number in range(20)}


def test_a_column_that_must_be_filled_is_named(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """Nothing is written; rows that are there already are updated."""
    run(
        users,
        f"CREATE TABLE scores ({OWN_TABLE}, predicted_at TIMESTAMP, region TEXT NOT NULL)",
    )
    with pytest.raises(ExchangeError, match=r"table scores: .*region"):
        publish(store, flats, destination)
    assert rows_of(users, "model") == {}
    ids = ", ".join(f"('F{number}', 'Nord')" for number in range(20))
    run(users, f"INSERT INTO scores (id, region) VALUES {ids}")  # noqa: S608
    assert publish(store, flats, destination) == PublicationCounts(updated=20)
    assert set(rows_of(users, "region").values()) == {("Nord",)}


@pytest.mark.parametrize("table", ["Churn-Scores", "select", "résultats", "100%", "a:b", "main.x?"])
def test_odd_names_of_tables(
    store: Store, flats: Dataset, destination: str, users: Engine, table: str
) -> None:
    """They are quoted."""
    if users.dialect.name == "postgresql":
        table = table.replace("main.", "public.")
    publish(store, flats, destination, table=table)
    assert publish(store, flats, destination, table=table).unchanged == 20
    assert inspect(users).get_table_names() == [table.rpartition(".")[2]]


def test_names_of_columns_may_have_capitals(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """As databases that fold names have them."""
    columns = OWN_TABLE.replace("id TEXT", '"ID" TEXT').replace("prediction", '"Prediction"')
    run(users, f"CREATE TABLE scores ({columns}, predicted_at TIMESTAMP)")
    assert publish(store, flats, destination).inserted == 20
    assert publish(store, flats, destination).unchanged == 20


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (OWN_TABLE, "has no column predicted_at"),
        (f"{OWN_TABLE}, predicted_at DATE", "column predicted_at is DATE.*TIMESTAMP"),
        (f"{TYPED.format('INTEGER')}, prediction REAL, predicted_at TIMESTAMP", "interval_low is"),
        (f"{TYPED.format('REAL')}, prediction TEXT, predicted_at TIMESTAMP", "prediction is TEXT"),
        (
            f"{OWN_TABLE}, predicted_at TIMESTAMP".replace("source TEXT", "source INTEGER"),
            "column source is INTEGER",
        ),
        (
            f"{OWN_TABLE}, predicted_at TIMESTAMP".replace("PRIMARY KEY", ""),
            "column id must be its primary key or unique",
        ),
        (
            f"{OWN_TABLE}, predicted_at TIMESTAMP".replace("id TEXT", "id DOUBLE PRECISION"),
            "column id is (DOUBLE|REAL).*TEXT",
        ),
    ],
)
def test_a_table_that_cannot_hold_the_values_is_refused(
    *, store: Store, flats: Dataset, destination: str, users: Engine, columns: str, message: str
) -> None:
    """The error names the table, the column and a type that can, and the table stays as it is."""
    run(users, f"CREATE TABLE scores ({columns})")
    with pytest.raises(ExchangeError, match=f"table scores: .*{message}"):
        publish(store, flats, destination)
    assert rows_of(users, "model") == {}


@pytest.mark.parametrize("number", ["REAL", "NUMERIC(10, 2)", "NUMERIC", "FLOAT"])
def test_numbers_that_the_column_rounds_are_not_written_again(
    store: Store, flats: Dataset, destination: str, users: Engine, number: str
) -> None:
    """They are compared as the column keeps them."""
    columns = f"{TYPED.format(number)}, prediction {number}, predicted_at TIMESTAMP"
    run(users, f"CREATE TABLE scores ({columns})")
    put(store, flats, {f"odd {at}": flat(at / 7, "Paris") for at in range(70, 900)})
    assert publish(store, flats, destination).inserted == 850
    assert publish(store, flats, destination) == PublicationCounts(unchanged=850)


def test_an_integer_id_is_used_as_such(store: Store, destination: str, users: Engine) -> None:
    """An id that is no whole number, or another spelling of one, is named in the error."""
    run(
        users,
        f"CREATE TABLE scores ({OWN_TABLE}, predicted_at TIMESTAMP)".replace(
            "id TEXT", "id BIGINT"
        ),
    )
    dataset = serve_student(store, RENTS, rents())
    put(store, dataset, {"7": flat(40.0), str(2**60 + 1): flat(50.0), "-3": flat(60.0)})
    assert publish(store, dataset, destination).inserted == 3
    run(users, "INSERT INTO scores (id) VALUES (8)")
    counts = publish(store, dataset, destination, remove_missing=True)
    assert counts == PublicationCounts(unchanged=3, deleted=1)
    assert set(rows_of(users, "model")) == {7, 2**60 + 1, -3}
    for wrong in ("007", "A7", str(2**63)):
        put(store, dataset, {wrong: flat(70.0)})
        with pytest.raises(ExchangeError, match=f"table scores: column id .* the id '{wrong}'"):
            publish(store, dataset, destination)
        with store.writing() as connection:
            forget_record(connection, dataset.id, dataset.spec.key(flat(70.0)))


@pytest.mark.parametrize("destination", ["same", "other"], indirect=True)
def test_two_publishers_at_once_end_right(store: Store, destination: str, users: Engine) -> None:
    """Also if both create the table."""
    dataset = serve_student(store, RENTS, rents())
    rows = {f"F{number}": flat(10.0 + number / 64) for number in range(2 * PAGE_ROWS)}
    put(store, dataset, rows)
    done: list[PublicationCounts] = []
    threads = [
        threading.Thread(target=lambda: done.append(publish(store, dataset, destination)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3
    assert sum(counts.inserted for counts in done) == len(rows)
    assert publish(store, dataset, destination) == PublicationCounts(unchanged=len(rows))
    assert len(rows_of(users, "model")) == len(rows)


def test_the_store_itself_may_hold_the_table(
    store: Store, flats: Dataset, database_url: str
) -> None:
    """But none of its own tables is written to."""
    assert publish(store, flats, database_url).inserted == 20
    assert publish(store, flats, database_url, remove_missing=True).unchanged == 20
    for name in ("record", "Prediction", "alembic_version"):
        with pytest.raises(ExchangeError, match="Veilleuse's own tables"):
            publish(store, flats, database_url, table=name)


@pytest.mark.parametrize("table", ["", "a b", "a.b.c", "x; DROP TABLE y", ".a", 'a"b'])
def test_a_name_that_no_table_has_is_refused(
    store: Store, flats: Dataset, destination: str, table: str
) -> None:
    """Before anything is created."""
    with pytest.raises(ExchangeError, match="is not the name of a table"):
        publish(store, flats, destination, table=table)


def test_a_spec_names_the_variable_with_the_url(
    store: Store, flats: Dataset, destination: str, users: Engine
) -> None:
    """And may ask for rows to be removed, as a worker does."""
    section = PublicationSpec(url="CRM_URL", table="scores", remove_missing=True)
    publish(store, flats, destination)
    run(users, "INSERT INTO scores (id) VALUES ('gone')")
    seen: list[int] = []
    counts = publish_predictions(store, flats, section, {"CRM_URL": destination}, seen.append)
    assert counts == PublicationCounts(unchanged=20, deleted=1)
    assert seen == [20]


def test_an_interrupted_run_is_completed_by_the_next(
    store: Store, destination: str, users: Engine
) -> None:
    """Pages that were written before stay."""
    dataset = serve_student(store, RENTS, rents())
    rows = {f"F{number}": flat(10.0 + number / 64) for number in range(PAGE_ROWS + 5)}
    put(store, dataset, rows)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        publish_predictions(store, dataset, Destination(destination, "scores"), {}, interrupt)
    assert len(rows_of(users, "model")) == PAGE_ROWS
    counts = publish(store, dataset, destination)
    assert counts == PublicationCounts(inserted=5, unchanged=PAGE_ROWS)


def test_rows_that_another_publisher_inserted_meanwhile_are_compared_again(
    store: Store, flats: Dataset, destination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is repeated when the database refuses to insert a row twice."""
    publish(store, flats, destination)
    read, calls = PublicationTable._read, itertools.count()

    def read_too_early(table: PublicationTable, ids: Any) -> Any:  # noqa: ANN401
        return read(table, ids) if next(calls) else {}

    monkeypatch.setattr(PublicationTable, "_read", read_too_early)
    assert publish(store, flats, destination) == PublicationCounts(unchanged=20)
