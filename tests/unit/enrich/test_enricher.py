"""Tests of enrichers and plans: what is found, what is refused, and when values become stale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from db.errors import EnricherError
from db.records.dataset import Dataset, PlanStep
from db.records.models.trained_model import Model
from db.scoring.packed_numbers import Vector
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Field, NumberField, TextField
from db.spec.section import EnricherSpec
from enrich.enrichers.base import Enricher, find_enricher, find_enrichers
from enrich.enrichers.value import to_value
from enrich.import_string import import_from_path
from enrich.planning.plan import make_plan
from tests.conftest import settings_for
from tests.unit import sample_code

CODE = "tests.unit.sample_code"
CODE_PATHS = settings_for("sqlite:///unused.db").code_paths
FIELDS: dict[str, Field] = {"wish": TextField(), "age": NumberField()}
ENRICHERS = {
    "length": EnricherSpec(use=f"{CODE}.Length", reads=("wish",), config={"unit": 1}),
    "double": EnricherSpec(use=f"{CODE}.Double", reads=("length",)),
    "words": EnricherSpec(use=f"{CODE}.Words", reads=("wish",)),
}


def spec(enrichers: dict[str, EnricherSpec], **more: Any) -> DatasetSpec:  # noqa: ANN401
    """Return the spec of a dataset with these enrichers."""
    options = {"kind": "classification", "target": "room", "fields": FIELDS, **more}
    return DatasetSpec(name="guests", enrichers=enrichers, **options)


def plan(
    enrichers: dict[str, EnricherSpec] = ENRICHERS,
    model: Model | None = None,
    **more: Any,  # noqa: ANN401
) -> dict[str, PlanStep]:
    """Return the steps of the plan by name, in their order."""
    dataset = Dataset(1, spec(enrichers, **more), (), 0)
    return {
        step.name: step
        for step in make_plan(dataset, model, find_enrichers(dataset.spec, CODE_PATHS))
    }


def changed(before: dict[str, PlanStep], after: dict[str, PlanStep]) -> set[str]:
    """Return the names of steps whose values are stale."""
    return {name for name, step in before.items() if step.fingerprint != after[name].fingerprint}


def model(reads: dict[str, str], **more: Any) -> Model:  # noqa: ANN401
    """Return a model that reads these enrichers."""
    options = {"version": 1, "teacher_sha256": "t", "student_sha256": "s", "metrics": {}, **more}
    return Model(id=1, active=True, made_at=0.0, reads=reads, kept=True, **options)


def find(**options: Any) -> Enricher:  # noqa: ANN401
    """Return the only enricher of a spec."""
    return find_enricher(spec({"length": EnricherSpec(**options)}), "length", CODE_PATHS)


def test_an_enricher_is_found_by_its_dotted_path_and_computes() -> None:
    """It is created with its configuration."""
    enricher = find(use=f"{CODE}.Length", config={"unit": 2})
    assert enricher.start()([{"wish": "a view"}, {"wish": ""}]) == [3, 0]


@pytest.mark.parametrize("use", ["language", "text_profile", "embedding"])
def test_a_built_in_enricher_is_found_by_its_name(use: str) -> None:
    """It needs no entry in CODE_PATHS, and it reads all text fields and nothing else."""
    enrichers = {"mine": EnricherSpec(use=use), use: EnricherSpec()}
    for name in enrichers:
        assert find_enricher(spec(enrichers), name, ()).reads == ("wish",)


def test_an_enricher_reads_all_fields_by_default() -> None:
    """An enricher that takes only text reads all text fields."""
    assert find(use=f"{CODE}.Length").reads == ("wish", "age")
    assert find(use=f"{CODE}.Length", reads=("age",)).reads == ("age",)
    assert find(use=f"{CODE}.Words").reads == ("wish",)


def test_an_enricher_of_text_needs_a_text_field() -> None:
    """Otherwise it would read nothing."""
    numbers = spec({"language": EnricherSpec()}, fields={"age": NumberField()})
    with pytest.raises(EnricherError, match="reads text, and guests has no text field"):
        find_enricher(numbers, "language", ())


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("", r"enrichers\.length\.use: 'length' is neither a dotted path nor one of embedding"),
        ("lenght", r"enrichers\.length\.use: 'lenght' is neither"),
        (f"{CODE}.Unversioned", "has no version; give it one"),
        (f"{CODE}.NOT_CODE", "has no version"),
        (f"{CODE}.Missing", "has no Missing"),
        ("tests.unit.no_such_file.Length", "cannot be imported"),
        ("os.path.join", r"os\.path\.join: is outside CODE_PATHS \(datasets, tests\)"),
        ("enrich.enrichers.language.Language", "is outside CODE_PATHS"),
    ],
)
def test_code_that_cannot_be_used_is_refused_with_the_fix(use: str, message: str) -> None:
    """The error comes when the dataset is planned, not with the first record."""
    with pytest.raises(EnricherError, match=message):
        find(use=use)


@pytest.mark.parametrize(
    "path", ["os.system", "tests_of_others.x", "datasets2.x", ".tests.x", "tests", "", "Tests.x"]
)
def test_a_path_outside_code_paths_is_not_imported(path: str) -> None:
    """A user who may load a dataset must not be able to run any installed code."""
    with pytest.raises(EnricherError, match="is outside CODE_PATHS"):
        import_from_path(path, CODE_PATHS)


def test_a_path_inside_code_paths_is_imported() -> None:
    """The path may name any object of the module."""
    assert import_from_path(f"{CODE}.Length", ("tests",)) is sample_code.Length


def test_an_unknown_key_of_a_configuration_is_named() -> None:
    """Python's own message names the key."""
    with pytest.raises(EnricherError, match=r"enrichers\.length\.config: .*'size'"):
        find(use=f"{CODE}.Length", config={"size": 2}).start()


@pytest.mark.parametrize(
    ("computed", "stored"),
    [
        (np.array([1.5, -2.0]), Vector(b"\x00\x00\xc0\x3f\x00\x00\x00\xc0")),
        (np.array([1, 2], dtype=">i8"), Vector(b"\x00\x00\x80\x3f\x00\x00\x00\x40")),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),  # noqa: FBT003
        ("fr", "fr"),
        ({"a": [1]}, {"a": [1]}),
        (None, None),
    ],
)
def test_a_value_is_stored_as_a_vector_or_as_json(computed: object, stored: object) -> None:
    """The store never sees a NumPy type."""
    value = to_value(computed)
    assert value == stored
    assert type(value) is type(stored)


def test_steps_come_after_the_steps_that_they_read() -> None:
    """The order in the spec does not matter."""
    steps = plan({name: ENRICHERS[name] for name in ("double", "words", "length")})
    names = list(steps)
    assert set(names) == {"length", "double", "words"}
    assert names.index("length") < names.index("double")
    assert steps["double"].reads == ("length",)
    assert steps["length"].reads == ()


def test_enrichers_that_read_each_other_in_a_circle_are_refused() -> None:
    """None of them could start."""
    circle = {
        "length": EnricherSpec(use=f"{CODE}.Length", reads=("wish", "double")),
        "double": ENRICHERS["double"],
    }
    with pytest.raises(EnricherError, match="in a circle") as caught:
        plan(circle)
    assert "length" in str(caught.value)
    assert "double" in str(caught.value)


def test_a_new_version_makes_its_values_and_their_readers_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other values stay valid."""
    before = plan()
    monkeypatch.setattr(sample_code.Length, "version", "2")
    assert changed(before, plan()) == {"length", "double"}


@pytest.mark.parametrize(
    ("name", "changes", "stale"),
    [
        ("length", {"config": {"unit": 2}}, {"length", "double"}),
        ("length", {"config": {}}, {"length", "double"}),
        ("length", {"reads": ("wish", "age")}, {"length", "double"}),
        ("double", {"reads": ("length", "age")}, {"double"}),
        ("words", {"reads": ("wish", "length")}, {"words"}),
        ("words", {"use": f"{CODE}.Length"}, {"words"}),
    ],
)
def test_a_change_makes_dependent_values_stale(
    name: str, changes: dict[str, Any], stale: set[str]
) -> None:
    """The configuration, the inputs and the code path all count."""
    old = ENRICHERS[name]
    options = {"use": old.use, "reads": old.reads, "config": old.config, **changes}
    assert changed(plan(), plan({**ENRICHERS, name: EnricherSpec(**options)})) == stale


@pytest.mark.parametrize(
    "more",
    [
        {"title": "Guests"},
        {"retain_days": 3},
        {"labels": ("big", "small")},
        {"teacher": f"{CODE}.middle"},
        {"fields": {"wish": TextField(title="Wish", max_length=5), "age": NumberField(max=130)}},
        {"fields": {**FIELDS, "note": TextField()}},
    ],
)
def test_a_change_that_no_enricher_sees_makes_nothing_stale(more: dict[str, Any]) -> None:
    """Computing all values again takes hours."""
    assert changed(plan(), plan(**more)) == set()


def test_neither_another_enricher_nor_another_order_makes_anything_stale() -> None:
    """The order of the configuration's keys does not matter either."""
    config = {"unit": 1, "start": 2}
    length = EnricherSpec(use=f"{CODE}.Length", config=config)
    reordered = EnricherSpec(use=f"{CODE}.Length", config=dict(reversed(config.items())))
    before = plan({"length": length, "double": ENRICHERS["double"]})
    after = plan({"words": ENRICHERS["words"], "double": ENRICHERS["double"], "length": reordered})
    assert changed(before, after) == set()


def test_the_prediction_comes_last_and_reads_what_the_model_reads() -> None:
    """Without a model there is no prediction step."""
    steps = plan(model=model({"double": "x"}))
    assert list(steps)[-1] == "prediction"
    assert steps["prediction"].reads == ("double",)
    assert "prediction" not in plan()


def test_a_model_that_reads_a_removed_enricher_is_not_planned() -> None:
    """Stored predictions are served until another model is trained."""
    assert "prediction" not in plan(model=model({"gone": "x"}))


def test_predictions_are_stale_when_the_model_or_what_it_reads_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A change of an enricher that the model does not read leaves them valid."""
    before = plan(model=model({"length": "x"}))
    for changes in ({"version": 2}, {"teacher_sha256": "u"}, {"student_sha256": "u"}):
        assert changed(before, plan(model=model({"length": "x"}, **changes))) == {"prediction"}
    monkeypatch.setattr(sample_code.Words, "version", "2")
    assert changed(before, plan(model=model({"length": "x"}))) == {"words"}
    monkeypatch.setattr(sample_code.Length, "version", "2")
    after = plan(model=model({"length": "x"}))
    assert changed(before, after) == {"words", "length", "double", "prediction"}
