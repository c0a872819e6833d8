"""The command `python -m serve`."""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    # Imports leave little garbage, and looking for it 15 times took a seventh of the start. What is
    # imported stays, so later collections, during which no request is answered, pass over it.
    gc.disable()
    from serve.command import run

    gc.collect()
    gc.freeze()
    gc.enable()
    sys.exit(run())
