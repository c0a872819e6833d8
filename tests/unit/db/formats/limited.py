"""Read a file in a process with little memory, as a hostile file must not need more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
# With the packages themselves; half of it is address space that is never used.
LIMIT_BYTES = 1200 << 20
LIMIT_SECONDS = 120
_PROGRAM = """
import resource, sys
from pathlib import Path
from db.errors import DataFileError
from db.files.reader import open_source
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
try:
    with open_source(Path(sys.argv[1])) as source:
        source.layout()
        print(sum(1 for _ in source.rows()), "rows")
except DataFileError as error:
    print(error)
"""


def read_limited(path: Path, limit_bytes: int = LIMIT_BYTES) -> str:
    """Return the error about a file without its name, or how many rows it has."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(path), str(limit_bytes)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    message = done.stdout.strip()
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")
