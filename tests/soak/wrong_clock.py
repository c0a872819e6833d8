"""A clock that can be set while a process runs."""

from __future__ import annotations

# Runs `python -m enrich` with a wall clock that is ahead by the number of seconds in a file, which
# is read each time. Monotonic clocks are as they are.
OTHER_CLOCK = """
import datetime, runpy, sys, time
_, file, *arguments = sys.argv
right = time.time

def wrong():
    with open(file, encoding="ascii") as clock:
        return right() + float(clock.read() or 0)

class Wrong(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(wrong(), tz)

time.time, datetime.datetime = wrong, Wrong
sys.argv = ["enrich", *arguments]
runpy.run_module("enrich", run_name="__main__", alter_sys=True)
"""
