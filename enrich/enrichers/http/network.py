"""The way to a service: certificates and proxies, as the usual environment variables set them."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import httpx

from .service import CannotCall
from .template import SHORTEST_SECRET

# Never by a proxy, as in other programs: it would look for them on its own machine.
LOOPBACK = ("all://localhost", "all://127.0.0.1", "all://[::1]")
# The connection was lost: another try may succeed.
_LOST = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
PROXY_VARIABLES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "all": "ALL_PROXY"}


def make_client(headers: httpx.Headers, connect_seconds: float) -> httpx.AsyncClient:
    """Return a client; raises CannotCall for an unusable environment."""
    check_proxies(getproxies())
    direct: dict[str, httpx.AsyncBaseTransport | None] = dict.fromkeys(LOOPBACK)
    try:
        return httpx.AsyncClient(
            headers=headers,
            # For proxies alone: certificates are ours, and httpx reads no .netrc by itself.
            trust_env=True,
            verify=make_context(os.environ),
            mounts=direct,
            follow_redirects=False,
            # The caller limits the time of a whole try; httpx leaves a connection open that is
            # cancelled in its TLS handshake, and closes one that takes too long by its own clock.
            timeout=httpx.Timeout(None, connect=connect_seconds),
        )
    except ImportError as error:
        raise CannotCall(f"ALL_PROXY: a SOCKS proxy needs {error.name}; use HTTPS_PROXY") from None
    except ValueError:
        # Its message has the address, which may have a password.
        raise CannotCall("HTTPS_PROXY, HTTP_PROXY or NO_PROXY: is not valid") from None


def make_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return the TLS context, which trusts certifi's authorities or those of the environment.

    As in OpenSSL, SSL_CERT_FILE and SSL_CERT_DIR replace the usual ones.
    """
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return httpx.create_ssl_context(trust_env=False)
    if file and not Path(file).is_file():
        raise CannotCall(f"SSL_CERT_FILE: there is no file {file}; set it to a PEM file")
    if folder and not Path(folder).is_dir():
        raise CannotCall(f"SSL_CERT_DIR: there is no folder {folder}; unset it or correct it")
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        fault = f"SSL_CERT_FILE: {file} is not a PEM file of certificates ({reason})"
        raise CannotCall(fault) from None


def check_proxies(proxies: Mapping[str, str]) -> None:
    """Raise CannotCall for an address of a proxy that cannot be used; never shows it."""
    for scheme, variable in PROXY_VARIABLES.items():
        if not (address := proxies.get(scheme)):
            continue
        try:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            is_usable = bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable or not address.isprintable() or " " in address:
            raise CannotCall(f"{variable}: must be like http://USER:PASSWORD@HOST:PORT")


def proxy_secrets(proxies: Mapping[str, str]) -> frozenset[str]:
    """Return the passwords in the addresses of proxies, as written and decoded."""
    found = set()
    for scheme in PROXY_VARIABLES:
        address = proxies.get(scheme, "")
        user, _, _ = address.rpartition("@")
        _, _, password = user.rpartition(":")
        if user and "//" not in password:
            found |= {password, unquote(password)}
    # A shorter one could be in an answer by chance.
    return frozenset(one for one in found if len(one) >= SHORTEST_SECRET)


def proxy_reason(text: str) -> str:
    """Return why a proxy refuses, without its words."""
    status = re.match(r"[0-9]{3}\b", text)
    words = f"the proxy answered {status[0]}" if status else "the proxy does not let it through"
    return f"{words}: check HTTPS_PROXY and HTTP_PROXY, with the user and password in them"


def certificate_fault(error: BaseException) -> str:
    """Return why TLS with a service failed, "" if another thing did."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({cause.verify_message}); if your company signs"
                " certificates, set SSL_CERT_FILE to a PEM file of its authorities"
            )
        if isinstance(cause, _LOST):
            return ""
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause.reason or type(cause).__name__}): check the address"
        cause = cause.__cause__ or cause.__context__
    return ""
