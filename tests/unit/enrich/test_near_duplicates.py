"""Tests of near duplicates: which records form a group, and how similar they are."""

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


def analyse(sentences: dict[str, str], **config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the findings about these sentences, by key."""
    rows = ({"wish": text} for text in sentences.values())
    return NearDuplicates(**config).analyse(zip(sentences, rows, strict=True))


def altered(count: int) -> dict[str, str]:
    """Return sentences of random words, each twice, the second time with one letter changed."""
    rng = random.Random(1)
    sentences: dict[str, str] = {}
    for number in range(count):
        words = ["".join(rng.choices(ALPHABET, k=6)) for _ in range(10)]
        sentences[f"{number:04x}a"] = " ".join(words)
        words[3] = words[3][:2] + "z" + words[3][3:]
        sentences[f"{number:04x}b"] = " ".join(words)
    return sentences


def test_nearly_equal_records_are_one_group_named_after_its_smallest_key() -> None:
    """Records that differ in capitals, punctuation or a typing error are; others have no value."""
    findings = analyse(SENTENCES)
    assert set(findings) == {"03", "05", "08"}
    assert {finding["group"] for finding in findings.values()} == {"03"}
    assert {finding["size"] for finding in findings.values()} == {3}
    assert findings["05"]["similarity"] == findings["03"]["similarity"] == 1.0
    assert 0.8 <= findings["08"]["similarity"] < 1.0


def test_the_order_of_rows_changes_nothing() -> None:
    """A second run gives the same groups."""
    sentences = altered(100) | SENTENCES
    expected = analyse(sentences)
    for seed in range(3):
        keys = random.Random(seed).sample(sorted(sentences), len(sentences))
        assert analyse({key: sentences[key] for key in keys}) == expected


def test_a_lower_threshold_finds_more() -> None:
    """At 1 the words must be equal; at 0.4, sentences that share half of them are found."""
    sentences = SENTENCES | {"04": "un billet de train pour Marseille dimanche soir"}
    findings = {
        threshold: set(analyse(sentences, threshold=threshold)) for threshold in (1, 0.8, 0.4)
    }
    assert findings[1] == {"03", "05"}
    assert findings[0.8] == {"03", "05", "08"}
    assert findings[0.4] == {"03", "04", "05", "08"}


def test_no_similarity_is_below_the_threshold() -> None:
    """The similarity of each candidate from the index is computed."""
    findings = analyse(altered(200), threshold=0.9)
    assert findings
    assert min(finding["similarity"] for finding in findings.values()) >= 0.9


def test_nearly_all_of_many_typing_errors_are_found_and_nothing_else() -> None:
    """Each pair of sentences is its own group."""
    findings = analyse(altered(300))
    assert len(findings) > 0.9 * 600
    assert all(finding["group"] == key[:4] + "a" for key, finding in findings.items())
    assert all(finding["size"] == 2 for finding in findings.values())


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    """The two ends of the chain need not be similar."""
    rng = random.Random(2)
    words = ["".join(rng.choices(ALPHABET, k=6)) for _ in range(30)]
    chain = {}
    for number in range(10):
        words[number] = "zzzzzz"[: 3 + number % 3] + words[number]
        chain[f"{number:02}"] = " ".join(words)
    assert {finding["group"] for finding in analyse(chain).values()} == {"00"}


def test_thousands_of_equal_records_are_one_group() -> None:
    """They are not all compared with each other, which would take minutes."""
    findings = analyse({f"{number:05x}": TRAIN for number in range(3000)})
    assert len(findings) == 3000
    assert findings["00bb7"] == {"group": "00000", "size": 3000, "similarity": 1.0}


def test_records_with_nothing_to_compare_are_not_duplicates() -> None:
    """Punctuation without words is compared as it is."""
    findings = analyse({"01": "", "02": "  ", "03": "???", "04": "!!", "05": "???"})
    assert set(findings) == {"03", "05"}


def test_accents_make_another_word_and_capitals_do_not() -> None:
    """Readers see the same difference."""
    assert (
        row_features({"wish": "ÉTÉ"})
        == row_features({"wish": "été"})
        != row_features({"wish": "ete"})
    )


def test_other_values_are_compared_as_a_whole() -> None:
    """A feature includes the name of its field; a missing value has no feature."""
    assert row_features({"age": 30, "floor": 30.0, "wish": None}) == {"age=30", "floor=30.0"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"threshold": 0}, r"config\.threshold: must be above 0 and at most 1, like 0\.8, not 0"),
        ({"threshold": 1.1}, r"config\.threshold: .* not 1\.1"),
        ({"threshold": "0.8"}, r"config\.threshold: .* not '0\.8'"),
        ({"threshold": True}, r"config\.threshold: .* not True"),
        ({"threshold": float("nan")}, r"config\.threshold: .* not nan"),
        ({"permutations": 8}, r"config\.permutations: must be a whole number from 16 to 512"),
        ({"permutations": 1000}, r"config\.permutations: .* not 1000"),
        ({"permutations": 64.0}, r"config\.permutations: .* not 64\.0"),
    ],
)
def test_an_invalid_configuration_is_refused(config: dict[str, Any], message: str) -> None:
    """The error comes before the first row is read."""
    with pytest.raises(EnricherError, match=message):
        NearDuplicates(**config)


@pytest.mark.parametrize("threshold", [0.01, 0.5, 0.95, 0.99, 1])
@pytest.mark.parametrize("permutations", [16, 64, 512])
def test_every_valid_configuration_works(threshold: float, permutations: int) -> None:
    """The index can be built for each of them."""
    findings = analyse(SENTENCES, threshold=threshold, permutations=permutations)
    assert {"03", "05"} <= set(findings)


def test_without_datasketch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes at the first use, not when a spec names the enricher."""
    monkeypatch.setitem(sys.modules, "datasketch", None)
    enricher = NearDuplicates()
    with pytest.raises(EnricherError) as caught:
        enricher.analyse([])
    assert str(caught.value) == (
        "near_duplicates needs datasketch: pip install -r requirements-extra.txt"
    )


@pytest.mark.parametrize("module", ["near_duplicates", "label_issues"])
def test_importing_a_set_enricher_loads_no_heavy_package(module: str) -> None:
    """Workers import it only to read its version."""
    heavy = "{'datasketch', 'cleanlab', 'numpy', 'scipy', 'pandas'}"
    code = f"import sys, enrich.enrichers.{module}; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
