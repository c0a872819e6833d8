"""The report: a table of regressions, one of classifications, counts and remarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean

from .result import Result

_SHARED = ("columns", "peer", "teacher", "student", "student compared with the peer")
_TIMES = ("train: time, CPU", "answer: CPU")
COVERAGE = 0.9
COVERED = (0.88, 0.92)
MOST_CALIBRATION_ERROR = 0.03
MOST_MICROSECONDS = 25.0


def report_lines(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of the report, in Markdown."""
    regressions = [one for one in results if one.kind == "regression"]
    classifications = [one for one in results if one.kind == "classification"]
    if regressions:
        head = ["regressions: R², RMSE", *_SHARED, "coverage of 90 % intervals", *_TIMES]
        yield from _table(head, [_regression(one) for one in regressions])
    if classifications:
        head = [
            "classifications: accuracy, macro-F1, log loss",
            *_SHARED,
            "ECE: peer, teacher, chance",
        ]
        yield from _table([*head, *_TIMES], [_classification(one) for one in classifications])
    yield from counts(results)
    yield from remarks(results)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| --- |{' --- |' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _regression(result: Result) -> list[str]:
    def show(metrics: dict[str, float]) -> str:
        return f"{metrics['r2']:.3f}, {metrics['rmse']:.4g}"

    models = [show(one) for one in (result.peer, result.teacher, result.student)]
    share = result.teacher.get("coverage")
    covered = "none" if share is None else f"{share:.1%} ± {_coverage_error(result):.1%}"
    return [*_start(result), *_models(result, models), _compared(result), covered, *_end(result)]


def _coverage_error(result: Result) -> float:
    """Return the standard error of the coverage if it is right."""
    return float((COVERAGE * (1 - COVERAGE) / result.held_out_rows) ** 0.5)


def _classification(result: Result) -> list[str]:
    def show(metrics: dict[str, float]) -> str:
        names = ("accuracy", "macro_f1", "log_loss")
        return ", ".join(f"{metrics[name]:.3f}" for name in names)

    models = [show(one) for one in (result.peer, result.teacher, result.student)]
    errors = [one["calibration_error"] for one in (result.peer, result.teacher)]
    errors.append(result.student["calibration_error_by_chance"])
    calibration = ", ".join(f"{error:.3f}" for error in errors)
    compared = _compared(result)
    return [*_start(result), *_models(result, models), compared, calibration, *_end(result)]


def _start(result: Result) -> list[str]:
    return [f"{result.table}, {result.rows:,} rows", str(result.columns)]


def _models(result: Result, shown: list[str]) -> list[str]:
    peer, teacher, student = shown
    return [peer, teacher, "the same" if result.student_is_teacher else student]


def _compared(result: Result) -> str:
    return f"{result.comparison.verdict} ({result.comparison.z:+.1f} se)"


def _end(result: Result) -> list[str]:
    train = f"{result.train_seconds:.1f} s, {result.train_cpu_seconds:.1f} s"
    return [train, f"{result.microseconds:.1f} µs"]


def counts(results: Sequence[Result]) -> Iterator[str]:
    """Yield the counts over all tables."""
    total, verdicts = len(results), [one.comparison.verdict for one in results]
    lower = sum(one.comparison.difference < 0 for one in results)
    yield (
        f"student and peer: the student is not worse by more than one standard error on"
        f" {total - verdicts.count('worse')} of {total}; lower loss on {lower},"
        f" by more than one standard error on {verdicts.count('better')}"
    )
    near = sum(one.student_is_near for one in results)
    same = sum(one.student_is_teacher for one in results)
    yield f"student: within 1 % of the teacher on {near} of {total}; it is the teacher on {same}"
    yield from _spread(results)
    fast = sum(one.microseconds <= MOST_MICROSECONDS for one in results)
    slowest = max(results, key=lambda one: one.microseconds)
    yield (
        f"student: at most {MOST_MICROSECONDS:g} µs an answer on {fast} of {total};"
        f" slowest {slowest.table}, {slowest.microseconds:.1f} µs"
    )
    slow = max(results, key=lambda one: one.train_cpu_seconds)
    yield (
        f"training: {sum(one.train_seconds for one in results):.0f} s in all, of the CPU"
        f" {sum(one.train_cpu_seconds for one in results):.0f} s;"
        f" longest {slow.table}, {slow.train_cpu_seconds:.1f} s of the CPU"
    )


def _spread(results: Sequence[Result]) -> Iterator[str]:
    """Yield the coverage of regressions and the calibration error of classifications."""
    covering = [one for one in results if "coverage" in one.teacher]
    if covering:
        yield from _coverage(covering)
    labelled = [one for one in results if one.kind == "classification"]
    if labelled:
        yield from _calibration(labelled)


def _coverage(results: Sequence[Result]) -> Iterator[str]:
    shares = [one.teacher["coverage"] for one in results]
    inside = sum(COVERED[0] <= share <= COVERED[1] for share in shares)
    by_chance = sum(
        abs(share - COVERAGE) <= 2 * _coverage_error(one)
        for share, one in zip(shares, results, strict=True)
    )
    yield (
        f"coverage of regressions: mean {mean(shares):.1%},"
        f" {min(shares):.1%} to {max(shares):.1%}; {COVERED[0]:.0%} to {COVERED[1]:.0%}"
        f" on {inside} of {len(shares)},"
        f" within two standard errors of {COVERAGE:.0%} on {by_chance}"
    )


def _calibration(results: Sequence[Result]) -> Iterator[str]:
    ours, peers = (
        [model["calibration_error"] for model in models]
        for models in ([one.teacher for one in results], [one.peer for one in results])
    )
    chance = mean(one.student["calibration_error_by_chance"] for one in results)
    small = sum(error <= MOST_CALIBRATION_ERROR for error in ours)
    lower = sum(one < other for one, other in zip(ours, peers, strict=True))
    yield (
        f"ECE of classifications: mean {mean(ours):.3f} (peer {mean(peers):.3f}, by chance"
        f" {chance:.3f}); at most {MOST_CALIBRATION_ERROR} on {small} of {len(results)};"
        f" below the peer's on {lower}"
    )


def remarks(results: Sequence[Result]) -> Iterator[str]:
    """Yield what the commands read otherwise than the peer, a line for each remark."""
    for result in results:
        for remark in result.remarks:
            yield f"{result.table}: {remark}"
