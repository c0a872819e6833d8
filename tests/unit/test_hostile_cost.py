"""The cost of hostile values is bounded: whatever a client or a file sends takes linear time.

Each case runs in a child with a limit on its CPU time. Linear work takes less than a
millisecond a case; quadratic work takes a minute and more.
"""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from tests.conftest import ROOT

CPU_SECONDS = 20
CHARACTERS = 2**17
# What is repeated, and what ends it. Each made some pattern or loop quadratic, here or elsewhere.
REPEATED = [
    *("1", "1.", "1,", "1'", "1 ", " ", "\u00a0", "-", "(", ".", "e1", "a ", "e\u0301", "\u0301"),
    *("\u0f71\u0f72", "\u1161", "%", "&", ";", '"', "\\", "[", "{", "2024-01-01 ", "a@", "www."),
    *("\t", "\u20ac", "1\u20ac", "12:", "\ud55c"),
]
ENDS = ("", "x", "1", "\x00")

VALUES = """
from db.errors import InputError
from db.spec.field import *
from db.spec.validation import read_cell_number, read_value
from db.spec.normalization import normal_text
from db.spec.number_format import looks_grouped, parse_format
fields = [TextField(), TextField(max_length=10**7), ChoiceField(choices=("a",)), IntegerField()]
fields += [NumberField(), NumberField(format="$1,234.5"), NumberField(format="1 234,5 km")]
fields += [BooleanField(), DateField(order="DMY"), DatetimeField(), DatetimeField(order="epoch")]
readers = [lambda text, field=field: read_value("x", field, text) for field in fields]
readers += [normal_text, parse_format("1'234,5 €").read, lambda text: looks_grouped(text, ",")]
readers += [lambda text: read_cell_number(text, "1.234,5")]
"""
CELLS = """
from db.files.column_type import ColumnProfile
from db.files.csv_layout.column_names import name_columns
from db.files.draft.dataset_toml import slug
from db.files.guess_language import guess_language
from db.files.spreadsheet_cell import is_formula
readers = [lambda text: ColumnProfile("x").add(text), slug, is_formula]
readers += [lambda text: name_columns(1, [text, text]), lambda text: guess_language([text])]
"""
REQUESTS = """
from serve.api import media_type
from serve.api.access.host_check import HostCheck
from serve.api.access.rate_limit import client_of
from serve.api.access.session import open_session, read_cookie, session_end
from serve.api.query import read_item, read_items, read_query
from serve.pages.records.listing_query import read_listing_query
from serve.pages.trying.predict_form import _SHOWN
def latin(text):
    return text.encode().decode("latin-1")
def cookie(text):
    return read_cookie({"wsgi.url_scheme": "http", "HTTP_COOKIE": latin(text)})
readers = [pattern.fullmatch for pattern in _SHOWN.values()]
readers += [cookie, lambda text: cookie("veilleuse_session=" + text), HostCheck(("a",)).allows]
readers += [lambda text: read_query(latin(text)), lambda text: read_listing_query({"label": text})]
readers += [lambda text: [read_item(item) for item in read_items(text.encode())], client_of]
readers += [lambda text: session_end(text, 1, 1), lambda text: open_session("1." + text, [b"a"])]
readers += [lambda text: media_type._CHARSET.search("text/csv" + text)]
"""
RUN = """
import itertools
from db.errors import VeilleuseError
for unit, end in itertools.product({units!r}, {ends!r}):
    text = unit * ({size} // len(unit)) + end
    for reader in readers:
        try:
            reader(text)
        except (VeilleuseError, ValueError, LookupError):
            pass
"""


@pytest.mark.parametrize(
    "readers",
    [VALUES, CELLS, REQUESTS],
    ids=["values", "cells", "requests"],
)
def test_hostile_values_take_linear_time(readers: str) -> None:
    """They are refused or read."""
    code = readers + RUN.format(units=REPEATED, ends=ENDS, size=CHARACTERS)

    def limit_cpu() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        preexec_fn=limit_cpu,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
