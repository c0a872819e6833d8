"""A wall clock that can be set while a process runs; monotonic clocks are as they are."""

from __future__ import annotations

# Replaces the clock by one that is ahead by the number of seconds in a file, read each time.
WRONG_CLOCK = """
import datetime, time
right = time.time

def wrong():
    with open(file, encoding="ascii") as clock:
        return right() + float(clock.read() or 0)

class Wrong(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(wrong(), tz)

time.time, datetime.datetime = wrong, Wrong
"""
# Runs `python -m enrich` with that clock.
OTHER_CLOCK = f"""
import runpy, sys
_, file, *arguments = sys.argv
{WRONG_CLOCK}
sys.argv = ["enrich", *arguments]
runpy.run_module("enrich", run_name="__main__", alter_sys=True)
"""
