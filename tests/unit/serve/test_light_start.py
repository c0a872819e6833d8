"""What the web process does not import at its start, so that it stays small."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

LIST = "import sys, serve.__main__; print(*sorted(sys.modules))"


def test_the_web_process_starts_without_what_most_never_need() -> None:
    """Listings as CSV need what reads data files, and the guide needs a library for Markdown."""
    done = subprocess.run(
        [sys.executable, "-c", LIST], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "serve.pages.records.listing_query" in loaded
    assert "serve.pages.guide.guide_pages" in loaded
    assert [name for name in loaded if name.startswith(("db.files", "markdown_it"))] == []
