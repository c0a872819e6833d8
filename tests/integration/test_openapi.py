"""The OpenAPI document of the routes, and the page that shows it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any, TypeAlias

import pytest

from serve.api.access.api_keys import AccessControl
from serve.app import make_routes
from serve.prediction.service import PredictionService
from serve.telemetry.multiprocess import MultiprocessMetrics, ProcessMetrics
from tests.conftest import settings_for
from tests.direct import direct_store

from .conftest import API_KEY, Reply, Site, query

Document: TypeAlias = dict[str, Any]

DATASETS = ("customers", "intents")
# They take the fields of one dataset, not those of all.
FOR_ANY_DATASET = ("/predict", "/explain")
# Pages and their assets.
UNDOCUMENTED = {
    *("/", "/docs", "/api/docs", "/docs/<name>", "/openapi.json", "/<path:path>"),
    *("/try/<name>", "/forget/<name>/<key>", "/key", "/sign-out"),
    *("/server", "/guide", "/guide/<page>", "/favicon.ico"),
    *("/label/<name>", "/label/<name>/<key>", "/production/<name>", "/over-time/<name>"),
    *("/models/<name>", "/models/<name>/<versions>", "/models/<name>/activate"),
    *("/add", "/batch/<name>", "/jobs", "/jobs/train/<name>"),
}


@pytest.fixture(scope="module")
def document(site: Site) -> Document:
    """Return the document as it is served."""
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
    """Send a request with the examples of an operation."""
    path = path.replace("{key}", site.records()[0].key.hex())
    if path.startswith("/records/customers/"):
        path = path.replace("customers", "intents")
    if method == "post":
        return site.post(path, [body_schema(operation)["items"]["example"]], API_KEY)
    if method == "delete":
        return site.ask("DELETE", path, headers={"Authorization": f"Bearer {API_KEY}"})
    parameters = operation.get("parameters", [])
    examples = {field["name"]: field["example"] for field in parameters if "example" in field}
    return site.get(f"{path}?{query(**examples)}" if examples else path)


def body_schema(operation: Document) -> Document:
    """Return the schema of the request body."""
    schema: Document = operation["requestBody"]["content"]["application/json"]["schema"]
    return schema


def response_of(operation: Document, status: int) -> Document:
    """Return the documented response for a status or for its class, such as 4XX."""
    responses = operation["responses"]
    found: Document = responses.get(str(status)) or responses[f"{status // 100}XX"]
    return found


def check_schema(document: Document, schema: Document, value: object) -> None:
    """Fail unless the value fits the schema; only keywords of our schemas are checked."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        assert any(_fits(document, option, value) for option in schema["anyOf"])
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
    """Client generators check the version first."""
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"]
    assert document["info"]["version"]


def test_every_reference_leads_somewhere(document: Document) -> None:
    """A tool stops at the first broken reference."""
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names == {"Explanation", "Prediction", "Problem", "Records"} == set(schemas)


def test_every_documented_route_answers_its_own_examples(site: Site, document: Document) -> None:
    """Status, media type and schema are those of the document."""
    for path, method, operation in operations(document):
        if path in FOR_ANY_DATASET:
            continue
        reply = call(site, path, method, operation)
        assert reply.status == 200, (method, path, reply.body)
        content = response_of(operation, 200)["content"]
        assert reply.content_type in content
        if reply.content_type == "application/json":
            check_schema(document, content["application/json"]["schema"], reply.json())


@pytest.mark.parametrize("route", FOR_ANY_DATASET)
def test_the_route_for_any_dataset_answers_the_examples_of_each(
    site: Site, document: Document, route: str
) -> None:
    """The route takes the fields of one dataset at a time."""
    operation = document["paths"][route]["get"]
    examples = {field["name"]: field["example"] for field in operation["parameters"]}
    assert not any(field["required"] for field in operation["parameters"])
    for name in DATASETS:
        own = document["paths"][f"{route}/{name}"]["get"]["parameters"]
        inputs = {field["name"]: examples[field["name"]] for field in own}
        reply = site.get(f"{route}?{query(**inputs)}")
        assert (reply.status, reply.json()["dataset"]) == (200, name)


def test_every_documented_route_refuses_as_it_says(site: Site, document: Document) -> None:
    """The refusal has the documented problem format."""
    for path, method, operation in operations(document):
        if not {"parameters", "requestBody"} & set(operation):
            continue
        # A listing has no required parameter, so an unknown one makes its request bad.
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
    """A key is needed exactly where the document says so."""
    for path, method, operation in operations(document):
        if path in FOR_ANY_DATASET:
            continue
        body = b"[]" if method == "post" else None
        without = site.ask(method.upper(), path, body)
        assert (without.status == 401) == ("security" in operation), path


def test_every_route_of_the_application_is_documented(site: Site, document: Document) -> None:
    """Only pages and their assets are not documented."""
    service, metrics = (
        PredictionService(direct_store(site.store), settings_for(site.url)),
        MultiprocessMetrics(None, ProcessMetrics),
    )
    access = AccessControl(service.settings)
    routes, further = make_routes(service, access, metrics)
    wanted = {
        (route.rule.replace("<name>", name).replace("<key>", "{key}"), route.method.lower())
        for route in (*routes.routes, *further.app.routes)
        for name in DATASETS
        if route.rule not in UNDOCUMENTED and not route.rule.startswith("/jobs/<job_id:int>")
    }
    flat = {("/api/intent", "get"), ("/api/intent-supported-languages", "get")}
    assert {(path, method) for path, method, _ in operations(document)} == wanted | flat


def test_the_documented_fields_are_the_specs(document: Document) -> None:
    """The document includes limits and choices."""
    fields = document["paths"]["/predict/customers"]["get"]["parameters"]
    age, education, income = fields
    assert age["schema"] == {"type": "integer", "minimum": 0, "maximum": 130}
    assert education["schema"]["examples"] == ["High School", "Bachelor", "Master", "PhD"]
    assert income["schema"] == {"type": "number", "minimum": 0, "maximum": 1e100}
    assert all(field["required"] and field["in"] == "query" for field in fields)
    records = body_schema(document["paths"]["/records/intents"]["post"])
    assert records["maxItems"] == 1000
    assert "find-flight" in records["items"]["properties"]["intent"]["enum"]


class Links(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Record the address of a script, a style sheet or an image."""
        named = dict(attributes)
        wanted = named.get("href") if tag == "link" else named.get("src")
        if wanted:
            self.targets.append(wanted)
        elif tag == "script":
            self.inline += 1


@pytest.mark.parametrize("page", ["/docs", "/api/docs", "/"])
def test_everything_that_a_page_loads_is_served_here(site: Site, page: str) -> None:
    """Pages work without Internet access and under a strict policy."""
    reply = site.get(page, Accept="text/html")
    assert (reply.status, reply.content_type) == (200, "text/html")
    links = Links()
    links.feed(reply.body.decode())
    assert links.targets
    assert not links.inline
    for target in links.targets:
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
    """The page's script names the document's address."""
    links = Links()
    links.feed(site.get("/docs").body.decode())
    scripts = [site.get(target).body.decode() for target in links.targets if target.endswith(".js")]
    assert any('"../openapi.json"' in script for script in scripts)
    assert any("SwaggerUIBundle" in script for script in scripts)
