"""nginx in front of a web process, as deployments have it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

CONFIG = """
daemon off;
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
  upstream web {{
    server 127.0.0.1:{behind};
    keepalive 64;
    # Less than the web process's own 60 s, so that it is never nginx that is late.
    keepalive_timeout 30s;
  }}
  server {{
    listen 127.0.0.1:{before} backlog=2048;
    location / {{
      proxy_pass http://web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
    }}
  }}
}}
"""


def configure(folder: Path, before: int, behind: int) -> Path:
    """Write the configuration of an nginx on one port that asks a server on another."""
    file = folder / "nginx.conf"
    file.write_text(CONFIG.format(folder=folder, behind=behind, before=before), "utf-8")
    return file


def nginx_command(config: Path) -> list[str]:
    """Return how nginx is started; ends where it is not installed."""
    # Debian has it where only root looks.
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        sys.exit("nginx is not there: apt-get install nginx")
    return [found, "-c", str(config), "-e", str(config.parent / "errors")]
