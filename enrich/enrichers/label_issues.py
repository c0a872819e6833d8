"""Label issues: labels that are probably wrong."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from db.errors import EnricherError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
)


class LabelIssues:
    """Finds labels that are probably wrong, by the teacher's out-of-fold answers.

    `filter_by` names the rule of cleanlab that decides. Source: Northcutt, Jiang and Chuang,
    Confident Learning, JAIR 70 (2021).
    """

    version = "1"
    kind = "answers"
    listing_column = "issue"

    def __init__(self, filter_by: str = "prune_by_noise_rate") -> None:
        if filter_by not in FILTERS:
            raise EnricherError(
                f"config.filter_by: must be one of {', '.join(FILTERS)}, not {filter_by!r}"
            )
        self._filter_by = filter_by

    def analyse(
        self,
        keys: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        probabilities: NDArray[np.floating[Any]],
    ) -> dict[str, Any]:
        """Return by key whether the label is an issue, its quality, and the suggested label.

        `probabilities` are out-of-fold, rows by classes. The quality, from 0 to 1, is the
        probability of the label's own class. A row whose label is not a class is left out. A key
        may occur in several rows: then it is an issue if one of them is, the quality is that of
        the worst, and `rows` and `issues` are how many there are and how many are issues.
        """
        filters, rank = _cleanlab()
        import numpy as np  # noqa: PLC0415  a worker reads the version above without NumPy

        known = [row for row, label in enumerate(labels) if label in classes]
        if not known:
            return {}
        label_indices = np.array([classes.index(labels[row]) for row in known])
        answers = np.asarray(probabilities)[known]
        quality = rank.get_self_confidence_for_each_label(label_indices, answers)
        issues = self._issues(filters, label_indices, answers)
        best = answers.argmax(axis=1)
        findings: dict[str, Any] = {}
        for at, row in enumerate(known):
            found = {
                "issue": bool(issues[at]),
                "quality": round(float(quality[at]), 4),
                "suggested": classes[best[at]],
            }
            before = findings.get(keys[row])
            findings[keys[row]] = _joined(before, found) if before else found
        return findings

    def _issues(self, filters: Any, label_indices: Any, answers: Any) -> Any:  # noqa: ANN401
        """Return True or False for each row; with fewer than two classes no label is an issue."""
        if len(set(label_indices.tolist())) < 2:  # noqa: PLR2004
            return [False] * len(label_indices)
        with warnings.catch_warnings():
            # cleanlab never flags the only label of a class, and the user cannot change that.
            warnings.filterwarnings("ignore", "May not flag all label issues in class")
            return filters.find_label_issues(
                label_indices, answers, filter_by=self._filter_by, n_jobs=1
            )


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return the finding about a key from those about its earlier rows and about one more."""
    return {
        "issue": first["issue"] or second["issue"],
        "quality": min(first["quality"], second["quality"]),
        "suggested": first["suggested"],
        "rows": first.get("rows", 1) + 1,
        "issues": first.get("issues", int(first["issue"])) + second["issue"],
    }


def _cleanlab() -> tuple[Any, Any]:
    """Return cleanlab's modules `filter` and `rank`, which are slow to import."""
    try:
        from cleanlab import filter as filters  # noqa: PLC0415  optional
        from cleanlab import rank  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EnricherError(
            "label_issues needs cleanlab: pip install -r requirements-extra.txt"
        ) from error
    return filters, rank
