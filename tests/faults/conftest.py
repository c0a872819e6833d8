"""What fault tests share: whether to run their full form, which takes long."""

from __future__ import annotations

import os

# `make test` runs a short form of each; VEILLEUSE_FAULTS=full runs all that the project claims.
FULL = os.environ.get("VEILLEUSE_FAULTS") == "full"
