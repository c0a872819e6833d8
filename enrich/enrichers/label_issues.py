"""Labels that are probably wrong."""

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
    """Which labels are probably wrong, by the teacher's out-of-fold answers.

    `filter_by` is the rule of cleanlab that decides: Northcutt, Jiang and Chuang, Confident
    Learning, JAIR 70 (2021).
    """

    version = "1"
    of_set = "answers"
    listing_column = "issue"

    def __init__(self, filter_by: str = "prune_by_noise_rate") -> None:
        if filter_by not in FILTERS:
            raise EnricherError(
                f"config.filter_by: must be one of {', '.join(FILTERS)}, and is {filter_by!r}"
            )
        self._filter_by = filter_by

    def survey(
        self,
        keys: Sequence[str],
        labels: Sequence[str],
        classes: Sequence[str],
        probabilities: NDArray[np.floating[Any]],
    ) -> dict[str, Any]:
        """Return whether each label is an issue, how far it is believed, and the likeliest class.

        `probabilities` are out-of-fold, rows by classes. The quality, from 0 to 1, is what the
        label's own class got of them. A row whose label is none of the classes is left out.
        """
        filters, rank = _cleanlab()
        import numpy as np  # noqa: PLC0415  a worker reads the version above without NumPy

        known = [row for row, label in enumerate(labels) if label in classes]
        if not known:
            return {}
        given = np.array([classes.index(labels[row]) for row in known])
        answers = np.asarray(probabilities)[known]
        quality = rank.get_self_confidence_for_each_label(given, answers)
        issues = self._issues(filters, given, answers)
        best = answers.argmax(axis=1)
        return {
            keys[row]: {
                "issue": bool(issues[at]),
                "quality": round(float(quality[at]), 4),
                "suggested": classes[best[at]],
            }
            for at, row in enumerate(known)
        }

    def _issues(self, filters: Any, given: Any, answers: Any) -> Any:  # noqa: ANN401
        """Return a truth value for each row; with fewer than two classes no label is an issue."""
        if len(set(given.tolist())) < 2:  # noqa: PLR2004
            return [False] * len(given)
        with warnings.catch_warnings():
            # A class with one label or none has none to spare; nobody can mend that here.
            warnings.filterwarnings("ignore", "May not flag all label issues in class")
            return filters.find_label_issues(given, answers, filter_by=self._filter_by, n_jobs=1)


def _cleanlab() -> tuple[Any, Any]:
    """Return the modules that find issues and rank labels; they are slow to import."""
    try:
        from cleanlab import filter as filters  # noqa: PLC0415  optional
        from cleanlab import rank  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EnricherError(
            "label_issues needs cleanlab: pip install -r requirements-extra.txt"
        ) from error
    return filters, rank
