"""nginx in front of a web process, with the configuration that deployments have."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.processes import ROOT, answers, pinned, running_command, wait_until

TEMPLATE = ROOT / "deploy/nginx/veilleuse.conf.template"
# What the image of nginx says around it, for one whose files are all in a folder.
AROUND = """
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
  {inside}
}}
"""


def configure(folder: Path, before: int, *behind: int) -> Path:
    """Write the configuration of an nginx on one port that asks the servers on others."""
    inside = TEMPLATE.read_text("utf-8")
    for name, value in (
        ("WEB_SERVERS", " ".join(f"server 127.0.0.1:{port};" for port in behind)),
        ("LISTEN", f"127.0.0.1:{before} backlog=2048"),
        ("CACHE", f"{folder}/cache"),
    ):
        inside = inside.replace(f"${{{name}}}", value)
    # Started by root its workers would be somebody else, who may not go into the folder.
    user = "" if os.geteuid() else "user root;"
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(user=user, folder=folder, inside=inside), "utf-8")
    return file


def nginx_command(config: Path) -> list[str]:
    """Return how nginx is started; ends where it is not installed."""
    # Debian has it where only root looks.
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        sys.exit("nginx is not there: apt-get install nginx")
    return [found, "-c", str(config), "-e", str(config.parent / "errors")]


@contextmanager
def running_nginx(
    folder: Path, before: int, *behind: int, cores: frozenset[int] = frozenset()
) -> Iterator[None]:
    """Run nginx on one port before the servers on others for as long as the block does."""
    config = configure(folder, before, *behind)
    with running_command(dict(os.environ), [*pinned(cores), *nginx_command(config)]):
        wait_until("nginx", lambda: answers(before, "/readyz"))
        yield
