"""Single values: numbers, dates, texts and addresses of databases."""

from __future__ import annotations

from contextlib import suppress

from db.errors import InputError
from db.settings import load_settings
from db.spec.number_format import parse_format
from tests.fuzz.specs import EVERY_KIND
from tests.fuzz.target import FuzzTarget


def _read_values(data: bytes) -> None:
    """Read a text as a value of every kind; what was read is read again and must be the same."""
    text = data.decode("utf-8", "replace")
    for name in EVERY_KIND.fields:
        with suppress(InputError):
            read = EVERY_KIND.read_inputs({name: text})
            again = EVERY_KIND.read_inputs({name: read[name]})
            assert EVERY_KIND.key(read) == EVERY_KIND.key(again), (name, read, again)
    with suppress(InputError):
        EVERY_KIND.read_label(text)
    with suppress(ValueError):
        parse_format(text)


def _read_settings(data: bytes) -> object:
    """Read the environment of a process, one variable a line."""
    lines = data.decode("utf-8", "replace").splitlines()
    environ = dict(line.split("=", 1) for line in lines if "=" in line)
    return load_settings(environ)


_VALUES = (
    *(b"1,234.5", b"1e308", b"-0", b"(12)", "−5".encode(), b"1_0", b"0x1F", "１２".encode()),
    *(b"2026-01-31T12:00:00+02:00", b"31.12.2025", b"May 1, 2024 3 pm", b"1700000000"),
    *(b"true", "e\u0301 a".encode(), b"Lyon", b"\xff\xfe"),
)
_SETTINGS = (
    b"DATABASE_URL=postgres://a:b@c.example,d.example:5432/e?sslmode=require&schema=f\nPORT=80",
    b"TRUSTED_PROXIES=10.0.0.0/8,::1,unix\nBASE_PATH=/ml\nALLOWED_HOSTS=.example\nHOST=[::]",
    b"API_KEYS=sha256:" + b"0" * 64 + b"\nGATE_OPEN_CORES=0.1\nSPEC_VARIABLES=A_*",
)

VALUE = FuzzTarget("value", _read_values, _VALUES)
SETTINGS = FuzzTarget("settings", _read_settings, _SETTINGS)
