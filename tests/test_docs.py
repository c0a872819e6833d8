"""README and docs: every setting, command and route is there, and what they show runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import click
import msgspec
import pytest

from db.__main__ import cli as db_cli
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.toml_file import check_spec
from deploy.reference import update_tables
from enrich.__main__ import cli as enrich_cli
from serve.openapi.document import openapi_document

from .conftest import ROOT, command_environment, sample_spec
from .ports import free_port, wait_until_ready
from .processes import PATIENCE_SECONDS

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
REFERENCE = PAGES["reference.md"]
ALL_PAGES = (README, *PAGES.values())


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [README, REFERENCE], ids=["README", "reference"])
def test_settings_commands_and_routes_are_told_as_they_are(page: str) -> None:
    """If not: make reference."""
    assert update_tables(page) == page


def test_readme_lists_every_setting() -> None:
    """And no setting that is none."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)
    assert rows == [setting.name.upper() for setting in fields(Settings)]


@pytest.mark.parametrize(("room", "cli"), [("db", db_cli), ("enrich", enrich_cli)])
def test_reference_lists_every_command_and_option(room: str, cli: click.Group) -> None:
    """A command that nobody can find is none."""
    for name, command in cli.commands.items():
        row = re.search(rf"^\| `python -m {room} {name}\b.*$", REFERENCE, re.MULTILINE)
        assert row is not None, f"python -m {room} {name}"
        for parameter in command.params:
            for option in () if getattr(parameter, "hidden", False) else parameter.opts:
                if option.startswith("--") and option not in {"--json", "--help"}:
                    assert option in row[0], f"{name} {option}"


def told_commands() -> list[str]:
    """Return every command of ours that a page names, without what a shell would do with it."""
    told = re.findall(r"python -m (?:db|enrich|serve)\b[^`\n|;&<>#)]*", "\n".join(ALL_PAGES))
    return sorted({" ".join(one.split()) for one in told})


@pytest.mark.parametrize("told", told_commands())
def test_every_command_that_a_page_names_is_one(told: str) -> None:
    """With the options that it shows."""
    room, *words = told.removeprefix("python -m ").split()
    if room == "serve":
        assert {word.strip("[]") for word in words} <= {"--check"}
        return
    command: click.Command = {"db": db_cli, "enrich": enrich_cli}[room]
    while isinstance(command, click.Group) and words:
        name = words.pop(0).strip(".,:")
        assert name in command.commands, f"{told}: there is no {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    options = [word.strip("[].,:'").partition("=")[0] for word in words]
    assert {word for word in options if word.startswith("--")} <= known, told


def test_every_target_of_make_that_a_page_names_is_one() -> None:
    """And each of them is told somewhere."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    told = set(re.findall(r"(?:`|^)make ([a-z-]+)", "\n".join(ALL_PAGES), re.MULTILINE))
    assert told <= targets


def test_reference_lists_every_route() -> None:
    """As the OpenAPI document has them."""
    paths = openapi_document([sample_spec("intents")])["paths"]
    for path, methods in paths.items():
        shown = path.replace("/predict/intents", "/predict/DATASET").replace(
            "/records/intents", "/records/DATASET"
        )
        for method in methods:
            assert re.search(rf"{method.upper()} {re.escape(shown)}[`?]", REFERENCE), (method, path)


def test_every_key_of_a_dataset_file_stands_in_the_reference() -> None:
    """Its example is a valid spec."""
    [example] = [block for block in blocks(REFERENCE, "toml") if "name =" in block]
    spec = msgspec.convert(tomllib.loads(example), DatasetSpec)
    check_spec(spec)
    for key in DatasetSpec.__struct_fields__:
        assert re.search(rf"\b{key}\b", REFERENCE), key


def test_every_enricher_example_is_a_valid_part_of_a_spec() -> None:
    """As it stands, copied into a dataset's file."""
    base = {
        "name": "flats",
        "kind": "regression",
        "target": "rent",
        "fields": {"notice": {"type": "text"}},
    }
    examples = [tomllib.loads(block) for block in blocks(PAGES["enrichers.md"], "toml")]
    assert len(examples) >= 5
    for example in examples:
        check_spec(msgspec.convert(base | example, DatasetSpec))


def test_all_links_lead_somewhere() -> None:
    """Within the project."""
    for page, text in {
        "README.md": README,
        **{f"docs/{name}": t for name, t in PAGES.items()},
    }.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_the_readmes_walk_with_ones_own_table_runs_to_the_letter(checkout: Path) -> None:
    """Every command of it, in order, ending in a prediction."""
    said, answers = walk(README, checkout)
    assert "rents@1 is active: " in said
    answer = msgspec.json.decode(answers[0])
    assert answer["dataset"] == "rents"
    assert 300 < answer["prediction"] < 900


@pytest.mark.slow
def test_the_tutorial_runs_to_the_letter(checkout: Path) -> None:
    """Three tables from their files to their predictions."""
    said, answers = walk(PAGES["tutorial.md"], checkout)
    assert all(f"{name}@1 is active: " in said for name in ("wine", "wishes", "flats"))
    wish, flat = map(msgspec.json.decode, answers[:2])
    assert (wish["dataset"], wish["source"], wish["enrichment"]) == ("wishes", "student", "queued")
    assert 300 < flat["prediction"] < 900
    assert b"swagger-ui" in answers[2]
    # What is asked the same is asked once.
    assert (checkout / "towns.log").read_text("utf-8").count('"GET /') == 3


def walk(page: str, folder: Path) -> tuple[str, list[bytes]]:
    """Run what a page shows up to the web process, then ask that; return what both say."""
    ports = {":8000": f":{free_port()}", ":8099": f":{free_port()}"}
    script = "\n".join(blocks(page, "sh"))
    # Whoever runs the tests has done these.
    for line in (r"^\. \.venv/bin/activate$", r"^pip install .*$"):
        script = re.sub(line, "", script, flags=re.MULTILINE)
    for shown, free in ports.items():
        script = script.replace(shown, free).replace(
            shown.replace(":", ", "), free.replace(":", ", ")
        )
    environment = command_environment("", PORT=ports[":8000"][1:])
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    steps, served = script.split("python -m serve\n")
    done = subprocess.run(
        ["sh", "-e"],
        input=steps,
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with serving(folder, environment, int(ports[":8000"][1:])):
        asked = [shlex.split(line)[1] for line in served.splitlines() if line.startswith("curl")]
        return done.stdout, [fetch(url) for url in asked]


def fetch(url: str) -> bytes:
    """Return what is answered at an address of the documentation's."""
    with urllib.request.urlopen(url) as reply:  # noqa: S310  our own
        body: bytes = reply.read()
    return body


@contextmanager
def serving(folder: Path, environment: dict[str, str], port: int) -> Iterator[None]:
    """Run the web process in a folder."""
    with subprocess.Popen(
        [sys.executable, "-m", "serve"], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as web:
        try:
            wait_until_ready(web, port)
            yield
        finally:
            web.terminate()
            assert web.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize(
    "page", [*(f"docs/{name}" for name in PAGES), "README.md", "CONTRIBUTING.md"]
)
def test_every_path_of_code_that_a_page_names_exists(page: str) -> None:
    """The map of the code moves with the code."""
    text = (ROOT / page).read_text("utf-8")
    paths = re.findall(r"`((?:db|enrich|serve|benchmark|deploy|tests)/[a-z0-9_./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
