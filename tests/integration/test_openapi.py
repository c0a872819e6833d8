"""The description of the routes, and the page that shows it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any, TypeAlias

import pytest

from serve.api.api_keys import AccessControl
from serve.app import make_routes
from serve.pages.dashboard import Dashboard
from serve.prediction.service import PredictionService
from serve.telemetry.multiprocess import MultiprocessMetrics, ProcessMetrics
from serve.telemetry.prometheus import Metrics
from tests.conftest import settings_for

from .conftest import API_KEY, Reply, Site, query

Document: TypeAlias = dict[str, Any]

DATASETS = ("customers", "intents")
# Pages and what they are made of.
UNDOCUMENTED = {
    *("/", "/docs", "/api/docs", "/docs/<name>", "/openapi.json", "/<path:path>"),
    *("/try/<name>", "/forget/<name>/<key>", "/key"),
}


@pytest.fixture(scope="module")
def document(site: Site) -> Document:
    """Give the document as it is served."""
    reply = site.get("/openapi.json")
    assert (reply.status, reply.content_type) == (200, "application/json")
    found: Document = reply.json()
    return found


def operations(document: Document) -> list[tuple[str, str, Document]]:
    """Return every operation with its path and method."""
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def call(site: Site, path: str, method: str, operation: Document) -> Reply:
    """Send the examples that the operation gives."""
    path = path.replace("{key}", site.records()[0].key.hex())
    if path.startswith("/records/customers/"):
        path = path.replace("customers", "intents")
    if method == "post":
        return site.post(path, [body_schema(operation)["items"]["example"]], API_KEY)
    if method == "delete":
        return site.ask("DELETE", path, headers={"Authorization": f"Bearer {API_KEY}"})
    given = {it["name"]: it["example"] for it in operation.get("parameters", []) if "example" in it}
    return site.get(f"{path}?{query(**given)}" if given else path)


def body_schema(operation: Document) -> Document:
    """Return the schema of what is to be sent."""
    schema: Document = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema


def response_of(operation: Document, status: int) -> Document:
    """Return what is said of a status, by itself or by its class."""
    responses = operation["responses"]
    found: Document = responses.get(str(status)) or responses[f"{status // 100}XX"]
    return found


def check_schema(document: Document, schema: Document, value: object) -> None:
    """Fail unless the value fits the schema, as far as ours go."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        assert any(_fits(document, one, value) for one in schema["anyOf"])
        return
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    assert not names or any(isinstance(value, _PYTHON[name]) for name in names), (schema, value)
    assert value in schema.get("enum", [value])
    if isinstance(value, dict):
        _check_object(document, schema, value)
    if isinstance(value, list):
        for item in value:
            check_schema(document, schema.get("items", {}), item)


_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "array": list,
}


def _check_object(document: Document, schema: Document, value: Document) -> None:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    assert set(schema.get("required", [])) <= set(value)
    for name, part in value.items():
        known = properties.get(name, others)
        assert known is not False, f"{name} is not in the schema"
        check_schema(document, known, part)


def _fits(document: Document, schema: Document, value: object) -> bool:
    try:
        check_schema(document, schema, value)
    except AssertionError:
        return False
    return True


def test_the_document_is_openapi_3_1(document: Document) -> None:
    """Client makers ask for the version first."""
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"]
    assert document["info"]["version"]


def test_every_reference_leads_somewhere(document: Document) -> None:
    """A tool stops at the first that does not."""
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names == {"Prediction", "Problem", "Records"} == set(schemas)


def test_every_documented_route_answers_its_own_examples(site: Site, document: Document) -> None:
    """As the document says: the status, the type and the form."""
    for path, method, operation in operations(document):
        if path == "/predict":
            continue
        reply = call(site, path, method, operation)
        assert reply.status == 200, (method, path, reply.body)
        content = response_of(operation, 200)["content"]
        assert reply.content_type in content
        if reply.content_type == "application/json":
            check_schema(document, content["application/json"]["schema"], reply.json())


def test_the_route_for_any_dataset_answers_the_examples_of_each(
    site: Site, document: Document
) -> None:
    """It takes the fields of one dataset at a time."""
    operation = document["paths"]["/predict"]["get"]
    examples = {one["name"]: one["example"] for one in operation["parameters"]}
    assert not any(one["required"] for one in operation["parameters"])
    for name in DATASETS:
        own = document["paths"][f"/predict/{name}"]["get"]["parameters"]
        reply = site.get(f"/predict?{query(**{one['name']: examples[one['name']] for one in own})}")
        assert (reply.status, reply.json()["dataset"]) == (200, name)


def test_every_documented_route_refuses_as_it_says(site: Site, document: Document) -> None:
    """With the problem that the document describes."""
    for path, method, operation in operations(document):
        if not {"parameters", "requestBody"} & set(operation):
            continue
        # A listing needs nothing, and knows no colours.
        target = f"{path}?colour=red" if method == "get" else path
        refused = site.ask(method.upper(), target, b"{}" if method == "post" else None)
        content = response_of(operation, refused.status)["content"]
        assert 400 <= refused.status < 500
        assert refused.content_type == "application/problem+json"
        check_schema(document, content[refused.content_type]["schema"], refused.json())


def test_a_batch_with_a_bad_item_has_the_documented_form(site: Site, document: Document) -> None:
    """Each item is a prediction or a problem."""
    operation = document["paths"]["/predict/intents"]["post"]
    schema = response_of(operation, 200)["content"]["application/json"]["schema"]
    answers = site.post("/predict/intents", [{"sentence": "a"}, {}]).json()
    check_schema(document, schema, answers)


def test_a_documented_key_is_needed(site: Site, document: Document) -> None:
    """Where the document says so, and nowhere else."""
    for path, method, operation in operations(document):
        if path == "/predict":
            continue
        body = b"[]" if method == "post" else None
        without = site.ask(method.upper(), path, body)
        assert (without.status == 401) == ("security" in operation), path


def test_every_route_of_the_application_is_documented(site: Site, document: Document) -> None:
    """But for pages, and what they are made of."""
    service, metrics = (
        PredictionService(site.store, settings_for(site.url)),
        MultiprocessMetrics(None, ProcessMetrics),
    )
    access = AccessControl((), ())
    app = make_routes(service, access, Metrics(metrics), Dashboard(service, metrics))
    wanted = {
        (route.rule.replace("<name>", name).replace("<key>", "{key}"), route.method.lower())
        for route in app.routes
        for name in DATASETS
        if route.rule not in UNDOCUMENTED
    }
    flat = {("/api/intent", "get"), ("/api/intent-supported-languages", "get")}
    assert {(path, method) for path, method, _ in operations(document)} == wanted | flat


def test_the_documented_fields_are_the_specs(document: Document) -> None:
    """Limits, choices and titles too."""
    one = document["paths"]["/predict/customers"]["get"]["parameters"]
    age, education, income = one
    assert age["schema"] == {"type": "integer", "minimum": 0, "maximum": 130}
    assert education["schema"]["enum"] == ["High School", "Bachelor", "Master", "PhD"]
    assert income["schema"] == {"type": "number", "minimum": 0, "maximum": 1e100}
    assert all(field["required"] and field["in"] == "query" for field in one)
    records = body_schema(document["paths"]["/records/intents"]["post"])
    assert records["maxItems"] == 1000
    assert "find-flight" in records["items"]["properties"]["intent"]["enum"]


class Links(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.dataset: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take the address of a script, a style sheet or an image."""
        named = dict(attributes)
        wanted = named.get("href") if tag == "link" else named.get("src")
        if wanted:
            self.dataset.append(wanted)
        elif tag == "script":
            self.inline += 1


@pytest.mark.parametrize("page", ["/docs", "/api/docs", "/"])
def test_everything_that_a_page_loads_is_served_here(site: Site, page: str) -> None:
    """Pages work where there is no way to the outside, and under a strict policy."""
    reply = site.get(page, Accept="text/html")
    assert (reply.status, reply.content_type) == (200, "text/html")
    links = Links()
    links.feed(reply.body.decode())
    assert links.dataset
    assert not links.inline
    for target in links.dataset:
        assert target.startswith("/")
        assert not target.startswith("//")
        asset = site.get(target)
        assert asset.status == 200
        wanted = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[
            target.rpartition(".")[2]
        ]
        assert asset.content_type == wanted
        assert len(asset.body) > 100


def test_the_page_shows_this_servers_document(site: Site) -> None:
    """Its script names the address."""
    links = Links()
    links.feed(site.get("/docs").body.decode())
    scripts = [site.get(target).body.decode() for target in links.dataset if target.endswith(".js")]
    assert any('"/openapi.json"' in script for script in scripts)
    assert any("SwaggerUIBundle" in script for script in scripts)
