"""The charts of a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from benchmark.load.generator import Floats, LoadResult
from benchmark.load.scenario import Scenario
from benchmark.summary import Stage, stages, time_percentile

from .chart import BAD, FIRST, INK, SECOND, STUDENT, TEACHER, THIRD, Chart, show_plain_numbers


@dataclass(frozen=True)
class RunData:
    """The measurements that charts show."""

    scenario: Scenario
    load: LoadResult
    # The server's resources, a row per reading: seconds, share of a core, MiB.
    server: Floats

    @cached_property
    def times_by_second(self) -> list[Floats]:
        """The milliseconds of the good answers, grouped by the second of their request."""
        good = self.load.good
        seconds = self.load.began_seconds[good].astype(int)
        order = np.argsort(seconds, kind="stable")
        edges = np.searchsorted(seconds[order], np.arange(1, _whole_seconds(self) + 1))
        return np.split(self.load.milliseconds[good][order], edges)[:-1]


def charts(run: RunData) -> list[Chart]:
    """Return the charts of a run in the order of the page."""
    all_charts = [
        Chart(
            "load",
            "Users and requests per second",
            _load_note(run),
            lambda axes: _load(run, axes),
        ),
        Chart(
            "latency",
            "Response time per second",
            "Percentiles of the good answers to the requests of each second.",
            lambda axes: _latency(run, axes),
        ),
        Chart(
            "distribution",
            "Distribution of response times",
            "The time axis is logarithmic.",
            lambda axes: _distribution(run, axes),
        ),
        Chart(
            "throughput",
            "Throughput and response time",
            _throughput_note(run),
            lambda axes: _throughput(run, axes),
        ),
        Chart(
            "sources",
            "Answers by source",
            "Stored predictions come from the teacher, all others from the student.",
            lambda axes: _sources(run, axes),
        ),
        Chart(
            "errors",
            "Errors",
            "Requests per second without a good answer.",
            lambda axes: _errors(run, axes),
        ),
        Chart(
            "cpu",
            "CPU",
            "As a share of one core. A load generator near 100 % measures itself, not the server.",
            lambda axes: _cpu(run, axes),
        ),
    ]
    if len(run.server):
        all_charts.append(
            Chart(
                "memory",
                "Server memory",
                "All processes of the server; shared memory counts once.",
                lambda axes: _memory(run, axes),
            )
        )
    return all_charts


def _load_note(run: RunData) -> str:
    if run.scenario.is_open:
        return "Requests are sent at a fixed rate, without waiting for answers."
    return "Each user waits for the answer, and some seconds more, before the next request."


def _throughput_note(run: RunData) -> str:
    if len(run.scenario.rates) > 1:
        return "Each point is a stage; the knee is the highest rate that was answered in time."
    return "Each point is one second."


def _whole_seconds(run: RunData) -> int:
    return int(np.ceil(run.scenario.whole_seconds))


def per_second(run: RunData, is_counted: np.ndarray) -> Floats:
    """Return how many of the selected requests began in each second."""
    seconds = run.load.began_seconds[is_counted].astype(int)
    length = _whole_seconds(run)
    return np.bincount(np.clip(seconds, 0, length - 1), minlength=length).astype(float)


def percentile_per_second(run: RunData, share: float) -> Floats:
    """Return a percentile of the response times in each second, nan without answers."""
    by_second = run.times_by_second
    return np.array(
        [time_percentile(times, share) if len(times) else np.nan for times in by_second]
    )


def _legend(axes: Axes, at: Literal["lower left", "lower right"] = "lower left") -> None:
    """Add a legend above the axes, where it hides no line."""
    axes.legend(loc=at, bbox_to_anchor=(0 if "left" in at else 1, 1), ncols=3)


def _time_axis(axes: Axes) -> None:
    axes.set_xlabel("seconds")
    axes.set_xlim(left=0)


def _load(run: RunData, axes: Axes) -> None:
    load = run.load
    axes.plot(per_second(run, np.ones(len(load), bool)), color=FIRST, label="requests/s")
    axes.set_ylabel("requests/s")
    axes.set_ylim(bottom=0)
    if not run.scenario.is_open:
        users = axes.twinx()
        users.plot(load.ticks[:, 0], load.ticks[:, 1], color=SECOND, label="users")
        users.set_ylabel("users")
        users.set_ylim(bottom=0)
        users.grid(visible=False)
        _legend(users, "lower right")
    _legend(axes)
    _time_axis(axes)


def _latency(run: RunData, axes: Axes) -> None:
    for share, colour in ((50, THIRD), (95, FIRST), (99, SECOND)):
        axes.plot(percentile_per_second(run, share), color=colour, label=f"p{share}")
    axes.set_yscale("log")
    show_plain_numbers(axes.yaxis)
    axes.set_ylabel("ms")
    _legend(axes)
    _time_axis(axes)


def _distribution(run: RunData, axes: Axes) -> None:
    times = np.maximum(run.load.milliseconds[run.load.good], 0.01)
    if len(times):
        edges = np.logspace(np.log10(times.min()), np.log10(times.max() * 1.01), 60)
        axes.hist(times, bins=list(edges), color=FIRST)
        for share in (50, 95, 99):
            at = time_percentile(times, share)
            axes.axvline(at, color=SECOND, linewidth=1)
            axes.annotate(f" p{share} {at:.3g} ms", (at, 1), xycoords=("data", "axes fraction"),
                        rotation=90, va="top", ha="right", fontsize=8)  # fmt: skip
    axes.set_xscale("log")
    show_plain_numbers(axes.xaxis)
    axes.set_xlabel("ms")
    axes.set_ylabel("answers")


def _throughput(run: RunData, axes: Axes) -> None:
    if len(run.scenario.rates) > 1:
        _knee(stages(run.scenario, run.load), axes)
    else:
        axes.scatter(
            per_second(run, run.load.good),
            percentile_per_second(run, 95),
            s=12,
            color=FIRST,
            label="p95",
        )
        _legend(axes)
    axes.set_yscale("log")
    show_plain_numbers(axes.yaxis)
    axes.set_xlim(left=0)
    axes.set_xlabel("answers/s")
    axes.set_ylabel("ms")


def _knee(all_stages: list[Stage], axes: Axes) -> None:
    rates = [stage.answered_rate for stage in all_stages]
    for name, colour in (("p50", THIRD), ("p95", FIRST), ("p99", SECOND)):
        axes.plot(
            rates, [getattr(stage, name) for stage in all_stages], "o-", color=colour, label=name
        )
    is_knee_reached = not all(stage.is_held for stage in all_stages)
    held = max((stage.rate for stage in all_stages if stage.is_held), default=None)
    if held is not None:
        label = f" held: {held:g}/s" + ("" if is_knee_reached else ", knee not reached")
        axes.axvline(held, color=INK, linewidth=1, linestyle="--")
        axes.annotate(label, (held, 0.97), xycoords=("data", "axes fraction"), va="top", ha="right")
    _legend(axes)


def _sources(run: RunData, axes: Axes) -> None:
    load = run.load
    named = [(name, load.source == name) for name in ("teacher", "student")]
    other = load.good & (load.source == "")
    shown = [*named, *([("other", other)] if other.any() else [])]
    layers = [per_second(run, is_counted) for _, is_counted in shown]
    colours = (TEACHER, STUDENT, THIRD)[: len(layers)]
    axes.stackplot(
        range(_whole_seconds(run)), layers, labels=[name for name, _ in shown], colors=colours
    )
    axes.set_ylabel("answers/s")
    _legend(axes)
    _time_axis(axes)


def _errors(run: RunData, axes: Axes) -> None:
    failures = per_second(run, ~run.load.good)
    axes.bar(range(len(failures)), failures, color=BAD, width=1)
    axes.set_ylim(0, max(failures.max(initial=0), 1))
    axes.set_ylabel("errors/s")
    if not failures.any():
        axes.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
    _time_axis(axes)


def _cpu(run: RunData, axes: Axes) -> None:
    ticks = run.load.ticks
    axes.plot(ticks[:, 0], 100 * ticks[:, 3], color=SECOND, label="generator")
    if len(run.server):
        axes.plot(run.server[:, 0], 100 * run.server[:, 1], color=FIRST, label="server")
    axes.set_ylabel("% of a core")
    axes.set_ylim(bottom=0)
    _legend(axes)
    _time_axis(axes)


def _memory(run: RunData, axes: Axes) -> None:
    axes.plot(run.server[:, 0], run.server[:, 2], color=FIRST)
    axes.set_ylabel("MiB")
    axes.set_ylim(0, 1.15 * float(run.server[:, 2].max()))
    _time_axis(axes)
