"""Tests of what a spec needs on a worker's machine, as `python -m db doctor` reports it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path

import msgspec
import pytest

from db.admin.dataset_needs import check_needs
from db.admin.finding import Finding
from db.spec.section import EnricherSpec, PublicationSpec, SourceSpec
from tests.conftest import notes_spec

SOURCE = SourceSpec(url="SHOP_URL", query="SELECT * FROM notes")


def findings(spec: object, environ: Mapping[str, str]) -> list[Finding]:
    """Return the findings about a spec."""
    return list(check_needs(spec, environ))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("use", "module"),
    [
        ("http", "httpx"),
        ("llm", "jsonschema"),
        ("near_duplicates", "datasketch"),
        ("label_issues", "cleanlab"),
    ],
)
def test_an_enricher_whose_package_is_missing_is_a_fault_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, use: str, module: str
) -> None:
    """With the package there is no finding."""
    spec = notes_spec({"mine": EnricherSpec(use=use)})
    assert findings(spec, {}) == []
    real = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == module else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    (finding,) = findings(spec, {})
    assert finding == Finding(
        "fault",
        "packages of notes",
        f"the enricher mine needs {module}",
        "pip install -r requirements-extra.txt",
    )


def test_a_database_whose_variable_is_not_set_is_a_warning() -> None:
    """Another worker may have it."""
    spec = msgspec.structs.replace(notes_spec({}), source=SOURCE)
    (finding,) = findings(spec, {"SHOP_URL": " "})
    assert (finding.level, finding.subject) == ("warning", "database of notes")
    assert "SHOP_URL is not set here" in finding.message
    assert finding.remedy


def test_a_database_is_shown_without_its_password() -> None:
    """Nothing is connected to: the host does not exist."""
    publication = PublicationSpec(url="CRM_URL", table="scores")
    spec = msgspec.structs.replace(notes_spec({}), publish=publication)
    (finding,) = findings(spec, {"CRM_URL": "postgresql://crm:s3cret-pass@no.such.host/crm"})
    assert finding.level == "good"
    assert "postgresql://crm@no.such.host/crm" in finding.message
    assert "s3cret" not in str(finding)


def test_an_sqlite_file_that_is_not_there_is_a_fault_of_a_source_only(tmp_path: Path) -> None:
    """A publication creates it. The message is not repeated as the remedy."""
    source = msgspec.structs.replace(notes_spec({}), source=SOURCE)
    environ = {"SHOP_URL": f"sqlite:///{tmp_path}/none.db"}
    (finding,) = findings(source, environ)
    assert finding.level == "fault"
    assert finding.message.endswith("none.db: there is no such file")
    assert finding.remedy == ""
    publication = PublicationSpec(url="SHOP_URL", table="scores")
    (finding,) = findings(msgspec.structs.replace(notes_spec({}), publish=publication), environ)
    assert finding.level == "good"


@pytest.mark.parametrize("url", ["oracle://a:secret-1@b/c", "nonsense", "odd+kind://secret-1@b"])
def test_a_url_that_cannot_be_used_is_a_fault(url: str) -> None:
    """Its driver is missing, or it is no URL; the message does not show it."""
    spec = msgspec.structs.replace(notes_spec({}), source=SOURCE)
    (finding,) = findings(spec, {"SHOP_URL": url})
    assert finding.level == "fault"
    assert finding.message
    assert "secret-1" not in str(finding)
