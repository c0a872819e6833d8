"""The normal form of values: texts and numbers that mean the same become the same."""

from __future__ import annotations

import re
import unicodedata

# Above this, a float cannot represent every whole number.
LARGEST_WHOLE = 2**53
# Real text has at most a few combining marks per letter. The time to normalise a text grows with
# the square of the number of consecutive marks.
MAX_COMBINING_MARKS = 100
# These characters decompose into combining marks but have the combining class 0.
_MARKS_WITHOUT_CLASS = frozenset("\u0f73\u0f75\u0f81")

_SPACE = re.compile(r"[ \t\n\v\f\r\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def is_normal(text: str) -> bool:
    """Return True for most texts that are in their normal form, in a tenth of the time."""
    # No control character, and no white space but the plain space, is printable.
    is_plain = text.isprintable() and "  " not in text and not text.startswith(" ")
    if not is_plain or text.endswith(" "):
        return False
    return text.isascii() or (
        not _has_long_run_of_marks(text) and unicodedata.is_normalized("NFC", text)
    )


def normal_text(text: str) -> str:
    """Return the text in NFC, trimmed, with each run of white space as one space.

    Raises ValueError if it contains a control character, half a surrogate pair or a long run of
    combining marks.
    """
    if is_normal(text):
        return text
    control = _CONTROL.search(text.replace("\x85", " "))
    if control:
        raise ValueError(f"contains the control character U+{ord(control.group()):04X}")
    if _has_long_run_of_marks(text):
        raise ValueError(f"has more than {MAX_COMBINING_MARKS} combining marks in a row")
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip(" ")


def _has_long_run_of_marks(text: str) -> bool:
    if len(text) <= MAX_COMBINING_MARKS or text.isascii():
        return False
    # Wherever a long run is, it has one of these characters.
    if not any(map(_is_mark, text[:: MAX_COMBINING_MARKS + 1])):
        return False
    run = 0
    for character in text:
        run = run + 1 if _is_mark(character) else 0
        if run > MAX_COMBINING_MARKS:
            return True
    return False


def _is_mark(character: str) -> bool:
    return unicodedata.combining(character) > 0 or character in _MARKS_WITHOUT_CLASS


def normal_number(number: float) -> int | float:
    """Return the normal form of a number: 30 for 30.0 and 3e1, 0 for -0."""
    if isinstance(number, float) and number.is_integer() and abs(number) < LARGEST_WHOLE:
        return int(number)
    return number
