"""Connections to users' databases; messages, logs and our tables never contain their passwords."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import immutabledict

from db.errors import ExchangeError
from db.settings.address import spellings, with_stars
from db.settings.spec_variable import allowed_variables, variable_fault
from db.spec.exchange_check import VARIABLE_NAME
from db.store.limits import TCP_LIMITS
from db.store.store import error_reason

CONNECT_SECONDS = 10
# The drivers in our requirements files, by the usual first part of a URL.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_TIMEOUTS = {
    "psycopg": ("connect_timeout",),
    "pymysql": ("connect_timeout", "read_timeout"),
    "pysqlite": ("timeout",),
}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+_]*://")
# As SQLAlchemy reads what stands between :// and the host.
_USER = re.compile(r"(?P<name>[^:/]*)(?P<password>:[^@]*)?@")
_READERS = "requirements-sources.txt"


@dataclass(frozen=True)
class UserDatabase:
    """A database of the user; `name` is its URL without password and options."""

    name: str
    engine: Engine
    secrets: frozenset[str]

    def hide(self, text: str) -> str:
        """Return a text with every secret of the URL in it replaced by ***."""
        return with_stars(text, self.secrets)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raise an ExchangeError that names the database for each error of it."""
        try:
            yield
        except SQLAlchemyError as error:
            raise ExchangeError(f"{self.name}: {self.hide(_reason(error))}") from None
        except ModuleNotFoundError as error:
            raise _missing_driver(self.name, error) from None

    def connect(self) -> Connection:
        """Return a new connection; raises ExchangeError."""
        with self.errors():
            try:
                return self.engine.connect()
            except (TypeError, ValueError, OSError) as error:
                # Drivers raise these for options that they do not know, and for odd host names.
                reason = self.hide(" ".join(str(error).split()))
                raise ExchangeError(
                    f"{self.name}: the options of the URL are not valid: {reason}"
                ) from None


def database_url(named: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a URL that is given as it is, or as the name of an environment variable."""
    if _SCHEME.match(named):
        return named
    if not VARIABLE_NAME.fullmatch(named):
        raise ExchangeError(
            "the database must be a URL such as postgresql://USER:PASSWORD@HOST/NAME, or the name"
            " of an environment variable that has it"
        )
    url = environ.get(named, "").strip()
    if not url:
        raise ExchangeError(f"the environment variable {named} is not set; set it to the URL")
    if not _SCHEME.match(url):
        raise ExchangeError(f"{named}: must be a URL such as postgresql://USER:PASSWORD@HOST/NAME")
    return url


def spec_database_url(variable: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the URL in the variable that a spec names; raises ExchangeError if it may not."""
    fault = variable_fault(variable, allowed_variables(environ), is_database=True)
    if fault:
        raise ExchangeError(fault)
    return database_url(variable, environ)


def shown_url(named: str) -> str:
    """Return the name of a variable as it is, and a URL with *** for its password and options."""
    if not _SCHEME.match(named):
        return named
    _parse(named)
    scheme, _, rest = named.partition("://")
    user = _USER.match(rest)
    if user and user["password"]:
        rest = f"{user['name']}:***@{rest[user.end() :]}"
    place, mark, options = rest.partition("?")
    shown = "&".join(map(_shown_option, options.split("&"))) if mark else ""
    return f"{scheme}://{place}{mark}{shown}"


def _shown_option(option: str) -> str:
    # Any value may be a secret, and a part without a name may be the rest of one.
    name, equals, _ = option.partition("=")
    return f"{name}=***" if equals and re.fullmatch(r"[\w.-]+", name) else "***"


@contextmanager
def open_database(
    url: str, *, must_exist: bool = True, read_only: bool = False
) -> Iterator[UserDatabase]:
    """Yield the database of a URL without connecting yet; raises ExchangeError.

    An SQLite file is created when it is written to, unless it `must_exist`. Only an SQLite file
    can be opened `read_only`; other databases need a transaction that is.
    """
    parsed = _parse(url)
    name = _without_secrets(parsed)
    if must_exist:
        _check_file(name, parsed)
    if read_only:
        parsed = _read_only(parsed)
    try:
        engine = create_engine(
            parsed, poolclass=NullPool, hide_parameters=True, connect_args=_driver_options(parsed)
        )
    except NoSuchModuleError:
        raise ExchangeError(
            f"{parsed.drivername}: no such kind of database is installed; use postgresql://,"
            " mysql://, mariadb:// or sqlite:///, or install its SQLAlchemy dialect"
        ) from None
    except ModuleNotFoundError as error:
        raise _missing_driver(name, error) from None
    except (ArgumentError, TypeError, ValueError):
        raise ExchangeError(f"{name}: the options of the URL are not valid") from None
    if engine.driver == "pymysql" and "read_timeout" not in parsed.query:
        event.listen(engine, "connect", _wait_for_slow_queries)
    try:
        yield UserDatabase(name, engine, _secrets(parsed))
    finally:
        engine.dispose()


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The message does not show the URL: the part that is wrong may be the password.
        raise ExchangeError(
            "the URL of the database cannot be read; it must be like"
            " postgresql://USER:PASSWORD@HOST:PORT/NAME, with %40 for an @ in the password"
        ) from None
    if parsed.get_backend_name() != "sqlite":
        _check_at_signs(url.partition("://")[2])
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def _check_at_signs(rest: str) -> None:
    """Raise ExchangeError if a part of the password could be taken for the host, which is shown."""
    user = _USER.match(rest)
    before = rest[: user.end() - 1] if user else ""
    after = rest[user.end() :] if user else rest
    if "@" in before or "@" in after.partition("=")[0] or re.search(r"\?.*=", before):
        raise ExchangeError(
            "the URL of the database has an @ that does not end the password; write each other @ as"
            " %40, and a ? in the password as %3F"
        )


def _without_secrets(url: URL) -> str:
    # `URL.set` cannot remove a password.
    plain = url._replace(drivername=url.get_backend_name(), password=None, query=immutabledict())
    return plain.render_as_string()


def _secrets(url: URL) -> frozenset[str]:
    """Return the password, and the options that may be secrets, in each spelling of a URL."""
    values = [str(url.password or "")]
    for name, option in url.query.items():
        options = [option] if isinstance(option, str) else option
        if re.search("pass|pwd|key|token|secret|odbc", name, re.IGNORECASE):
            values += options
        for text in options:
            values += re.findall(r"(?i)\bpwd=\{?([^;}]*)", text)
    return spellings(values)


def _check_file(name: str, url: URL) -> None:
    """Raise ExchangeError for an SQLite file that is not there: connecting would create it."""
    if url.get_backend_name() != "sqlite":
        return
    file = url.database or ""
    if not file.startswith("file:") and not Path(file).is_file():
        raise ExchangeError(f"{name}: there is no such file")


def _read_only(url: URL) -> URL:
    """Return the URL that opens an SQLite file without changing it; another URL as it is."""
    if url.get_backend_name() != "sqlite":
        return url
    file = url.database or ""
    if not file.startswith("file:"):
        file = f"file:{quote(file)}"
    return url.set(database=file).update_query_dict({"mode": "ro", "uri": "true"})


def _driver_options(url: URL) -> dict[str, int | None]:
    """Return the limits of the time to connect; options of the URL come first.

    A query may take any time, but the other end must be there. A pooler gives each transaction
    another session, which knows no statements prepared before.
    """
    driver = url.get_driver_name()
    limits: dict[str, int | None] = dict.fromkeys(_TIMEOUTS.get(driver, ()), CONNECT_SECONDS)
    if driver == "psycopg":
        limits |= {**TCP_LIMITS, "prepare_threshold": None}
    return {name: value for name, value in limits.items() if name not in url.query}


def _wait_for_slow_queries(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """End the limit of PyMySQL's reads, which is for a server that accepts and says nothing."""
    connection._read_timeout = None  # noqa: SLF001  there is no public way


def _reason(error: SQLAlchemyError) -> str:
    """Return the driver's message on one line, without its error number and a part of the query."""
    original = error.orig if isinstance(error, DBAPIError) else None
    diagnosis = getattr(original, "diag", None)
    if diagnosis is not None and diagnosis.message_primary:
        parts = [diagnosis.message_primary, diagnosis.message_detail, diagnosis.message_hint]
        return "; ".join(" ".join(part.split()) for part in parts if part)
    numbered: tuple[object, ...] = getattr(original, "args", ())
    if len(numbered) == 2 and isinstance(numbered[0], int):  # noqa: PLR2004  PyMySQL's
        return " ".join(str(numbered[1]).split())
    return error_reason(error)


def _missing_driver(name: str, error: ModuleNotFoundError) -> ExchangeError:
    package = (error.name or "its driver").partition(".")[0]
    where = f"-r {_READERS}" if package == "pymysql" else package
    return ExchangeError(f"{name}: needs {package}; run: pip install {where}")
