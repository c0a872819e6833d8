"""The description of the routes, and whether the server keeps to it, whatever is sent."""

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
EXAMPLES = 500 if FULL else 10
REQUIREMENTS = Path(__file__).parent / "schemathesis.txt"
# All checks are on, but for what the description cannot say of us.
CONFIG = """
[checks.negative_data_rejection]
# Too many items are too large a request.
expected-statuses = [400, 401, 404, 405, 413]

[checks.positive_data_acceptance]
# A wrong key is refused besides.
expected-statuses = [200, 401]

[[operations]]
# A bad item gets its own problem among the others' predictions.
include-name = ["POST /predict/customers", "POST /predict/intents"]
checks.negative_data_rejection.enabled = false

[[operations]]
# Where a page ended is what the page before says, and no other text; few keys are a record's.
include-path-regex = "^/records/"
include-method = ["GET", "DELETE"]
checks.positive_data_acceptance.expected-statuses = [200, 400, 401, 404]

[[operations]]
# It takes the fields of one dataset, whichever, and not of two.
include-name = "GET /predict"
checks.positive_data_acceptance.expected-statuses = [200, 400, 401]
"""


@pytest.fixture(scope="module")
def schemathesis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a virtual environment with Schemathesis, whose plugin would meddle with our tests."""
    folder = tmp_path_factory.mktemp("schemathesis")
    make_environment(folder, REQUIREMENTS)
    (folder / "schemathesis.toml").write_text(CONFIG, "ascii")
    return folder


@pytest.fixture(scope="module")
def keyed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a server whose answers need a key."""
    with serving_copy(trained, tmp_path_factory.mktemp("keyed"), READ_KEYS=READ_KEY) as running:
        yield running


def check(schemathesis: Path, site: Site, key: str, *options: str) -> None:
    """Send what may be and what may not be sent, and fail unless every answer is as described."""
    command = [
        str(schemathesis / "bin" / "schemathesis"),
        f"--config-file={schemathesis / 'schemathesis.toml'}",
        "run",
        f"http://127.0.0.1:{site.port}/openapi.json",
        f"--header=Authorization: Bearer {key}",
        f"--max-examples={EXAMPLES}",
        "--generation-database=none",
        "--no-color",
        "--seed=1",
        *options,
    ]
    logged = len(site.log.read_bytes())
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=schemathesis)
    assert done.returncode == 0, "\n".join(line[:300] for line in done.stdout.splitlines())
    assert "No test cases" not in done.stdout
    assert b"Traceback" not in site.log.read_bytes()[logged:]
    assert site.process.poll() is None


def test_every_answer_is_as_described(schemathesis: Path, site: Site) -> None:
    """To good requests, bad ones, and what nobody would think of."""
    check(schemathesis, site, API_KEY)


def test_every_answer_is_as_described_where_a_key_is_needed(
    schemathesis: Path, keyed: Site
) -> None:
    """To those who have one."""
    check(schemathesis, keyed, READ_KEY)


def test_without_the_key_every_refusal_is_as_described(schemathesis: Path, keyed: Site) -> None:
    """A client made from the description understands it."""
    check(schemathesis, keyed, "wrong")
