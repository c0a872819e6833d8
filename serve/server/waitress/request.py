"""How waitress reads the head of a request, and how it refuses one that it cannot read.

waitress 3.0.2 has no public names for some of what is used here; its version is pinned, and tests
hold the behaviour.
"""

from __future__ import annotations

import copy
import re
from typing import Any, Protocol

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from serve.api.access.body_limit import PLAIN, BodyLimit
from serve.api.wsgi import Environ


class BodyChannel(Protocol):
    """The connection of a request, which knows its client."""

    def find_body_limit(self, environ: Environ) -> BodyLimit:
        """Return how large the body of a request may be."""
        ...


VERSIONS = frozenset({"1.0", "1.1"})
ONLY_CHUNKED = "the only Transfer-Encoding that is understood is chunked"
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# By the beginning of what waitress says, and otherwise by the status: the words for clients. The
# line at fault is not repeated, because it may hold a key.
_WORDS = {
    "Start line": "the first line is not METHOD ADDRESS HTTP/1.1; write a space in an address as"
    " %20",
    "HTTP message header": "the first line is not METHOD ADDRESS HTTP/1.1",
    "Bare CR or LF": "a line of the head ends with a bare CR or LF; end lines with CR LF",
    "Malformed header line": "a header is continued on a second line; write it on one line",
    "Invalid header": "a header is not NAME: VALUE, or has a control character",
    "Content-Length is invalid": "Content-Length is not one whole number",
}
_WORDS_OF_STATUS = {
    431: "the first line and the headers have more than {head:,} bytes; send long inputs in the"
    " body of a POST",
    500: "an error on the server; it has been logged",
    501: ONLY_CHUNKED,
}


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """Accepts raw UTF-8 in an address, and refuses heads that other servers read differently."""

    adj: Any
    body_limit = PLAIN
    # Decides on the size of a body; without it, bodies are of the usual size.
    channel: BodyChannel | None = None
    # The header lines, as they came.
    head = b""

    @property
    def is_upload(self) -> bool:
        """Whether the body may be larger than usual, and so takes longer to come."""
        return self.body_limit.most_bytes > PLAIN.most_bytes

    @property
    def is_plain(self) -> bool:
        """Whether nothing came but a head, and the connection stays open after the answer."""
        return (
            self.version == "1.1"
            and not self.connection_close
            and self.body_rcv is None
            and not self.chunked
            and "CONTENT_LENGTH" not in self.headers
            and "EXPECT" not in self.headers
        )

    def received(self, data: bytes) -> int:
        """Handle bytes of the request; return how many belong to it."""
        taken: int = super().received(data)
        if self.error or self.completed:
            # A refused body must not be asked for. Having asked for one that there is none of,
            # waitress would wait for it.
            self.expect_continue = False
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the first line and the headers; raises ParsingError."""
        line, end, rest = header_plus.partition(b"\r\n")
        if rest.startswith((b" ", b"\t")) or b"\r\n " in rest or b"\r\n\t" in rest:
            raise ParsingError("Malformed header line")
        super().parse_header(ascii_line(line) + end + rest)
        self.head = rest
        if self.version not in VERSIONS:
            raise ParsingError("only HTTP/1.1 and HTTP/1.0 are understood")
        host = self.headers.get("HOST", "")
        fault = host_fault(host, self.version) or length_fault(
            self.headers, is_chunked=self.chunked
        )
        if fault:
            raise ParsingError(fault)
        if self.content_length > PLAIN.most_bytes:
            self._raise_limit()

    def _raise_limit(self) -> None:
        """Find out whether a body that is larger than usual may come."""
        if self.channel is None:
            return
        self.body_limit = self.channel.find_body_limit(self._make_environ())
        if self.is_upload:
            self.adj = copy.copy(self.adj)
            # waitress refuses bodies of this size.
            self.adj.max_request_body_size = self.body_limit.most_bytes + 1

    def _make_environ(self) -> Environ:
        """Return what of the request decides on the size of its body."""
        return {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": self.path,
            "wsgi.url_scheme": "http",
            **{f"HTTP_{name}": value for name, value in self.headers.items()},
        }


def ascii_line(line: bytes) -> bytes:
    """Return the first line with raw UTF-8 percent-encoded, as the client should have sent it.

    Raises ParsingError for other bytes: they could be any letter.
    """
    if line.isascii():
        return line
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        raise ParsingError(
            "the address has bytes that are not UTF-8; write such characters as %C3%A9"
        ) from None
    return _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line)


def host_fault(host: str, version: str) -> str:
    """Return what is wrong with the header Host, "" if nothing is."""
    if not host and version == "1.1":
        return "the header Host is missing"
    return "the header Host is given more than once" if "," in host else ""


def length_fault(headers: dict[str, str], *, is_chunked: bool) -> str:
    """Return what is wrong with the length of the body, "" if nothing is.

    A proxy in front of this server could understand such a request differently, and pass on the
    rest of a body as another client's request.
    """
    if is_chunked and "CONTENT_LENGTH" in headers:
        return "Content-Length and Transfer-Encoding are both given; send one of them"
    if not is_chunked and "TRANSFER_ENCODING" in headers:
        return "HTTP/1.0 has no Transfer-Encoding; send Content-Length"
    return ""


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """The answer to a request that the server cannot read: a problem, as of any other refusal."""

    def execute(self) -> None:
        """Send the problem, and close the connection: its next bytes could be anything."""
        error, adj = self.request.error, self.channel.adj
        body_words = self.request.body_limit.words
        words = refusal_words(error.code, error.body, body_words, adj.max_request_header_size)
        answer = self.channel.server.application.refuse(error.code, words)
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(answer.headers)
        self.set_close_on_finish()
        self.content_length = len(answer.body)
        self.write(answer.body)


def refusal_words(status: int, words: str, body_words: str, head_bytes: int) -> str:
    """Return what a client is told, from what waitress or the parser says."""
    if status == 413:  # noqa: PLR2004  Content Too Large
        return body_words
    if status in _WORDS_OF_STATUS:
        return _WORDS_OF_STATUS[status].format(head=head_bytes)
    return next((ours for theirs, ours in _WORDS.items() if words.startswith(theirs)), words)
