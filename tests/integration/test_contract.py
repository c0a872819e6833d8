"""Check with Schemathesis that the server keeps to its OpenAPI document."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment import make_environment
from tests.faults.conftest import FULL

from .conftest import API_KEY, Site, serving_copy

READ_KEY = "a-key-for-readers"
pytestmark = pytest.mark.slow
# Of each operation. A key for readers changes no answer, and a refusal comes before any input.
EXAMPLES, EXAMPLES_WITH_KEY, EXAMPLES_REFUSED = (500, 500, 500) if FULL else (10, 4, 2)
REQUIREMENTS = Path(__file__).parent / "schemathesis.txt"
# All checks are on, except where OpenAPI cannot describe what the server does.
CONFIG = """
[checks.negative_data_rejection]
# A batch with too many items gets 413.
expected-statuses = [400, 401, 404, 405, 413]

[checks.positive_data_acceptance]
# A wrong key gets 401.
expected-statuses = [200, 401]

[[operations]]
# A bad item gets its own problem; the answer still has status 200.
include-name = ["POST /predict/customers", "POST /predict/intents"]
checks.negative_data_rejection.enabled = false
# explain takes fewer items, and no CSV; one table is answered at a time. No schema can say which
# texts are CSV with the columns of a dataset; that valid JSON is accepted, test_field_schema shows.
checks.positive_data_acceptance.expected-statuses = [200, 400, 401, 413, 415, 503]

[[operations]]
# Two requests may come with the same Idempotency-Key and different bodies.
include-name = ["POST /records/customers", "POST /records/intents"]
checks.positive_data_acceptance.expected-statuses = [200, 401, 422]

[[operations]]
# Few generated ids belong to an answer or a row.
include-path-regex = "^/labels/"
checks.positive_data_acceptance.expected-statuses = [200, 400, 401, 422]

[[operations]]
# Only the previous page gives a valid `after`, and few generated keys belong to a record.
include-path-regex = "^/records/"
include-method = ["GET", "DELETE"]
checks.positive_data_acceptance.expected-statuses = [200, 400, 401, 404]

[[operations]]
# They take the fields of one dataset, but not of two.
include-name = ["GET /predict", "GET /explain"]
checks.positive_data_acceptance.expected-statuses = [200, 400, 401]
"""


@pytest.fixture(scope="module")
def schemathesis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a virtual environment for Schemathesis: its pytest plugin would affect these tests."""
    folder = tmp_path_factory.mktemp("schemathesis")
    make_environment(folder, REQUIREMENTS)
    (folder / "schemathesis.toml").write_text(CONFIG, "ascii")
    return folder


@pytest.fixture(scope="module")
def keyed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server whose answers need a key."""
    with serving_copy(trained, tmp_path_factory.mktemp("keyed"), READ_KEYS=READ_KEY) as running:
        yield running


def check(schemathesis: Path, site: Site, key: str, examples: int) -> None:
    """Send valid and invalid requests; fail unless every answer matches the document."""
    command = [
        str(schemathesis / "bin" / "schemathesis"),
        f"--config-file={schemathesis / 'schemathesis.toml'}",
        "run",
        f"http://127.0.0.1:{site.port}/openapi.json",
        f"--header=Authorization: Bearer {key}",
        f"--max-examples={examples}",
        "--generation-database=none",
        "--no-color",
        "--seed=1",
    ]
    logged = len(site.log.read_bytes())
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=schemathesis)
    assert done.returncode == 0, "\n".join(line[:300] for line in done.stdout.splitlines())
    assert "No test cases" not in done.stdout
    assert b"Traceback" not in site.log.read_bytes()[logged:]
    assert site.process.poll() is None


def test_every_answer_is_as_described(schemathesis: Path, site: Site) -> None:
    """Requests may be valid, invalid, or unusual ones that Schemathesis generates."""
    check(schemathesis, site, API_KEY, EXAMPLES)


def test_every_answer_is_as_described_where_a_key_is_needed(
    schemathesis: Path, keyed: Site
) -> None:
    """Clients with a key get documented answers."""
    check(schemathesis, keyed, READ_KEY, EXAMPLES_WITH_KEY)


def test_without_the_key_every_refusal_is_as_described(schemathesis: Path, keyed: Site) -> None:
    """A client generated from the document understands the refusal."""
    check(schemathesis, keyed, "wrong", EXAMPLES_REFUSED)
