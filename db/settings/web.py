"""The settings of web processes."""

from __future__ import annotations

from dataclasses import dataclass

from .value import (
    choice,
    comma_separated,
    key_list,
    networks,
    number,
    path_prefix,
    setting,
    whole_number,
)


@dataclass(frozen=True)
class WebSettings:
    """The settings of web processes."""

    host: str = setting("127.0.0.1", str, "address on which the web process listens")
    port: int = setting(8000, whole_number(1, 65535), "port on which the web process listens")
    web_concurrency: int = setting(
        1, whole_number(1, 64), "number of web processes, which share the port"
    )
    server: str = setting(
        "waitress",
        choice("waitress", "granian"),
        "HTTP server: waitress, or granian for thousands of connections at once",
    )
    queue_seconds: float = setting(
        5.0,
        number(0.01, 3600, "seconds"),
        "seconds a request may wait for a thread before it gets 503 with Retry-After",
    )
    web_threads: int = setting(
        4, whole_number(1, 64), "threads per web process that handle requests"
    )
    student_ttl: float = setting(
        30.0, number(0, 86400, "seconds"), "seconds a student's prediction stays in the cache"
    )
    cache_entries: int = setting(
        10_000, whole_number(0, 1_000_000), "maximum number of responses in a web process's cache"
    )
    cache_mib: float = setting(
        2.0,
        number(0, 1e5, "MiB"),
        "maximum size in MiB of the caches of all web processes together",
    )
    max_age: int = setting(
        0,
        whole_number(0, 31_536_000),
        "seconds a browser or proxy may reuse a teacher's prediction without asking again",
    )
    queue_entries: int = setting(
        10_000,
        whole_number(1, 1_000_000),
        "maximum number of unseen inputs in a web process that wait to be written to the store",
    )
    waiting_records: int = setting(
        100_000,
        whole_number(0, 100_000_000),
        "maximum number of unseen inputs per dataset that wait in the store for a worker",
    )
    answers_per_second: int = setting(
        20,
        whole_number(0, 10_000),
        "answers per second that a web process keeps in the store, so that labels which come later"
        " can judge them; 0 keeps none",
    )
    api_keys: tuple[str, ...] = setting(
        (),
        key_list,
        "keys that may add and delete records, separated by commas, each as plain text or as"
        " sha256:HEX; if empty, nobody may",
    )
    read_keys: tuple[str, ...] = setting(
        (),
        key_list,
        "keys that may get predictions and records, in the same form; if empty, everybody may get"
        " predictions, and records need a key from API_KEYS unless only this machine can reach the"
        " server",
    )
    base_path: str = setting(
        "",
        path_prefix,
        "path under which a proxy shows the web process, such as /ml; a trusted proxy may send"
        " X-Forwarded-Prefix instead",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        networks,
        "addresses or networks of proxies whose X-Forwarded headers are believed, separated by"
        " commas; unix stands for a unix socket",
    )
    allowed_hosts: tuple[str, ...] = setting(
        (),
        comma_separated,
        "host names that requests may ask for, separated by commas; * allows every name, and a"
        " name that begins with a dot all names below it; if empty, those of this machine if HOST"
        " is on it, otherwise every name",
    )
    keep_alive_seconds: float = setting(
        75.0,
        number(1, 3600, "seconds"),
        "seconds a connection may be idle before it is closed; longer than the balancer keeps it",
    )
    client_requests: float = setting(
        0.0,
        number(0, 1e6, "requests/s"),
        "requests per second that one client may make, by its key or its address; 0 is no limit",
    )
    client_waiting_share: float = setting(
        0.5,
        number(0, 1, "(a share)"),
        "share of WAITING_RECORDS that the waiting inputs of one client may take; 1 is no limit",
    )
    upload_mib: float = setting(
        100.0,
        number(0, 10_000, "MiB"),
        "size in MiB of a file that a browser may upload with a key from API_KEYS; 0 turns uploads"
        " off",
    )
    session_hours: float = setting(
        12.0, number(0.01, 8760, "hours"), "hours a browser stays signed in"
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        comma_separated,
        "origins whose pages may read responses (CORS), separated by commas; * allows every origin",
    )
    log_format: str = setting(
        "text", choice("text", "json"), "format of the log, one line per request: text or json"
    )
    log_file: str = setting("", str, "file for the log, in addition to standard output")
    log_file_mib: float = setting(
        10.0,
        number(0.01, 1e5, "MiB"),
        "size in MiB at which the log file is rotated; five old files are kept",
    )
    log_query: str = setting(
        "off",
        choice("off", "on"),
        "on adds the query string of each request to the log; off leaves it out",
    )
