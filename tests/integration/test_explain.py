"""Explanations over HTTP: of a table, of a text and of a number, one by one and in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from db.files.importer import import_files
from db.records.prediction import Prediction, write_predictions
from db.scoring.response_body import encode_answer, student_answer
from db.scoring.student import Student
from db.spec.section import EnricherSpec
from tests.conftest import make_store, register
from tests.hand_made_student import RENTS, TONES, as_teacher, rents, serve_student, tones

from .conftest import API_KEY, Reply, Site, query, serving, until

CARDS = msgspec.structs.replace(
    TONES, name="cards", enrichers={"embedding": EnricherSpec(), "neighbours": EnricherSpec()}
)
RENT = {"area": 95, "town": "Paris"}
TONE = {"sentence": "Ravi, vraiment super superbe !", "town": "Paris"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with a table of rents, whose student is the teacher, and a text."""
    folder = tmp_path_factory.mktemp("explained")
    url = f"sqlite:///{folder / 'store.db'}"
    store = make_store(url)
    rows = folder / "rents.csv"
    rows.write_text("flat,area,town,rent\n17,95,Paris,1200\n", "ascii")
    dataset = serve_student(store, RENTS, rents())
    assert not import_files(store, dataset, [rows]).faults
    inputs = RENTS.read_inputs(RENT)
    answer = student_answer("rents", "rents@1", Student(rents()), inputs, "done")
    prediction = Prediction(RENTS.key(inputs), encode_answer(answer), "of the tests", "", 1136.25)
    with store.writing() as connection:
        write_predictions(connection, dataset.id, [prediction])
    serve_student(store, TONES, tones())
    serve_student(store, CARDS, as_teacher(tones()))
    store.close()
    with serving(url, folder / "log.txt", CORS_ORIGINS="https://a.example", MAX_AGE="60") as found:
        yield found


def explain(site: Site, name: str, **inputs: object) -> Any:  # noqa: ANN401
    """Return the explanation of an answer."""
    reply = site.get(f"/explain/{name}?{query(**inputs)}")
    assert reply.status == 200, reply.body
    return reply.json()


def summed(explanation: Any) -> float:  # noqa: ANN401
    """Return the sum of an explanation's amounts, with the base and the rest."""
    amounts = [reason["amount"] for reason in explanation["reasons"]]
    return float(explanation["base"] + sum(amounts) + explanation["rest"])


def check_problem(reply: Reply, status: int, **members: object) -> None:
    """Fail unless a reply is a problem document with these members."""
    assert (reply.status, reply.content_type) == (status, "application/problem+json")
    assert {name: reply.json()[name] for name in members} == members


@pytest.mark.parametrize("area", [5, 40, 41.5, 80, 300])
@pytest.mark.parametrize("town", ["Lyon", "Paris", "Elsewhere"])
def test_the_reasons_for_a_number_add_up_to_it(site: Site, area: float, town: str) -> None:
    """The total is the prediction in the unit of the target."""
    explanation = explain(site, "rents", area=area, town=town)
    answer = site.get(f"/predict/rents?{query(area=area, town=town)}").json()
    assert explanation["unit"] == "rent"
    assert "over" not in explanation
    assert explanation["prediction"] == answer["prediction"] == explanation["total"]
    assert summed(explanation) == pytest.approx(explanation["total"], rel=1e-9)
    assert {reason["field"] for reason in explanation["reasons"]} == {"area", "town"}
    assert all("word" not in reason for reason in explanation["reasons"])


@pytest.mark.parametrize(
    "sentence", ["Ravi, vraiment super superbe !", "triste", "triste et ravi", "rien"]
)
def test_the_reasons_for_a_label_add_up_to_its_log_odds(site: Site, sentence: str) -> None:
    """They are those of its probability over that of the next label."""
    explanation = explain(site, "tones", sentence=sentence, town="Paris")
    answer = site.get(f"/predict/tones?{query(sentence=sentence, town='Paris')}").json()
    assert explanation["unit"] == "log odds"
    first, second, *_ = answer["probabilities"]
    assert (explanation["prediction"], explanation["over"]) == (first, second)
    odds = answer["probabilities"][first] / answer["probabilities"][second]
    assert explanation["total"] == pytest.approx(math.log(odds), abs=1e-4)
    assert summed(explanation) == pytest.approx(explanation["total"], abs=1e-8)


def test_the_reasons_for_a_text_are_its_words(site: Site) -> None:
    """What several words share counts for the first of them."""
    explanation = explain(site, "tones", **TONE)
    # A long text would be repeated for each of its words.
    assert all(("value" in one) != ("word" in one) for one in explanation["reasons"])
    words = {one["word"]: one["amount"] for one in explanation["reasons"] if "word" in one}
    assert words == {"ravi": 1.5, "super": 0.75}
    assert explanation["reasons"][0] == {"field": "sentence", "word": "ravi", "amount": 1.5}


def test_an_explanation_names_the_model_that_it_explains(site: Site) -> None:
    """That is the teacher where the student is the teacher."""
    explained = [explain(site, "rents", **RENT), explain(site, "tones", **TONE)]
    named = [(one["dataset"], one["model"], one["source"]) for one in explained]
    assert named == [("rents", "rents@1", "teacher"), ("tones", "tones@1", "student")]


def test_the_dataset_may_be_left_out_as_with_predictions(site: Site) -> None:
    """The fields say which one is meant."""
    assert site.get(f"/explain?{query(**RENT)}").json() == explain(site, "rents", **RENT)
    check_problem(site.get("/explain?weight=3"), 400, field="query")


def test_a_row_is_explained_by_its_id(site: Site) -> None:
    """As it is predicted by its id."""
    assert explain(site, "rents", flat=17) == explain(site, "rents", **RENT)
    assert site.get("/explain?flat=17").json() == explain(site, "rents", **RENT)


def test_a_request_with_an_error_gets_a_problem(site: Site) -> None:
    """It is the same as that of a prediction."""
    for target, status in (
        ("rents?area=big&town=Lyon", 400),
        ("rents?town=Lyon", 400),
        ("rents?area=1&town=Lyon&weight=3", 400),
        ("rents?flat=18", 404),
        ("houses?area=1", 404),
    ):
        explained, predicted = site.get(f"/explain/{target}"), site.get(f"/predict/{target}")
        check_problem(explained, status)
        assert explained.json() == predicted.json()
    check_problem(site.get("/explain/rents?area=big&town=Lyon"), 400, field="area")
    check_problem(site.post("/explain/rents", [RENT]), 405)


def test_a_dataset_without_a_model_has_no_explanation(sqlite_url: str, tmp_path: Path) -> None:
    """The problem says how to train one."""
    store = make_store(sqlite_url)
    serve_student(store, TONES, tones())
    register(store, RENTS)
    store.close()
    with serving(sqlite_url, tmp_path / "log.txt") as site:
        reply = site.get(f"/explain/rents?{query(**RENT)}")
        check_problem(reply, 503)
        assert "enrich train rents" in reply.json()["detail"]


def test_each_answer_of_a_batch_gets_its_explanation_on_demand(site: Site) -> None:
    """Bad items keep their own problems; without the parameter nothing changes."""
    items: list[Any] = [RENT, {"area": "big"}, {"flat": 17}, {"area": 20, "town": None}]
    answers = site.post("/predict/rents?explain=true", items).json()
    plain = site.post("/predict/rents", items).json()
    assert site.post("/predict/rents?explain=false", items).json() == plain
    assert answers[1] == plain[1]
    assert answers[1]["status"] == 400
    for at in (0, 2):
        explanation = answers[at].pop("explanation")
        assert answers[at] == plain[at]
        assert explanation == explain(site, "rents", **RENT)
    problem = site.post("/predict/rents?explain=yes", items)
    check_problem(problem, 400, field="explain")


def test_at_most_a_hundred_answers_are_explained_at_once(site: Site) -> None:
    """The problem says so, as that of any batch that is too large."""
    assert len(site.post("/predict/rents?explain=true", [RENT] * 100).json()) == 100
    refused = site.post("/predict/rents?explain=true", [RENT] * 101)
    check_problem(refused, 413, title="Request Entity Too Large")
    assert "at most 100 can be explained" in refused.json()["detail"]
    assert len(site.post("/predict/rents", [RENT] * 101).json()) == 101
    operation = site.get("/openapi.json").json()["paths"]["/predict/rents"]["post"]
    assert "up to 100 inputs" in operation["description"]


def test_an_explanation_that_may_list_neighbours_is_cached_as_a_students_answer(
    site: Site,
) -> None:
    """Neighbours change while the teacher's answer stays."""
    target = f"cards?{query(**TONE)}"
    explained, predicted = site.get(f"/explain/{target}"), site.get(f"/predict/{target}")
    assert explained.json()["source"] == predicted.json()["source"] == "teacher"
    of_student = site.get(f"/explain/tones?{query(**TONE)}").headers["Cache-Control"]
    assert explained.headers["Cache-Control"] == of_student
    assert predicted.headers["Cache-Control"] != of_student


def test_an_explanation_is_cached_as_the_prediction_is(site: Site) -> None:
    """ETag and Cache-Control allow it; pages of other origins may read it."""
    for name, inputs in (("rents", RENT), ("tones", TONE)):
        target = f"{name}?{query(**inputs)}"
        explained = site.get(f"/explain/{target}", Origin="https://a.example")
        predicted = site.get(f"/predict/{target}", Origin="https://a.example")
        for header in ("Cache-Control", "Access-Control-Allow-Origin", "Vary"):
            assert explained.headers[header] == predicted.headers[header]
        known = site.get(f"/explain/{target}", If_None_Match=explained.headers["ETag"])
        assert (known.status, known.body) == (304, b"")


def test_explanations_are_counted_as_requests_but_not_as_answers(site: Site) -> None:
    """Metrics name their routes."""
    before = site.get("/metrics").body.decode()
    explain(site, "rents", **RENT)
    site.get("/explain?flat=17")
    answers = [line for line in before.splitlines() if line.startswith("veilleuse_answers_total")]
    metrics = until(lambda: _metrics_with(site, 'route="/explain/<name>"'))
    assert 'route="/explain"' in metrics
    assert all(line in metrics for line in answers)


def _metrics_with(site: Site, text: str) -> str:
    metrics = site.get("/metrics").body.decode()
    return metrics if text in metrics else ""


def test_the_documents_for_programs_lead_to_explanations(site: Site) -> None:
    """The root links an example of each dataset, and OpenAPI describes the route."""
    datasets = site.get("/").json()["datasets"]
    for name, dataset in datasets.items():
        assert site.get(dataset["explain"]).json()["dataset"] == name
    document = site.get("/openapi.json").json()
    schema = document["components"]["schemas"]["Explanation"]
    for explanation in (explain(site, "rents", **RENT), explain(site, "tones", **TONE)):
        assert set(schema["required"]) <= set(explanation) <= set(schema["properties"])
    example = schema["example"]
    assert summed(example) == example["total"]
    parameters = document["paths"]["/explain/rents"]["get"]["parameters"]
    assert parameters == document["paths"]["/predict/rents"]["get"]["parameters"]


def test_an_explanation_needs_a_key_where_predictions_do(site: Site, tmp_path: Path) -> None:
    """READ_KEYS protect both."""
    target = f"/explain/rents?{query(**RENT)}"
    with serving(site.url, tmp_path / "log.txt", ready="/livez", READ_KEYS="of-readers") as locked:
        check_problem(locked.get(target), 401)
        reply = locked.get(target, Authorization=f"Bearer {API_KEY}")
    assert (reply.status, reply.json()) == (200, explain(site, "rents", **RENT))


def test_the_try_page_shows_the_strongest_reasons_with_their_signs(site: Site) -> None:
    """A number also has its interval."""
    page = site.get(f"/try/rents?{query(**RENT)}", Accept="text/html").body.decode()
    assert "between 1,086 and 1,236 in nine of ten cases" in page
    assert "How the rent comes about" in page
    assert '<th scope="row">area</th><td>95</td><td class="n">+306</td>' in page
    text = site.get(f"/try/tones?{query(**TONE)}", Accept="text/html").body.decode()
    assert "Why happy rather than " in text
    assert '<th scope="row">sentence</th><td>ravi</td><td class="n">+1.50</td>' in text
    assert "in nine of ten cases" not in text


def test_the_try_page_says_if_the_answer_is_the_lowest_one(site: Site) -> None:
    """The total alone would contradict it."""
    page = site.get(f"/try/rents?{query(area=-900, town='Lyon')}", Accept="text/html").body.decode()
    assert "<strong>0</strong>" in page
    total, answered = (
        f'<tr><th scope="row" colspan="2">{name}</th><td class="n">{amount}</td></tr>'
        for name, amount in (("Total", "−648"), ("Answered, since no answer is lower", "0"))
    )
    assert f"{total}\n{answered}\n" in page
    usual = site.get(f"/try/rents?{query(**RENT)}", Accept="text/html").body.decode()
    assert "no answer is lower" not in usual


def test_the_page_of_a_record_shows_the_interval_of_its_prediction(site: Site) -> None:
    """Its JSON has both ends."""
    path = f"/records/rents/{RENTS.key(RENTS.read_inputs(RENT)).hex()}"
    page = site.get(path, Accept="text/html").body.decode()
    assert "between 1,086 and 1,236 in nine of ten cases" in page
    assert site.get(path).json()["prediction"]["interval"] == [1086.25, 1236.25]


def test_a_model_without_metrics_has_a_page_as_well(site: Site) -> None:
    """A model from before there were verdicts has none."""
    for name in ("rents", "tones"):
        page = site.get(f"/?dataset={name}", Accept="text/html").body.decode()
        assert "Not measured" in page
