"""Run by Python at the start of every command that tests start: no priority is ever lowered.

A process at idle priority gets no CPU while other programs use all cores, so a test that waits for
one would depend on what else the machine does.
"""

from __future__ import annotations

import os

vars(os).update(nice=lambda _: 0, sched_setscheduler=lambda *_: None)
