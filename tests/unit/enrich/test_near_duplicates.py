"""Near duplicates: which records are grouped, and how alike they are said to be."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest

from db.errors import EnricherError
from enrich.enrichers.near_duplicates import NearDuplicates, row_features

TRAIN = "un billet de train pour Marseille samedi matin en première classe"
SENTENCES = {
    "05": TRAIN,
    "03": "Un billet de train pour Marseille samedi matin, en première classe !",
    "08": "un bilet de train pour Marseille samedi matin en première classe",
    "01": "quel hôtel avec piscine près de la gare de Lyon ce soir",
    "02": "je cherche un restaurant italien ouvert le dimanche midi",
}
ALPHABET = "abcdefghijklmnop"


def survey(sentences: dict[str, str], **config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the findings about some sentences by key."""
    rows = ({"wish": text} for text in sentences.values())
    return NearDuplicates(**config).analyse(zip(sentences, rows, strict=True))


def altered(count: int) -> dict[str, str]:
    """Return sentences of made-up words, each twice, the second time with one letter changed."""
    chance = random.Random(1)
    made: dict[str, str] = {}
    for number in range(count):
        words = ["".join(chance.choices(ALPHABET, k=6)) for _ in range(10)]
        made[f"{number:04x}a"] = " ".join(words)
        words[3] = words[3][:2] + "z" + words[3][3:]
        made[f"{number:04x}b"] = " ".join(words)
    return made


def test_records_that_say_nearly_the_same_are_one_group_named_by_its_smallest_key() -> None:
    """Capitals, punctuation and a typing error make no other record; the rest is not told of."""
    found = survey(SENTENCES)
    assert set(found) == {"03", "05", "08"}
    assert {finding["group"] for finding in found.values()} == {"03"}
    assert {finding["size"] for finding in found.values()} == {3}
    assert found["05"]["similarity"] == found["03"]["similarity"] == 1.0
    assert 0.8 <= found["08"]["similarity"] < 1.0


def test_the_order_of_rows_changes_nothing() -> None:
    """Nor does another run."""
    sentences = altered(100) | SENTENCES
    expected = survey(sentences)
    for seed in range(3):
        keys = random.Random(seed).sample(sorted(sentences), len(sentences))
        assert survey({key: sentences[key] for key in keys}) == expected


def test_a_lower_threshold_finds_more() -> None:
    """From equal words alone to sentences that share a half."""
    sentences = SENTENCES | {"04": "un billet de train pour Marseille dimanche soir"}
    found = {threshold: set(survey(sentences, threshold=threshold)) for threshold in (1, 0.8, 0.4)}
    assert found[1] == {"03", "05"}
    assert found[0.8] == {"03", "05", "08"}
    assert found[0.4] == {"03", "04", "05", "08"}


def test_no_similarity_is_below_the_threshold() -> None:
    """What the index proposes is checked."""
    found = survey(altered(200), threshold=0.9)
    assert found
    assert min(finding["similarity"] for finding in found.values()) >= 0.9


def test_nearly_all_of_many_typing_errors_are_found_and_nothing_else() -> None:
    """Each pair is a group of its own."""
    found = survey(altered(300))
    assert len(found) > 0.9 * 600
    assert all(finding["group"] == key[:4] + "a" for key, finding in found.items())
    assert all(finding["size"] == 2 for finding in found.values())


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    """Its ends need not be alike."""
    chance = random.Random(2)
    words = ["".join(chance.choices(ALPHABET, k=6)) for _ in range(30)]
    chain = {}
    for number in range(10):
        words[number] = "zzzzzz"[: 3 + number % 3] + words[number]
        chain[f"{number:02}"] = " ".join(words)
    assert {finding["group"] for finding in survey(chain).values()} == {"00"}


def test_thousands_of_equal_records_are_one_group() -> None:
    """And not all of them are compared with each other: that would take minutes."""
    found = survey({f"{number:05x}": TRAIN for number in range(3000)})
    assert len(found) == 3000
    assert found["00bb7"] == {"group": "00000", "size": 3000, "similarity": 1.0}


def test_records_with_nothing_to_compare_are_no_duplicates() -> None:
    """Signs without a word are compared as they stand."""
    found = survey({"01": "", "02": "  ", "03": "???", "04": "!!", "05": "???"})
    assert set(found) == {"03", "05"}


def test_accents_make_another_word_and_capitals_do_not() -> None:
    """As they do to a reader."""
    assert (
        row_features({"wish": "ÉTÉ"})
        == row_features({"wish": "été"})
        != row_features({"wish": "ete"})
    )


def test_other_values_count_whole() -> None:
    """With their field's name; a missing one says nothing."""
    assert row_features({"age": 30, "floor": 30.0, "wish": None}) == {"age=30", "floor=30.0"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"threshold": 0}, r"config\.threshold: must be above 0 and at most 1, like 0\.8, .* is 0"),
        ({"threshold": 1.1}, r"config\.threshold: .* is 1\.1"),
        ({"threshold": "0.8"}, r"config\.threshold: .* is '0\.8'"),
        ({"threshold": True}, r"config\.threshold: .* is True"),
        ({"threshold": float("nan")}, r"config\.threshold: .* is nan"),
        ({"permutations": 8}, r"config\.permutations: must be a whole number from 16 to 512"),
        ({"permutations": 1000}, r"config\.permutations: .* is 1000"),
        ({"permutations": 64.0}, r"config\.permutations: .* is 64\.0"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(config: dict[str, Any], said: str) -> None:
    """Before the first row is read."""
    with pytest.raises(EnricherError, match=said):
        NearDuplicates(**config)


@pytest.mark.parametrize("threshold", [0.01, 0.5, 0.95, 0.99, 1])
@pytest.mark.parametrize("permutations", [16, 64, 512])
def test_every_configuration_that_is_taken_works(threshold: float, permutations: int) -> None:
    """The index can be made for it."""
    found = survey(SENTENCES, threshold=threshold, permutations=permutations)
    assert {"03", "05"} <= set(found)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is asked for anything, not when it is named in a spec."""
    monkeypatch.setitem(sys.modules, "datasketch", None)
    made = NearDuplicates()
    with pytest.raises(EnricherError) as caught:
        made.analyse([])
    assert str(caught.value) == (
        "near_duplicates needs datasketch: pip install -r requirements-extra.txt"
    )


@pytest.mark.parametrize("module", ["near_duplicates", "label_issues"])
def test_naming_a_set_enricher_loads_no_heavy_package(module: str) -> None:
    """A worker reads its version without paying for it."""
    heavy = "{'datasketch', 'cleanlab', 'numpy', 'scipy', 'pandas'}"
    code = f"import sys, enrich.enrichers.{module}; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
