"""README and docs list every setting, command and route, and their commands run."""

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
from enrich.commands.group import cli as enrich_cli
from serve.openapi.document import openapi_document

from .conftest import ROOT, command_environment, sample_spec
from .ports import free_port, wait_until_ready
from .processes import PATIENCE_SECONDS

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
REFERENCE = PAGES["reference.md"]
ALL_PAGES = (README, *PAGES.values())


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [README, REFERENCE], ids=["README", "reference"])
def test_tables_of_settings_commands_and_routes_are_up_to_date(page: str) -> None:
    """Run `make reference` to update the tables."""
    assert update_tables(page) == page


def test_readme_lists_every_setting() -> None:
    """It lists no name that is not a setting, and keeps the order of the settings."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)
    assert rows == [setting.name.upper() for setting in fields(Settings)]


@pytest.mark.parametrize(("package", "cli"), [("db", db_cli), ("enrich", enrich_cli)])
def test_reference_lists_every_command_and_option(package: str, cli: click.Group) -> None:
    """A user can find each command and option in the reference."""
    for name, command in cli.commands.items():
        row = re.search(rf"^\| `python -m {package} {name}\b.*$", REFERENCE, re.MULTILINE)
        assert row is not None, f"python -m {package} {name}"
        for parameter in command.params:
            for option in () if getattr(parameter, "hidden", False) else parameter.opts:
                if option.startswith("--") and option not in {"--json", "--help"}:
                    assert option in row[0], f"{name} {option}"


def documented_commands() -> list[str]:
    """Return every `python -m` command that a page names, without redirections and pipes."""
    commands = re.findall(r"python -m (?:db|enrich|serve)\b[^`\n|;&<>#)]*", "\n".join(ALL_PAGES))
    return sorted({" ".join(command.split()) for command in commands})


@pytest.mark.parametrize("line", documented_commands())
def test_every_command_that_a_page_names_exists(line: str) -> None:
    """Each option that the page shows for the command exists too."""
    package, *words = line.removeprefix("python -m ").split()
    if package == "serve":
        assert {word.strip("[]") for word in words} <= {"--check"}
        return
    command: click.Command = {"db": db_cli, "enrich": enrich_cli}[package]
    while isinstance(command, click.Group) and words:
        name = words.pop(0).strip(".,:")
        assert name in command.commands, f"{line}: there is no {name}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    options = [word.strip("[].,:'").partition("=")[0] for word in words]
    assert {word for word in options if word.startswith("--")} <= known, line


def test_every_make_target_that_a_page_names_exists() -> None:
    """A documented target of the Makefile has a `##` help text."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", "\n".join(ALL_PAGES), re.MULTILINE))
    assert named <= targets


def test_reference_lists_every_route() -> None:
    """The routes are those of the OpenAPI document."""
    paths = openapi_document([sample_spec("intents")])["paths"]
    for path, methods in paths.items():
        shown = re.sub(r"^/(predict|explain|records|labels)/intents", r"/\1/DATASET", path)
        for method in methods:
            assert re.search(rf"{method.upper()} {re.escape(shown)}[`?]", REFERENCE), (method, path)


def test_reference_lists_every_key_of_a_dataset_file() -> None:
    """The example of a dataset file in the reference is a valid spec."""
    [example] = [block for block in blocks(REFERENCE, "toml") if "name =" in block]
    spec = msgspec.convert(tomllib.loads(example), DatasetSpec)
    check_spec(spec)
    for key in DatasetSpec.__struct_fields__:
        assert re.search(rf"\b{key}\b", REFERENCE), key


def test_every_enricher_example_is_a_valid_part_of_a_spec() -> None:
    """A reader can copy each example unchanged into a dataset file."""
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


def test_all_links_lead_to_existing_files() -> None:
    """Every relative link leads to a file of the project."""
    for page, text in {
        "README.md": README,
        **{f"docs/{name}": t for name, t in PAGES.items()},
    }.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_the_commands_of_the_readme_run_as_written(checkout: Path) -> None:
    """The commands run in order and end with a prediction."""
    output, answers = run_page(README, checkout)
    assert "rents@1 is active: " in output
    answer = msgspec.json.decode(answers[0])
    assert answer["dataset"] == "rents"
    assert 300 < answer["prediction"] < 900


@pytest.mark.slow
def test_the_commands_of_the_tutorial_run_as_written(checkout: Path) -> None:
    """The commands take three tables from their files to predictions."""
    output, answers = run_page(PAGES["tutorial.md"], checkout)
    assert all(f"{name}@1 is active: " in output for name in ("wine", "wishes", "flats"))
    assert "The rent of let 500 is about " in output
    wish, flat = map(msgspec.json.decode, answers[:2])
    assert (wish["dataset"], wish["source"], wish["enrichment"]) == ("wishes", "student", "queued")
    assert 300 < flat["prediction"] < 900
    assert b"swagger-ui" in answers[2]
    # Equal calls are made only once.
    assert (checkout / "towns.log").read_text("utf-8").count('"GET /') == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "words"),
    [
        (
            "databases.md",
            [
                "churn: 600 rows: 600 added",
                "10 rows: 0 added, 10 corrected, 0 unchanged, 5 removed",
            ],
        ),
        ("publish.md", ["rows in spending: ", "0 inserted, 0 updated"]),
        ("excel-and-parquet.md", ["rents: 200 rows: 200 added", "200 unchanged"]),
        ("predict-files.md", ["prediction,interval_low,interval_high,source,model,error"]),
    ],
)
def test_the_commands_of_a_page_about_tables_run_as_written(
    checkout: Path, page: str, words: list[str]
) -> None:
    """Each page creates the table that it needs."""
    output = run_steps(script_of(PAGES[page]).split("python -m serve\n")[0], checkout)
    for part in words:
        assert part in output


def script_of(page: str) -> str:
    """Return a page's commands, without those that are already done where tests run."""
    script = "\n".join(blocks(page, "sh"))
    for line in (r"^\. \.venv/bin/activate$", r"^pip install .*$"):
        script = re.sub(line, "", script, flags=re.MULTILINE)
    return script


def run_page(page: str, folder: Path) -> tuple[str, list[bytes]]:
    """Run a page's commands, then its requests to the web process; return output and bodies."""
    ports = {":8000": f":{free_port()}", ":8099": f":{free_port()}"}
    script = script_of(page)
    for shown, free in ports.items():
        script = script.replace(shown, free).replace(
            shown.replace(":", ", "), free.replace(":", ", ")
        )
    steps, served = script.split("python -m serve\n")
    output = run_steps(steps, folder)
    port = int(ports[":8000"][1:])
    with serving(folder, page_environment(PORT=str(port)), port):
        asked = [shlex.split(line)[1] for line in served.splitlines() if line.startswith("curl")]
        return output, [fetch(url) for url in asked]


def page_environment(**settings: str) -> dict[str, str]:
    """Return the environment in which a page's commands run."""
    environment = command_environment("", **settings)
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return environment


def run_steps(steps: str, folder: Path) -> str:
    """Run commands in a folder and return their output; each must succeed."""
    # If a command fails, what runs in the background must not hold the output open.
    steps = f"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{steps}"
    done = subprocess.run(
        ["sh", "-e"],
        input=steps,
        cwd=folder,
        env=page_environment(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fetch(url: str) -> bytes:
    """Return the response body of a URL in the documentation."""
    with urllib.request.urlopen(url) as reply:  # noqa: S310  the URL is in our documentation
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
    """The pages that describe the code must change when the code moves."""
    text = (ROOT / page).read_text("utf-8")
    paths = re.findall(r"`((?:db|enrich|serve|benchmark|deploy|tests)/[a-z0-9_./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
