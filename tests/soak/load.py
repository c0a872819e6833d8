"""Clients that ask and add rows all the time, and the ledger of what they were promised."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

API_KEY = "a-key-of-the-soak-test"
LABELS = ("calm", "glad", "angry")
_WORDS = ("river", "stone", "lamp", "bread", "cloud", "wheel", "green", "quick", "seven", "north")
# The rows that are imported at first.
ROWS = 300
PAUSE_SECONDS = 0.2
# A prediction may take so long while the store cannot be reached, and no longer.
MOST_SECONDS = 3.0
PREDICTIONS = {"new", "again"}


def sentence(number: int) -> str:
    """Return a sentence that no other number has."""
    words = [_WORDS[number // 10**place % 10] for place in range(3)]
    return f"{' '.join(words)} {number}"


def label_of(number: int) -> str:
    """Return the label of a sentence, which its first word decides."""
    return LABELS[number % 10 % len(LABELS)]


@dataclass
class Ledger:
    """What the server promised, and how it answered; safe in any thread."""

    # The sentences whose answer said that they are queued for the teacher.
    queued: set[str] = field(default_factory=set)
    # The sentences of rows that were added.
    added: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    slow: list[tuple[float, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, status: int | str, seconds: float) -> None:
        """Count an answer."""
        with self.lock:
            self.statuses[f"{kind} {status}"] += 1
            if kind in PREDICTIONS and seconds > MOST_SECONDS:
                self.slow.append((seconds, f"{kind} {status}"))


class LoadClient(threading.Thread):
    """Sends one request after the other to the web processes in turn, with short pauses."""

    def __init__(self, ports: Sequence[int], ledger: Ledger, number: int) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._ports = ports
        self._ledger = ledger
        self._random = random.Random(number)
        # Each client has sentences and rows of its own.
        self._next = (number + 1) * 1_000_000
        self.stopping = threading.Event()

    def run(self) -> None:
        """Send requests until `stopping` is set."""
        while not self.stopping.wait(PAUSE_SECONDS):
            action = self._random.choices(
                [self._ask_new, self._ask_again, self._add, self._list], _WEIGHTS
            )[0]
            action()

    def _ask_new(self) -> None:
        """Ask with a sentence that is new: it must always be answered, by the student."""
        self._next += 1
        text = sentence(self._next)
        status, body = self._send("new", f"/predict/moods?sentence={quote(text)}")
        if status == 200 and json.loads(body)["enrichment"] == "queued":
            with self._ledger.lock:
                self._ledger.queued.add(text)

    def _ask_again(self) -> None:
        text = sentence(self._random.randint(1, ROWS))
        self._send("again", f"/predict/moods?sentence={quote(text)}")

    def _list(self) -> None:
        """List records, which needs the store."""
        self._send("list", "/records/moods?show=all")

    def _add(self) -> None:
        """Add a row, and send it again with the same key until it is known to be stored."""
        self._next += 1
        text = sentence(self._next)
        item = json.dumps([{"sentence": text, "mood": label_of(self._next)}]).encode()
        while self._send("add", "/records/moods", item, f"add-{self._next}")[0] != 200:
            time.sleep(0.5)
        with self._ledger.lock:
            self._ledger.added.add(text)

    def _send(
        self, kind: str, target: str, body: bytes | None = None, key: str = ""
    ) -> tuple[int, bytes]:
        """Send a request and count its answer; the status is 0 where there was none."""
        headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._random.choice(self._ports), timeout=60
        )
        began = time.monotonic()
        try:
            connection.request("POST" if body else "GET", target, body, headers)
            response = connection.getresponse()
            status, answer = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            status, answer = 0, type(error).__name__.encode()
        finally:
            connection.close()
        self._ledger.note(kind, status, time.monotonic() - began)
        return status, answer


# How often each kind of request is made.
_WEIGHTS = (50, 25, 10, 15)
