"""What the web process does not import at its start, so that it stays small."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

AT_START = "import serve.command"
AT_CHECK = "import serve.app; serve.app.import_deferred()"


def modules_after(code: str) -> list[str]:
    """Return the modules that are loaded after some code."""
    code = f"import sys; {code}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    "unneeded",
    [
        # Pages, and routes that few processes serve.
        *("serve.pages.home", "serve.pages.records", "serve.further_routes", "serve.openapi"),
        *("db.ingestion", "db.labels", "db.jobs", "db.versions", "db.files"),
        # Metrics, and the guide's Markdown.
        *("prometheus_client", "markdown_it"),
        # What pages ask the store with, and the driver of a database that it is not in.
        *("sqlalchemy", "psycopg"),
    ],
)
def test_the_web_process_starts_without_what_most_never_need(unneeded: str) -> None:
    """Each is imported at the first request that needs it."""
    loaded = modules_after(AT_START)
    assert "serve.api.fast_path" in loaded
    assert [name for name in loaded if name == unneeded or name.startswith(f"{unneeded}.")] == []


def test_the_check_before_a_restart_imports_all_routes() -> None:
    """Otherwise a page that is broken would be noticed only when somebody opens it."""
    loaded = modules_after(AT_CHECK)
    wanted = {"serve.pages.guide.guide_pages", "serve.telemetry.prometheus", "serve.labels_views"}
    assert wanted <= set(loaded)
