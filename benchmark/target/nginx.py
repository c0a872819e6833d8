"""Run nginx in front of web processes, with the configuration of deployments."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.processes import ROOT, is_answering, pin_to_cores, running_command, wait_until

TEMPLATE = ROOT / "deploy/nginx/veilleuse.conf.template"
# The main configuration, which nginx's image provides in deployments; here all files are in one
# folder.
MAIN_CONFIG = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/errors;
worker_processes 1;
worker_rlimit_nofile 20000;
events {{ worker_connections 15000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {site}
}}
"""


def write_config(folder: Path, port: int, *server_ports: int) -> Path:
    """Write the configuration of an nginx on a port, in front of the servers on other ports."""
    site = TEMPLATE.read_text("utf-8")
    for name, value in (
        ("WEB_SERVERS", " ".join(f"server 127.0.0.1:{server};" for server in server_ports)),
        ("LISTEN", f"127.0.0.1:{port} backlog=2048"),
        ("CACHE", f"{folder}/cache"),
    ):
        site = site.replace(f"${{{name}}}", value)
    # Where the main configuration has it: a benchmark writes no log.
    site = site.replace("access_log /dev/stdout without_query;", "")
    # Started by root, nginx's workers would run as a user who cannot read the folder.
    user = "" if os.geteuid() else "user root;"
    file = folder / "nginx.conf"
    file.write_text(MAIN_CONFIG.format(user=user, folder=folder, site=site), "utf-8")
    return file


def nginx_command(config: Path) -> list[str]:
    """Return the command that starts nginx; exits if it is not installed."""
    # Debian installs it into a folder that is only in root's PATH.
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        sys.exit("nginx: not installed; apt-get install nginx")
    return [program, "-c", str(config), "-e", str(config.parent / "errors")]


@contextmanager
def running_nginx(
    folder: Path, port: int, *server_ports: int, cores: frozenset[int] = frozenset()
) -> Iterator[None]:
    """Run nginx on a port, in front of the servers on other ports, while the block runs."""
    config = write_config(folder, port, *server_ports)
    with running_command(dict(os.environ), [*pin_to_cores(cores), *nginx_command(config)]):
        wait_until("nginx answers", lambda: is_answering(port, "/readyz"))
        yield
