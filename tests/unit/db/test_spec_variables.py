"""Which environment variables a spec may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from db.admin.dataset_needs import check_needs
from db.errors import EnricherError, ExchangeError, SpecError
from db.exchange.user_database import spec_database_url
from db.settings.spec_variable import variable_fault
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.named_variables import check_variables, named_variables
from db.spec.section import EnricherSpec, SourceSpec
from enrich.enrichers.http.template import check_headers, fill_headers
from tests.conftest import run_command


def notes(variable: str = "TONE_KEY", source: str = "SHOP_URL") -> DatasetSpec:
    """Return a spec that names a variable in a header, and one for a database."""
    config: dict[str, Any] = {
        "url": "https://api.test/",
        "headers": {"Authorization": f"Bearer ${{{variable}}}"},
    }
    return DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields={"sentence": TextField()},
        enrichers={"tone": EnricherSpec(use="http", config=config)},
        source=SourceSpec(url=source, query="SELECT 1"),
    )


OWN = ["DATABASE_URL", "API_KEYS", "READ_KEYS", "CODE_PATHS", "PGPASSWORD", "https_proxy", "PORT"]


@pytest.mark.parametrize("variable", OWN)
def test_a_setting_of_ours_is_never_sent_to_a_service(variable: str) -> None:
    """It is refused when the spec is loaded, when it is read, and at the call."""
    message = f"{variable} belongs to this application"
    with pytest.raises(SpecError, match=rf"notes: key enrichers\.tone\..*Authorization: {message}"):
        check_variables(notes(variable), ("*",))
    with pytest.raises(EnricherError, match=message):
        check_headers({"X": f"${{{variable}}}"})
    with pytest.raises(EnricherError, match=message):
        fill_headers({"X": f"${{{variable}}}"}, {variable: "hush-hush"})


def test_only_variables_that_are_allowed_may_be_named() -> None:
    """Patterns stand for several; by default all that are not ours are allowed."""
    check_variables(notes(), ("*",))
    check_variables(notes(), ("TONE_*", "SHOP_URL"))
    with pytest.raises(SpecError, match=r"TONE_KEY is not in SPEC_VARIABLES"):
        check_variables(notes(), ("SHOP_*",))
    with pytest.raises(SpecError, match=r"notes: key source\.url: SHOP_URL is not in SPEC_"):
        check_variables(notes(), ("TONE_*",))


def test_the_call_checks_them_again() -> None:
    """Another machine may have loaded the spec."""
    environ = {"TONE_KEY": "hush-hush", "SPEC_VARIABLES": "SHOP_*"}
    with pytest.raises(EnricherError, match="TONE_KEY is not in SPEC_VARIABLES") as caught:
        fill_headers({"X": "${TONE_KEY}"}, environ)
    assert "hush" not in str(caught.value)
    environ["SPEC_VARIABLES"] = "SHOP_*, TONE_KEY"
    assert fill_headers({"X": "${TONE_KEY}"}, environ)[0] == {"X": "hush-hush"}


def test_a_database_may_be_that_of_the_store() -> None:
    """Its URL is sent nowhere else; other settings have no database's URL."""
    url = "postgresql://me:hush@db/shop"
    assert spec_database_url("DATABASE_URL", {"DATABASE_URL": url}) == url
    for environ in ({"API_KEYS": url}, {"SHOP_URL": url, "SPEC_VARIABLES": "OTHER"}):
        with pytest.raises(ExchangeError) as caught:
            spec_database_url(next(iter(environ)), environ)
        assert "hush" not in str(caught.value)
    assert variable_fault("DATABASE_URL", ("SHOP_*",), is_database=True)


def test_every_variable_of_a_spec_is_found() -> None:
    """Also several in one text, and those in lists."""
    config: dict[str, Any] = {"headers": {"A": "${ONE}:${TWO}"}, "more": [{"b": "${THREE}"}]}
    spec = notes()
    spec = DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields=dict(spec.fields),
        enrichers={"x": EnricherSpec(use="http", config=config)},
    )
    assert [one.name for one in named_variables(spec)] == ["ONE", "TWO", "THREE"]


def test_doctor_names_a_variable_that_the_spec_may_not_use() -> None:
    """A spec that was loaded before the setting changed is found."""
    findings = list(check_needs(notes(), {"SPEC_VARIABLES": "SHOP_*"}))
    [found] = [one for one in findings if one.subject == "variables of notes"]
    assert (found.level, "TONE_KEY is not in SPEC_VARIABLES" in found.message) == ("fault", True)


def test_load_refuses_the_spec_before_it_changes_anything(tmp_path: Path) -> None:
    """The message names the file's dataset, the key and the variable."""
    file = tmp_path / "notes.toml"
    file.write_text(
        'name = "notes"\nkind = "classification"\ntarget = "tone"\n'
        '[fields.sentence]\ntype = "text"\n'
        '[enrichers.tone]\nuse = "http"\n'
        '[enrichers.tone.config]\nurl = "https://api.test/"\nheaders.X = "${API_KEYS}"\n',
        "utf-8",
    )
    done = run_command(f"sqlite:///{tmp_path}/none.db", "db", "load", str(file))
    assert done.code == 1
    assert "notes: key enrichers.tone.config.headers.X: API_KEYS belongs to this" in done.err
