"""The server's log: one line per request, to standard output and a file, without inputs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.conftest import make_store, run_command

from .conftest import API_KEY, Reply, Site, query, serving, serving_copy, until

PRIVATE = "mon numéro est le 06 12 34 56 78"
PRIVATE_WORDS = ("mon num", "06 12", "06%2012", "06+12", "num%C3%A9ro", "dentifiant")


def ask_all(site: Site) -> list[Reply]:
    """Send every kind of request; each contains text that must not be logged."""
    named = f"/predict/intents?{query(sentence=PRIVATE)}"
    replies = [site.get(named), site.get(named), site.ask("HEAD", named)]
    replies += [site.get(named, If_None_Match=replies[0].headers["ETag"])]
    replies += [site.get(f"/predict?{query(sentence=PRIVATE)}")]
    replies += [site.get(f"/api/intent?{query(sentence=PRIVATE)}")]
    replies += [site.get(f"/predict/intents?{query(identifiant=PRIVATE)}")]
    replies += [site.get(f"/nothing?{query(sentence=PRIVATE)}")]
    replies += [site.ask("DELETE", named), site.ask("OPTIONS", named)]
    replies += [site.post("/predict/intents", [{"sentence": PRIVATE}, {"identifiant": PRIVATE}])]
    replies += [site.post("/records/intents", [{"sentence": PRIVATE}], API_KEY)]
    replies += [site.post("/records/intents", [{"identifiant": PRIVATE}], API_KEY)]
    return replies


def lines_with(text: str, replies: list[Reply]) -> list[str]:
    """Return each reply's log line; fail unless each has exactly one."""
    found = []
    for reply in replies:
        wanted = reply.headers["X-Request-Id"]
        (line,) = [line for line in text.splitlines() if line.endswith(f" {wanted}")]
        found.append(line)
    return found


def test_each_request_has_one_log_line_without_its_inputs(trained: Path, tmp_path: Path) -> None:
    """Inputs may be private. Cached answers are logged too."""
    log = tmp_path / "own" / "log.txt"
    with serving_copy(trained, tmp_path / "own") as site:
        replies = ask_all(site)
    text = log.read_text()
    for line, reply in zip(lines_with(text, replies), replies, strict=True):
        assert re.search(rf" [A-Z]+ /[^ ?]* {reply.status} \d+\.\d+ ms \w+$", line), line
    for word in PRIVATE_WORDS:
        assert word not in text
    assert not [line for line in text.splitlines() if "?" in line]


def test_the_query_is_in_the_log_with_log_query_on(trained: Path, tmp_path: Path) -> None:
    """It is logged as sent, so that it can be repeated, but it cannot add a line."""
    log = tmp_path / "own" / "log.txt"
    targets = [
        f"/predict/intents?{query(sentence=PRIVATE)}",
        "/nothing?a=1%0A2026-01-01T00:00:00.000Z%20forged",
        "/livez?a+b=c&d=%25",
        "/livez",
    ]
    with serving_copy(trained, tmp_path / "own", LOG_QUERY="on") as site:
        replies = [site.get(target) for target in targets for _ in range(2)]
    lines = lines_with(log.read_text(), replies)
    shown = [unquote(line.split(" ")[2]) for line in lines]
    assert shown == [unquote(target) for target in targets for _ in range(2)]
    assert all(line.count("forged") <= 1 and " GET /" in line for line in lines)
    assert not [line for line in log.read_text().splitlines() if line.endswith("forged")]


def test_control_characters_cannot_start_a_line_in_the_log(sqlite_url: str, tmp_path: Path) -> None:
    """Neither the path nor the query can start one, in text or JSON logs."""
    make_store(sqlite_url).close()
    for log_format in ("text", "json"):
        log = tmp_path / f"log.{log_format}"
        more = {"LOG_QUERY": "on", "LOG_FORMAT": log_format}
        with serving(sqlite_url, log, ready="/livez", **more) as site:
            ids = [
                site.get(f"/{part}?{part}").headers["X-Request-Id"]
                for part in ("%FF", "%00", "%0A", "%0D%0A", "%C2%85", "%22", "%1B[1m")
            ]
        lines = log.read_bytes().decode("ascii").split("\n")
        for request_id in ids:
            assert len([line for line in lines if request_id in line]) == 1
        if log_format == "json":
            assert all(json.loads(line)["message"] for line in lines if line)


@pytest.mark.parametrize("name", ["é", "\u2028", "œuvre", "日本語", "😀"])
def test_a_path_in_any_language_is_answered_and_logged(site: Site, name: str) -> None:
    """The path is logged as it was sent."""
    reply = site.get(f"/predict/{quote(name)}?sentence=a")
    assert (reply.status, reply.content_type) == (404, "application/problem+json")
    wanted = f" GET /predict/{quote(name)} 404 "
    until(lambda: wanted in site.log.read_text())


def test_the_log_file_has_the_lines_of_standard_output(trained: Path, tmp_path: Path) -> None:
    """It has the lines of all processes, down to the last one."""
    file, log = tmp_path / "veilleuse.log", tmp_path / "own" / "log.txt"
    more = {"LOG_FILE": str(file), "WEB_CONCURRENCY": "2", "LOG_FORMAT": "json"}
    with serving_copy(trained, tmp_path / "own", **more) as site:
        until(lambda: log.read_text().count("listens on") == 2)
        replies = [site.get(f"/livez?{number}") for number in range(100)]
        replies += ask_all(site)
    lines = file.read_text().splitlines()
    assert sorted(lines) == sorted(log.read_text().splitlines())
    logged = [json.loads(line).get("request_id") for line in lines]
    assert {reply.headers["X-Request-Id"] for reply in replies} <= set(logged)
    assert any("is ending" in line for line in lines)


def test_an_existing_log_file_is_appended_to(sqlite_url: str, tmp_path: Path) -> None:
    """A restart does not start a new file."""
    make_store(sqlite_url).close()
    file = tmp_path / "veilleuse.log"
    ids = []
    for number in range(2):
        log = tmp_path / f"log{number}.txt"
        with serving(sqlite_url, log, ready="/livez", LOG_FILE=str(file)) as site:
            ids.append(site.get("/livez").headers["X-Request-Id"])
    assert [request_id for request_id in ids if request_id in file.read_text()] == ids


def test_the_log_file_is_rotated_when_it_is_too_large(sqlite_url: str, tmp_path: Path) -> None:
    """Five old files are kept, however many processes write."""
    make_store(sqlite_url).close()
    folder = tmp_path / "logs"
    folder.mkdir()
    more = {"LOG_FILE": str(folder / "log"), "LOG_FILE_MIB": "0.01", "WEB_CONCURRENCY": "2"}

    def is_rotated(site: Site) -> bool:
        for _ in range(20):
            site.get(f"/{'x' * 1000}")
        return (folder / "log.5").exists()

    with serving(sqlite_url, tmp_path / "log.txt", ready="/livez", **more) as site:
        until(lambda: is_rotated(site))
        last = site.get("/livez").headers["X-Request-Id"]
        until(lambda: any(last in file.read_text() for file in folder.glob("log*")))
    names = {file.name for file in folder.iterdir()} - {"log.lock"}
    assert names == {"log", "log.1", "log.2", "log.3", "log.4", "log.5"}
    stdout = set((tmp_path / "log.txt").read_text().splitlines())
    assert all(set(file.read_text().splitlines()) <= stdout for file in folder.glob("log*"))


def test_a_full_disk_does_not_disturb_answers(trained: Path, tmp_path: Path) -> None:
    """The lines still go to standard output."""
    log = tmp_path / "own" / "log.txt"
    with serving_copy(trained, tmp_path / "own", LOG_FILE="/dev/full") as site:
        replies = ask_all(site)
        assert site.predict(PRIVATE)["dataset"] == "intents"
    assert len(lines_with(log.read_text(), replies)) == len(replies)
    assert "Traceback" not in log.read_text()


def test_a_file_that_cannot_be_opened_is_refused_at_start(sqlite_url: str, tmp_path: Path) -> None:
    """The start fails with one line that names the setting."""
    make_store(sqlite_url).close()
    nowhere = tmp_path / "no" / "such" / "folder"
    done = run_command(sqlite_url, "serve", "--check", LOG_FILE=str(nowhere))
    assert done.code == 1
    assert done.err.count("\n") == 1, done.err
    assert "LOG_FILE" in done.err
    assert str(nowhere) in done.err
