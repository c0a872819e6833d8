"""Ten everyday tasks in the browser, each with at most four clicks from the first page."""

from __future__ import annotations

import csv
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import func, select, update

from db.ingestion.row import NewRow
from db.queue.workers.gate_history import GateAverages
from db.queue.workers.worker_registry import WorkerReport, record_heartbeat, register_worker
from db.records.dataset import find_dataset
from db.store import tables
from db.store.direct.clock import wall_seconds
from enrich.gate.suspender import ProcessSuspender
from enrich.worker.job_runner import JobRunner
from enrich.worker.subcommand import Subcommands
from tests.conftest import ask
from tests.integration.conftest import API_KEY, Site, serving_copy, until
from tests.two_versions import make_tones

from .accessibility import PHONE, findings
from .conftest import Visitor

Visitors = Callable[..., Visitor]

MOST_CLICKS = 4
UNSURE = 20
ROWS = 60
REASON = "other programs use 0.86 CPU cores (starts below 0.3)"
LIMITS = {"open_cores": 0.3, "close_cores": 0.5, "open_memory": 0.2, "close_memory": 0.1}
# Drops a file on an element, as a person does with a mouse.
DROP = """(box, text) => {
  const files = new DataTransfer();
  files.items.add(new File([text], "flats.csv"));
  const drop = { dataTransfer: files, bubbles: true, cancelable: true };
  box.dispatchEvent(new DragEvent("drop", drop));
}"""


@dataclass
class Clicker:
    """A page that counts clicks, with keys, chosen options and files; it ends at the limit."""

    page: Page
    clicks: int = 0

    def click(self, name: str, within: str = "body", role: str = "link") -> None:
        """Click on the link or button with this name."""
        found = self.page.locator(within).get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        self.count(found.first).click()

    def press(self, key: str) -> None:
        """Press a key."""
        self.count(self.page.locator("body"))
        self.page.keyboard.press(key)

    def count(self, element: Locator) -> Locator:
        """Count a click on an element, and return the element."""
        self.clicks += 1
        assert self.clicks <= MOST_CLICKS
        return element


@pytest.fixture(scope="module")
def task_site(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with sentences that the model is unsure of, and a model of two versions."""
    with serving_copy(trained, tmp_path_factory.mktemp("tasks")) as site:
        make_tones(site.store)
        _ask_unsure(site)
        until(lambda: site.get("/models/tones").status == 200)
        yield site


def _ask_unsure(site: Site) -> None:
    with site.store.writing() as connection:
        dataset = find_dataset(connection, "intents")
        spec, record = dataset.spec, tables.record
        given = [spec.read_inputs({"sentence": f"un train n° {it}"}) for it in range(UNSURE)]
        ask(connection, dataset.id, [NewRow(spec.key(one), one, None) for one in given])
        unlabelled = record.c.label.is_(None) & (record.c.dataset_id == dataset.id)
        connection.execute(update(record).where(unlabelled).values(answer="purchase", score=0.3))


@pytest.fixture
def begin(visitor: Visitors, task_site: Site) -> Callable[..., Clicker]:
    """Return a function that opens the first page, signed in unless told otherwise."""

    def open_first_page(*, signed_in: bool = True, **options: object) -> Clicker:
        person = visitor(task_site, **options)
        if signed_in:
            person.sign_in()
        return Clicker(person.visit("/"))

    return open_first_page


@pytest.fixture
def work(task_site: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that does the jobs that wait, as a worker does."""
    monkeypatch.setenv("DATABASE_URL", task_site.url)
    subcommands = Subcommands(ProcessSuspender(), threading.Event(), 60.0)
    worker = JobRunner(task_site.store, 1, subcommands)
    return lambda: worker.run_all(lambda: True)


def card(name: str) -> str:
    """Return the selector of a dataset's card."""
    return f"article[aria-labelledby={name}-title]"


def test_a_the_reasons_of_a_prediction_are_shown(begin: Callable[..., Clicker]) -> None:
    """The answer, its probabilities, and the amount of each field stand on one page."""
    person = begin(signed_in=False)
    person.page.get_by_label("Try it: sentence").fill("je veux acheter un livre")
    person.click("Predict intent", card("intents"), "button")
    expect(person.page.locator(".result .headline strong")).not_to_be_empty()
    expect(person.page.locator(".result .bars tr")).to_have_count(8)
    expect(person.page.locator(".reasons tbody")).to_contain_text("An average row")
    expect(person.page.locator(".reasons tbody")).to_contain_text("acheter")


def test_b_an_uncertain_record_is_labelled_after_signing_in(
    begin: Callable[..., Clicker],
) -> None:
    """The sign-in leads back to the records that the model is unsure of."""
    person = begin(signed_in=False)
    person.count(person.page.get_by_text("records that the model is unsure of")).click()
    person.click("Sign in", "main")
    person.page.get_by_label("Key").fill(API_KEY)
    person.click("Continue", role="button")
    expect(person.page.locator("[aria-current=true]")).to_have_text("Uncertain first")
    shown = person.page.locator("dl.record").inner_text()
    assert "un train n° " in shown
    person.press("8")
    expect(person.page.locator("#labelling")).to_contain_text(
        re.compile(r"\d labels? since intents@1")
    )
    expect(person.page.locator("dl.record")).not_to_have_text(shown)


def test_c_a_wrong_label_is_found_and_corrected(
    begin: Callable[..., Clicker], task_site: Site
) -> None:
    """The record that the model contradicts most is the first."""
    person = begin()
    person.click("Label records", card("intents"))
    person.click("Disagreements")
    expect(person.page.locator("[aria-current=true]")).to_have_text("Disagreements")
    key = person.page.locator("#labelling input[name=key]").first.input_value()
    [before] = task_site.records(key=bytes.fromhex(key))
    assert before.label != before.answer
    right = person.page.locator(f"button.choice[value={before.answer}]")
    person.press(right.get_attribute("data-key") or "")
    until(lambda: task_site.records(key=bytes.fromhex(key))[0].label == before.answer)


def test_d_the_accuracy_in_production_is_shown(
    begin: Callable[..., Clicker], task_site: Site
) -> None:
    """Labels that are told later are compared with what was answered."""
    said = [task_site.predict(f"un billet pour Lyon n° {it}")["prediction"] for it in range(4)]
    answer = tables.served_answer
    with task_site.store.reading() as connection:
        until(lambda: connection.scalar(select(func.count()).select_from(answer)) == 4)
    truths = [*said[:3], "purchase" if said[3] != "purchase" else "find-train"]
    told = [
        {"sentence": f"un billet pour Lyon n° {it}", "intent": label}
        for it, label in enumerate(truths)
    ]
    assert task_site.post("/labels/intents", told, API_KEY).status == 200
    person = begin(signed_in=False)
    person.click("In production", card("intents"))
    expect(person.page.locator(".headline")).to_contain_text("75 % right in production")
    expect(person.page.locator("tbody tr").first).to_contain_text("intents@1")


def test_e_two_versions_are_compared_and_the_better_one_activated(
    begin: Callable[..., Clicker],
) -> None:
    """The comparison says what changed, lists the records, and offers the next training."""
    person = begin()
    person.click("Models", card("tones"))
    person.click("Compare", role="button")
    expect(person.page.locator("main")).to_contain_text("10 records are mended")
    expect(person.page.get_by_role("region", name="Mended").locator("tbody tr")).to_have_count(10)
    expect(person.page.get_by_role("button", name="Retrain")).to_be_visible()
    person.click("Activate tones@1", role="button")
    expect(person.page.locator("main")).to_contain_text("tones@1 gives the answers now.")


def test_f_a_file_comes_back_with_predictions(
    begin: Callable[..., Clicker], work: Callable[[], None], tmp_path: Path
) -> None:
    """The rows keep their order and their columns."""
    person = begin()
    person.click("Predict a file", card("intents"))
    text = "no,sentence\n7,je veux acheter un livre\n3,à quelle heure part le train\n"
    (tmp_path / "asked.csv").write_text(text)
    person.count(person.page.locator("input[type=file]")).set_input_files(tmp_path / "asked.csv")
    person.click("Predict the rows", role="button")
    expect(person.page.get_by_text("waiting for a worker")).to_be_visible()
    work()
    link = person.page.get_by_role("link", name=re.compile("^Download"))
    rows = downloaded(person, link)
    assert [row["no"] for row in rows] == ["7", "3"]
    assert all(row["prediction"] for row in rows)


def downloaded(person: Clicker, link: Locator) -> list[dict[str, str]]:
    """Click on a link, and return the rows of the CSV file that it leads to."""
    with person.page.expect_download() as download:
        person.count(link).click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_g_a_dropped_table_becomes_a_dataset_that_answers(
    begin: Callable[..., Clicker], work: Callable[[], None]
) -> None:
    """The pages follow the work by themselves, and the next step is one click away."""
    person = begin(viewport=PHONE)
    page = person.page
    person.click("New dataset from a file")
    person.count(page.locator("label.drop")).evaluate(DROP, table())
    person.click("Read the file", role="button")
    expect(page.get_by_text("waiting for a worker")).to_be_visible()
    work()
    # The page shows the draft without being loaded again.
    page.get_by_label("Use street").check()
    page.get_by_label("Type of street").select_option("choice")
    assert findings(page) == []
    person.click("Create, import and train", role="button")
    work()
    expect(page.get_by_text("The dataset flats is there, with 60 rows.")).to_be_visible()
    page.get_by_role("link", name="Try it").click()
    expect(page.get_by_label("street")).to_be_visible()


def table() -> str:
    """Return a table in which the size decides on the rent; all streets but one are the same."""
    rows = [f"{20 + n},{['Lyon', 'Nice'][n % 2]},Rue A,{500 + 10 * n}" for n in range(ROWS)]
    return "\n".join(["size,town,street,rent", *rows]) + "\n"


def test_h_the_reason_why_a_worker_waits_is_shown(
    begin: Callable[..., Clicker], task_site: Site
) -> None:
    """The first page says it; one click further stand the readings with their limits."""
    with task_site.store.writing() as connection:
        worker = register_worker(connection)
        means = GateAverages(foreign_cores=0.86, memory_share=0.5, open_share=0.0)
        since = wall_seconds(connection) - 60
        limits = json.dumps(LIMITS)
        report = WorkerReport("closed", since, REASON, limits=limits, means=means)
        record_heartbeat(connection, worker, report)
    person = begin(signed_in=False)
    expect(person.page.locator("#workers")).to_contain_text("is waiting, for ")
    expect(person.page.locator("#workers")).to_contain_text(REASON)
    person.click("Server, workers and errors in detail")
    panel = person.page.locator("article.worker", has_text=REASON)
    expect(panel).to_contain_text("opens below 0.3, closes above 0.5")


def test_i_a_whole_listing_is_exported(begin: Callable[..., Clicker]) -> None:
    """The file has as many rows as the listing says."""
    person = begin(signed_in=False)
    person.click("Records", card("intents"))
    person.count(person.page.locator("select[name=show]")).select_option("disagreements")
    person.click("Filter", role="button")
    expect(person.page).to_have_url(re.compile("show=disagreements"))
    total = person.page.locator("main strong").first.inner_text()
    rows = downloaded(person, person.page.get_by_role("link", name="CSV", exact=True).first)
    assert len(rows) == int(re.sub(r"\D", "", total)) > 50


def test_j_the_api_is_called_from_its_documentation(begin: Callable[..., Clicker]) -> None:
    """The example is filled in, so that one click asks."""
    person = begin(signed_in=False)
    person.click("API", "header")
    operation = person.page.locator("#operations-intents-get_predict_intents")
    person.count(operation.locator(".opblock-summary-control")).click()
    person.count(operation.get_by_role("button", name="Execute")).click()
    live = operation.locator(".live-responses-table")
    expect(live.locator(".response-col_status").last).to_contain_text("200")
    expect(live).to_contain_text("prediction")


def test_the_pages_of_the_tasks_work_without_javascript(begin: Callable[..., Clicker]) -> None:
    """Links and forms are enough to predict, filter, label, compare and send a file."""
    page = begin(java_script_enabled=False).page
    page.get_by_label("Try it: sentence").fill("je veux acheter un livre")
    page.locator("form.one-line button").first.click()
    expect(page.locator(".reasons")).to_be_visible()
    page.locator("header nav a", has_text="intents").click()
    page.locator("select[name=label]").select_option("purchase")
    page.locator("form.filter button").click()
    expect(page).to_have_url(re.compile("label=purchase"))
    expect(page.locator("tbody tr")).to_have_count(50)
    first = page.locator("tbody tr").first.inner_text()
    page.locator("a[rel=next]").click()
    expect(page.locator("tbody tr").first).not_to_have_text(first)
    expect(page.locator("tbody tr").first).to_contain_text("purchase")
    page.locator("tbody tr a").first.click()
    expect(page.locator("h1")).to_contain_text("one record")
    page.locator(".tabs a", has_text="Label").click()
    expect(page.locator("button.choice[name=label]")).to_have_count(8)
    shown = page.locator("#labelling input[name=key]").first.input_value()
    page.locator("button.choice[name=label]").first.click()
    expect(page.locator(f"#labelling input[value='{shown}']")).to_have_count(0)
    page.get_by_role("button", name="Undo the last label").click()
    expect(page.locator(f"#labelling input[value='{shown}']").first).to_be_attached()
    page.locator(".tabs a", has_text="Predict a file").click()
    expect(page.locator("form.upload input[type=file]")).to_be_visible()
    page.locator("header nav a", has_text="tones").click()
    page.locator(".tabs a", has_text="Models").click()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("h1")).to_have_text("tones@1 and tones@2")
