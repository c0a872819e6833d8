"""Bodies of answers: unpacks them within a limit, and decodes their text."""

from __future__ import annotations

import codecs
import re
import zlib
from typing import Any

import msgspec

PLAIN = frozenset({"", "identity"})
# Servers compress in spite of `Accept-Encoding: identity`, which RFC 9110 (12.5.3) allows.
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
# zlib's parameter for a gzip or zlib header, which it recognises, and for neither: some servers
# send a bare deflate stream.
ANY_HEADER, NO_HEADER = 47, -15

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32 first: its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python knows other codecs, some of them slow, that are no character sets of the web.
_CHARSET = re.compile(
    r"ascii|utf-(8|16|32)(-[bl]e)?|iso8859-\d+|cp125\d|koi8-[ru]|mac-roman"
    r"|gb2312|gbk|gb18030|big5|shift_jis|euc_(jp|kr)"
)
_WIDE = ("utf-16", "utf-32")


class BodyError(ValueError):
    """The body of an answer cannot be read."""


def unpack(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Return a body without its content encoding, cut a little above the limit.

    Raises BodyError.
    """
    encoding = encoding.strip().lower()
    if encoding in PLAIN:
        return body
    if encoding not in PACKED:
        raise BodyError("the answer is compressed in a way that was not accepted")
    try:
        try:
            return _inflate(body, ANY_HEADER, limit_bytes)
        except zlib.error:
            if encoding != "deflate":
                raise
            return _inflate(body, NO_HEADER, limit_bytes)
    except zlib.error:
        raise BodyError("the answer is compressed, and damaged") from None


def _inflate(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
    """Return the unpacked bytes; a gzip body may have several members."""
    unpacked = bytearray()
    while body and len(unpacked) <= limit_bytes:
        member = zlib.decompressobj(window_bits)
        unpacked += member.decompress(body, limit_bytes + 1 - len(unpacked))
        if not member.eof and len(unpacked) <= limit_bytes:
            raise zlib.error("the stream is cut off")
        body = member.unused_data
    return bytes(unpacked)


def decode_text(body: bytes, charset: str = "") -> str:
    """Return the text of a body; raises BodyError.

    A byte order mark decides. JSON is UTF-8 by RFC 8259, so that is tried before another declared
    character set: servers declare ISO-8859-1 without meaning it.
    """
    encoding = next((name for mark, name in _MARKS if body.startswith(mark)), "")
    declared = _known_charset(charset)
    if not encoding and declared.startswith(_WIDE):
        encoding = declared
    for one in dict.fromkeys((encoding,) if encoding else ("utf-8", declared or "utf-8")):
        try:
            return body.decode(one)
        except UnicodeDecodeError:
            continue
    raise BodyError("the answer is not text in its character set")


def _known_charset(charset: str) -> str:
    """Return Python's name of a character set, "" for one that is not known."""
    try:
        name = codecs.lookup(charset).name if charset else ""
    except (LookupError, ValueError):
        return ""
    return name if _CHARSET.fullmatch(name) else ""


def decode_json(body: bytes, charset: str = "") -> Any:  # noqa: ANN401  whatever JSON can say
    """Return the JSON value of a body; raises ValueError or RecursionError."""
    return msgspec.json.decode(decode_text(body, charset))
