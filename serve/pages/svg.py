"""Small charts as SVG, styled by the classes in page.css."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 240, 40
BAR_WIDTH, BARS_HEIGHT = 10, 60


def sparkline(
    points: Sequence[tuple[float, float]], span: float, top: float, limits: Sequence[float] = ()
) -> str:
    """Return a line of (seconds ago, value) over the last `span` seconds, from 0 to `top`.

    Each limit is drawn as a horizontal line. A gap longer than a twentieth of the span breaks the
    line.
    """
    top = max(top, 1e-9)
    pieces: list[str] = []
    before: float | None = None
    for ago, value in points:
        x = WIDTH * (1 - ago / span)
        y = HEIGHT * (1 - min(max(value / top, 0.0), 1.0))
        joined = before is not None and before - ago <= span / 20
        pieces.append(f"{'L' if joined else 'M'}{x:.0f} {y:.1f}{'' if joined else 'h1'}")
        before = ago
    line = f'<path class="line" d="{"".join(pieces)}"/>'
    for limit in limits:
        if limit <= top:
            y = HEIGHT * (1 - limit / top)
            line += f'<path class="limit" d="M0 {y:.1f}H{WIDTH}"/>'
    return _svg("spark", WIDTH, HEIGHT, line)


def hour_bars(hours: Sequence[Mapping[str, int]], kinds: Sequence[str]) -> str:
    """Return one bar per hour, the oldest first, stacked by kind."""
    top = max((sum(hour.values()) for hour in hours), default=0) or 1
    parts: list[str] = []
    for at, hour in enumerate(hours):
        y = float(BARS_HEIGHT)
        for kind in kinds:
            height = BARS_HEIGHT * hour.get(kind, 0) / top
            y -= height
            if height:
                parts.append(
                    f'<rect class="{escape(kind)}" x="{at * BAR_WIDTH + 1}" y="{y:.1f}"'
                    f' width="{BAR_WIDTH - 2}" height="{height:.1f}"/>'
                )
    return _svg("hours", BAR_WIDTH * len(hours), BARS_HEIGHT, "".join(parts))


def share_bar(share: float, kind: str = "") -> str:
    """Return a horizontal bar for a share from 0 to 1."""
    width = 100 * min(max(share, 0.0), 1.0)
    content = f'<rect class="{kind or "part"}" width="{width:.1f}" height="8"/>'
    return _svg("bar", 100, 8, content)


def _svg(kind: str, width: int, height: int, content: str) -> str:
    """Return an image hidden from screen readers, since the text next to it says the same."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
        f' aria-hidden="true" focusable="false">{content}</svg>'
    )
