"""The address of the store: read as platforms print it, and shown without its secrets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, unquote

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_SCHEMES = ("postgres://", "postgresql://", "postgresql+psycopg://")
# As SQLAlchemy reads what stands between :// and the host.
_USER = re.compile(r"(?P<name>[^:/]*)(:(?P<password>[^@]*))?@")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]@,/]+)(:(?P<port>[0-9]{1,5}))?")
_RENDERED = re.compile(
    r"postgresql\+psycopg://((?P<user>[^:/]*)(:(?P<password>[^@]*))?@)?"
    r"(?P<host>\[[^/?]+\]|[^/:?]*)(:(?P<port>[0-9]+))?(/(?P<dbname>[^?]*))?(\?(?P<query>.*))?"
)
# Options that tell another client about a pooler, which this program needs no telling of.
_OF_POOLERS = {
    "connection_limit",
    "pgbouncer",
    "pool_timeout",
    "prepare_threshold",
    "prepared_statement_cache_size",
    "prepared_statements",
    "statement_cache_size",
    "supa",
    "workaround",
}
_REFUSED = {
    "schema": "set DATABASE_SCHEMA to the schema instead",
    "currentschema": "set DATABASE_SCHEMA to the schema instead",
    "search_path": "set DATABASE_SCHEMA to the schema instead",
    "sslaccept": "write sslmode=require, or sslmode=verify-full to check the certificate",
    "socket_timeout": "set STORE_STATEMENT_SECONDS instead",
    "statement_timeout": "set STORE_STATEMENT_SECONDS instead",
    "lock_timeout": "set STORE_LOCK_SECONDS instead",
    "pool_size": "set WEB_THREADS instead, which decides the number of connections",
    "max_overflow": "set WEB_THREADS instead, which decides the number of connections",
    "pool": "set WEB_THREADS instead, which decides the number of connections",
}
# The options of libpq, https://www.postgresql.org/docs/current/libpq-connect.html
_OPTIONS = (
    "application_name channel_binding client_encoding connect_timeout dbname"
    " fallback_application_name gssdelegation gssencmode gsslib host hostaddr keepalives"
    " keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts"
    " max_protocol_version min_protocol_version"
    " oauth_client_id oauth_client_secret oauth_issuer oauth_scope options passfile password port"
    " require_auth requirepeer requiressl scram_client_key scram_server_key service servicefile"
    " ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode sslcompression sslcrl"
    " sslcrldir sslkey sslkeylogfile sslmode sslnegotiation sslpassword sslrootcert sslsni"
    " target_session_attrs tcp_user_timeout user"
)
_SECRET = re.compile(r"pass|secret|_key|token")
_AT_SIGN = "write each @ of the user and the password as %40, and each ? as %3F"


@dataclass(frozen=True)
class _Address:
    """The parts of an address of PostgreSQL; "" for one that it does not have."""

    username: str = ""
    password: str = ""
    database: str = ""
    host: str = ""
    port: str = ""
    query: dict[str, str] = field(default_factory=dict)

    def render(self) -> str:
        """Return the address as SQLAlchemy reads it."""
        password = f":{quote(self.password, ' +')}" if self.password else ""
        user = f"{quote(self.username, ' +')}{password}@" if self.username or password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{int(self.port)}" if self.port else ""
        name = f"/{quote(self.database, ' +/')}" if self.database else ""
        options = "&".join(
            f"{quote_plus(option)}={quote_plus(value)}"
            for option, value in sorted(self.query.items())
        )
        return f"postgresql+psycopg://{user}{host}{port}{name}{'?' if options else ''}{options}"


def connection_parameters(address: str) -> dict[str, str | int]:
    """Return the parameters with which PostgreSQL's driver connects to a rendered address."""
    found = _RENDERED.fullmatch(address)
    assert found is not None  # noqa: S101  store_address has made it
    parts = found.groupdict(default="")
    given: dict[str, str | int] = {
        name: unquote(parts[name]) for name in ("user", "password", "dbname") if parts[name]
    }
    if host := parts["host"].strip("[]"):
        given["host"] = host
    if parts["port"]:
        given["port"] = int(parts["port"])
    return given | dict(parse_qsl(parts["query"]))


def sqlite_path(address: str) -> str:
    """Return the file of an SQLite store."""
    return unquote(address.removeprefix("sqlite:///").partition("?")[0])


def store_address(text: str) -> str:
    """Return the URL with the driver that is installed; `postgres://` is PostgreSQL as well.

    Several hosts, as in postgresql://A:5432,B:5432/NAME, become options of the driver, and the
    one that accepts writes is used. No message contains a part of the address.
    """
    if text[:1] in {"'", '"'}:
        raise ValueError("must not have quotes around it")
    if text.startswith("sqlite:///"):
        return _sqlite_address(text)
    for scheme in _SCHEMES:
        if text.startswith(scheme):
            return _postgresql_address(text.removeprefix(scheme)).render()
    raise ValueError("must start with sqlite:/// or postgresql://")


def shown_address(url: URL) -> str:
    """Return an address without password and options."""
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database or ''}"
    user = f"{quote(url.username)}{':***' if url.password else ''}@" if url.username else ""
    places = ",".join(_places(url))
    name = url.database or ""
    if places.startswith("/"):
        return f"postgresql://{user}/{name}?host={places}"
    return f"postgresql://{user}{places}/{name}"


def _places(url: URL) -> Iterator[str]:
    """Yield HOST:PORT for each host of a PostgreSQL address."""
    hosts = str(url.query.get("host", url.host or "")).split(",")
    ports = str(url.query.get("port", url.port or "")).split(",")
    for host, port in zip_longest(hosts, ports[: len(hosts)], fillvalue=ports[-1]):
        shown = f"[{host}]" if ":" in host else host
        yield f"{shown}:{port}" if port else shown


def masked(text: str) -> str:
    """Return as much of an address that cannot be read as is certainly no secret."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+]{0,30}:/{1,3}", text)
    if text.startswith("sqlite"):
        return text.partition("?")[0]
    return f"{scheme[0] if scheme else ''}***"


def hide_secrets(text: str, url: URL) -> str:
    """Return a text, such as a driver's message, with *** for each secret of an address."""
    return with_stars(text, _secrets(url))


def with_stars(text: str, secrets: Iterable[str]) -> str:
    """Return a text with *** for each of these secrets, the longer ones first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def spellings(values: Iterable[str]) -> frozenset[str]:
    """Return each value as it is and as URLs write it, without the empty one."""
    forms = {form for value in values for form in (value, quote(value, ""), quote_plus(value))}
    return frozenset(forms - {""})


def _secrets(url: URL) -> frozenset[str]:
    values = [str(url.password or "")]
    for name, option in url.query.items():
        if _SECRET.search(name):
            values += [option] if isinstance(option, str) else option
    return spellings(values)


def _sqlite_address(text: str) -> str:
    file, _, options = text.removeprefix("sqlite:///").partition("?")
    if file in {"", ":memory:"} or "mode=memory" in options:
        raise ValueError("must name a file, because several processes share the store")
    return text


def _postgresql_address(rest: str) -> _Address:
    user = _USER.match(rest)
    place, _, options = (rest[user.end() :] if user else rest).partition("?")
    _check_at_signs(rest[: user.end() - 1] if user else "", place)
    hosts, _, name = place.partition("/")
    query = _options(options)
    named = {
        "username": user and user["name"],
        "password": user and user["password"],
        "database": name,
    }
    found = {key: unquote(value) for key, value in named.items() if value}
    for option, key in (("user", "username"), ("password", "password"), ("dbname", "database")):
        if option in query and key in found:
            raise ValueError(f"has the {option} twice: before the ? and after it")
        if option in query:
            found[key] = query.pop(option)
    places = list(_hosts(hosts)) if hosts else []
    address = _Address(
        username=found.get("username", ""),
        password=found.get("password", ""),
        database=found.get("database", ""),
    )
    return _with_hosts(address, places, query)


def _check_at_signs(user: str, place: str) -> None:
    """Raise ValueError if a part of the password could be taken for the host, which is shown."""
    if "@" in place or re.search(r"\?.*=", user):
        raise ValueError(f"has an @ that does not end the password; {_AT_SIGN}")


def _options(text: str) -> dict[str, str]:
    pairs = [(name, value) for name, value in parse_qsl(text, keep_blank_values=True)]
    kept = [pair for pair in map(_as_libpq, pairs) if pair[0].lower() not in _OF_POOLERS]
    for name, times in Counter(name for name, _ in kept).items():
        if name not in _OPTIONS.split():
            # The name may be the rest of a password in which there is a ?.
            shown = name if re.fullmatch(r"[A-Za-z_.-]{1,40}", name) else "***"
            advice = _REFUSED.get(name.lower(), "leave it out")
            raise ValueError(f"has the option {shown}, which PostgreSQL does not have; {advice}")
        if times > 1:
            raise ValueError(f"has the option {name} twice; write it once")
    return dict(kept)


def _as_libpq(pair: tuple[str, str]) -> tuple[str, str]:
    """Return an option as PostgreSQL's own client spells it."""
    name, value = pair
    if name == "ssl" and value in {"true", "1"}:
        return "sslmode", "require"
    if name == "sslmode" and value == "no-verify":
        raise ValueError("has sslmode=no-verify, which only Node.js knows; write sslmode=require")
    return pair


def _hosts(text: str) -> Iterator[tuple[str, str]]:
    for number, part in enumerate(text.split(","), 1):
        found = _HOST.fullmatch(part)
        if not found or not 0 < int(found["port"] or 1) < 65536:  # noqa: PLR2004
            raise ValueError(
                f"host {number} cannot be read; it must be HOST or HOST:PORT, with a port from 1"
                " to 65535, and an IPv6 address in [ ]"
            )
        yield unquote(found["host"]), found["port"] or ""


def _with_hosts(address: _Address, hosts: list[tuple[str, str]], query: dict[str, str]) -> _Address:
    """Return the address with one host in its usual place, and several or a socket as options."""
    if hosts and {"host", "port"} & query.keys():
        raise ValueError("has the host twice: before the ? and after it")
    if len(hosts) == 1 and not hosts[0][0].startswith("/"):
        ((host, port),) = hosts
        return replace(address, host=host.strip("[]"), port=port, query=query)
    if hosts:
        names, ports = zip(*hosts, strict=True)
        query["host"] = ",".join(name.strip("[]") for name in names)
        query["port"] = ",".join(port or "5432" for port in ports)
    if "," in query.get("host", ""):
        query.setdefault("target_session_attrs", "read-write")
    return replace(address, query=query)
