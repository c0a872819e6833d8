"""Types of WSGI, and what the server passes to the application in its environ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

Environ: TypeAlias = dict[str, Any]
Headers: TypeAlias = list[tuple[str, str]]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

# WSGI's own keys, which hold what trusted proxies say as soon as the middleware has the request.
# The address of the client: IPv4, IPv6, or UNIX.
CLIENT_ADDRESS = "REMOTE_ADDR"
# http or https, as the client's browser shows it.
SCHEME = "wsgi.url_scheme"
# The host that the client asked for, with its port if it gave one; absent without a Host header.
HOST = "HTTP_HOST"
# The path under which a proxy shows this process, such as /ml; "" for the root.
PREFIX = "SCRIPT_NAME"
# The client address of a connection over a unix socket, unless a trusted proxy says more.
UNIX = "unix"

# How many seconds a request has waited for a thread.
WAITED = "veilleuse.waited_seconds"
# The id of a request, as its response has it in X-Request-Id.
REQUEST_ID = "veilleuse.request_id"
# A function that waits until the client has read what was sent; absent where the server has none.
WAIT_UNTIL_READ = "veilleuse.wait_until_read"
# The cached response that the server's loop has found already.
CACHED = "veilleuse.cached_response"
# What the server knows a plain request by, besides its first line: see serve.api.plain_requests.
HEAD = "veilleuse.head"
