"""The plots of a run: what its charts show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmark.load.generator import Floats, Seen
from benchmark.load.scenario import Scenario
from benchmark.summary import Step, steps

from .chart import BAD, FIRST, INK, SECOND, THIRD, Chart


@dataclass(frozen=True)
class Run:
    """All that charts are drawn from."""

    scenario: Scenario
    seen: Seen
    # Seconds, share of a core, MiB: a row each.
    server: Floats

    @cached_property
    def times_by_second(self) -> list[Floats]:
        """How many milliseconds the good answers took, by the second in which they were asked."""
        good = self.seen.good
        seconds = self.seen.began_seconds[good].astype(int)
        order = np.argsort(seconds, kind="stable")
        edges = np.searchsorted(seconds[order], np.arange(1, _whole_seconds(self) + 1))
        return np.split(self.seen.milliseconds[good][order], edges)[:-1]


def charts(run: Run) -> list[Chart]:
    """Return the charts of a run, in the order of reading."""
    found = [
        Chart("load", "Users and requests a second", _load_note(run), lambda on: _load(run, on)),
        Chart(
            "latency", "Time to the answer, second by second",
            "Half, 95 and 99 of a hundred answers took no longer.",
            lambda on: _latency(run, on),
        ),
        Chart(
            "distribution", "How many answers took how long",
            "The scale is logarithmic: each step to the right is ten times as long.",
            lambda on: _distribution(run, on),
        ),
        Chart(
            "throughput", "Requests a second against time to the answer",
            _throughput_note(run), lambda on: _throughput(run, on),
        ),
        Chart(
            "sources", "Answers by source", "Who made what was answered.",
            lambda on: _sources(run, on),
        ),
        Chart(
            "errors", "Errors", "Requests that got no good answer, in each second.",
            lambda on: _errors(run, on),
        ),
        Chart(
            "cpu", "CPU", "Of one core. A generator near the whole of its own measures itself.",
            lambda on: _cpu(run, on),
        ),
    ]  # fmt: skip
    if len(run.server):
        found.append(
            Chart(
                "memory", "The server's memory",
                "All of its processes; what they share is counted once.",
                lambda on: _memory(run, on),
            )
        )  # fmt: skip
    return found


def _load_note(run: Run) -> str:
    if run.scenario.is_open:
        return "Requests are sent at a given rate, whether the last ones were answered or not."
    return "Each user waits for an answer, and a while, before the next question."


def _throughput_note(run: Run) -> str:
    if len(run.scenario.rates) > 1:
        return "A point is a stage; the knee is the highest rate that was answered in time."
    return "A point is a second."


def _whole_seconds(run: Run) -> int:
    return int(np.ceil(run.scenario.whole_seconds))


def per_second(run: Run, which: np.ndarray) -> Floats:
    """Return how many of these requests began in each second."""
    seconds = run.seen.began_seconds[which].astype(int)
    length = _whole_seconds(run)
    return np.bincount(np.clip(seconds, 0, length - 1), minlength=length).astype(float)


def percentile_per_second(run: Run, share: float) -> Floats:
    """Return each second's percentile of what was answered, nan where nothing was."""
    each = run.times_by_second
    return np.array([np.percentile(times, share) if len(times) else np.nan for times in each])


def _legend(on: Axes, at: Literal["lower left", "lower right"] = "lower left") -> None:
    """Name the lines above the axes, where none of them runs."""
    on.legend(loc=at, bbox_to_anchor=(0 if "left" in at else 1, 1), ncols=3)


def _log(axis: Axis) -> None:
    """Write numbers as people do: 20, not 2 × 10¹."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _time_axis(on: Axes) -> None:
    on.set_xlabel("seconds")
    on.set_xlim(left=0)


def _load(run: Run, on: Axes) -> None:
    seen = run.seen
    on.plot(per_second(run, np.ones(len(seen), bool)), color=FIRST, label="requests/s")
    on.set_ylabel("requests/s")
    on.set_ylim(bottom=0)
    if not run.scenario.is_open:
        users = on.twinx()
        users.plot(seen.ticks[:, 0], seen.ticks[:, 1], color=SECOND, label="users")
        users.set_ylabel("users")
        users.set_ylim(bottom=0)
        users.grid(visible=False)
        _legend(users, "lower right")
    _legend(on)
    _time_axis(on)


def _latency(run: Run, on: Axes) -> None:
    for share, colour in ((50, THIRD), (95, FIRST), (99, SECOND)):
        on.plot(percentile_per_second(run, share), color=colour, label=f"p{share}")
    on.set_yscale("log")
    _log(on.yaxis)
    on.set_ylabel("ms")
    _legend(on)
    _time_axis(on)


def _distribution(run: Run, on: Axes) -> None:
    times = np.maximum(run.seen.milliseconds[run.seen.good], 0.01)
    if len(times):
        edges = np.logspace(np.log10(times.min()), np.log10(times.max() * 1.01), 60)
        on.hist(times, bins=list(edges), color=FIRST)
        for share in (50, 95, 99):
            at = float(np.percentile(times, share))
            on.axvline(at, color=SECOND, linewidth=1)
            on.annotate(f" p{share} {at:.3g} ms", (at, 1), xycoords=("data", "axes fraction"),
                        rotation=90, va="top", ha="right", fontsize=8)  # fmt: skip
    on.set_xscale("log")
    _log(on.xaxis)
    on.set_xlabel("ms")
    on.set_ylabel("answers")


def _throughput(run: Run, on: Axes) -> None:
    if len(run.scenario.rates) > 1:
        _knee(steps(run.scenario, run.seen), on)
    else:
        on.scatter(
            per_second(run, run.seen.good),
            percentile_per_second(run, 95),
            s=12,
            color=FIRST,
            label="p95",
        )
        _legend(on)
    on.set_yscale("log")
    _log(on.yaxis)
    on.set_xlim(left=0)
    on.set_xlabel("answers a second")
    on.set_ylabel("ms")


def _knee(all_steps: list[Step], on: Axes) -> None:
    rates = [one.answered_rate for one in all_steps]
    for name, colour in (("p50", THIRD), ("p95", FIRST), ("p99", SECOND)):
        on.plot(rates, [getattr(one, name) for one in all_steps], "o-", color=colour, label=name)
    late = next((one for one in all_steps if not one.is_held), None)
    held = max((one.rate for one in all_steps if one.is_held), default=None)
    if held is not None:
        words = f" held: {held:g}/s" + ("" if late else ", no knee yet")
        on.axvline(held, color=INK, linewidth=1, linestyle="--")
        on.annotate(words, (held, 0.97), xycoords=("data", "axes fraction"), va="top", ha="right")
    _legend(on)


def _sources(run: Run, on: Axes) -> None:
    seen = run.seen
    named = [(name, seen.source == name) for name in ("teacher", "student")]
    other = seen.good & (seen.source == "")
    shown = [*named, *([("other", other)] if other.any() else [])]
    layers = [per_second(run, which) for _, which in shown]
    colours = (FIRST, SECOND, THIRD)[: len(layers)]
    on.stackplot(
        range(_whole_seconds(run)), layers, labels=[name for name, _ in shown], colors=colours
    )
    on.set_ylabel("answers/s")
    _legend(on)
    _time_axis(on)


def _errors(run: Run, on: Axes) -> None:
    failures = per_second(run, ~run.seen.good)
    on.bar(range(len(failures)), failures, color=BAD, width=1)
    on.set_ylim(0, max(failures.max(initial=0), 1))
    on.set_ylabel("errors/s")
    if not failures.any():
        on.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
    _time_axis(on)


def _cpu(run: Run, on: Axes) -> None:
    ticks = run.seen.ticks
    on.plot(ticks[:, 0], 100 * ticks[:, 3], color=SECOND, label="generator")
    if len(run.server):
        on.plot(run.server[:, 0], 100 * run.server[:, 1], color=FIRST, label="server")
    on.set_ylabel("% of a core")
    on.set_ylim(bottom=0)
    _legend(on)
    _time_axis(on)


def _memory(run: Run, on: Axes) -> None:
    on.plot(run.server[:, 0], run.server[:, 2], color=FIRST)
    on.set_ylabel("MiB")
    on.set_ylim(0, 1.15 * float(run.server[:, 2].max()))
    _time_axis(on)
