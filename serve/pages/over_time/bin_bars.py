"""Small bars that compare the shares of bins: in training, and now."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from serve.pages.formatting import percent
from serve.pages.language.translation import gettext as _

from .input_drift import BinShare

BIN_WIDTH, BAR_WIDTH, HEIGHT = 12, 5, 40


def bin_bars(shares: Sequence[BinShare]) -> str:
    """Return two bars for each bin as SVG, with a title that names it and says both shares.

    The image is hidden from screen readers, since the largest change stands next to it.
    """
    top = max((max(share.trained, share.now) for share in shares), default=0) or 1
    bins = "".join(
        f"<g><title>{escape(_title(share))}</title>"
        f'<path d="M{at * BIN_WIDTH} 0v{HEIGHT}h{BIN_WIDTH}V0"/>'
        f"{_bar('rest', at * BIN_WIDTH, share.trained / top)}"
        f"{_bar('student', at * BIN_WIDTH + BAR_WIDTH, share.now / top)}</g>"
        for at, share in enumerate(shares)
    )
    size = f'viewBox="0 0 {BIN_WIDTH * max(len(shares), 1)} {HEIGHT}" preserveAspectRatio="none"'
    return f'<svg class="bins" {size} aria-hidden="true" focusable="false">{bins}</svg>'


def _title(share: BinShare) -> str:
    text = _("{bin}: {before} in training, {now} now")
    return text.format(bin=share.name, before=percent(share.trained), now=percent(share.now))


def _bar(color: str, x: int, share: float) -> str:
    height = round(HEIGHT * share, 1)
    return f'<path class="{color}" d="M{x} {HEIGHT}v-{height:g}h{BAR_WIDTH}v{height:g}"/>'
