"""What platforms are told: Procfile, app.json, heroku.yml, Compose and Kubernetes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from db.settings import Settings

from .conftest import ROOT

SETTINGS = {field.name.upper() for field in fields(Settings)}
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines())
# Those that Compose and nginx's image have for themselves.
OTHERS = {"WEB_SERVERS", "LISTEN", "CACHE", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
BINARIES = Path(sys.executable).parent


def images() -> set[str]:
    """Return the names of the images that the Dockerfile makes."""
    text = (ROOT / "Dockerfile.slim").read_text("utf-8")
    return {f"veilleuse-{name}" for name in re.findall(r"^FROM base AS (\w+)", text, re.MULTILINE)}


def kubernetes() -> list[dict[str, Any]]:
    """Return all that Kubernetes is told."""
    return list(yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text("utf-8")))


def pods() -> dict[str, dict[str, Any]]:
    """Return what runs in Kubernetes, by name."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in kubernetes()
        if one["kind"] in {"Job", "Deployment"}
    }


def test_heroku_runs_the_same_processes_from_images_as_from_the_procfile() -> None:
    """A change of one is a change of both."""
    told = yaml.safe_load((ROOT / "heroku.yml").read_text("utf-8"))
    assert {**told["run"], "release": told["release"]["command"][0]} == PROCFILE
    built = {f"veilleuse-{name['target']}" for name in told["build"]["docker"].values()}
    assert built <= images()


def test_the_app_asks_for_settings_that_are_there_and_processes_that_it_has() -> None:
    """A name that nobody reads is a setting without effect."""
    app = json.loads((ROOT / "app.json").read_text("utf-8"))
    assert set(app["env"]) <= SETTINGS
    assert set(app["formation"]) == set(PROCFILE) - {"release"}
    script = app["scripts"]["postdeploy"].removeprefix("sh ")
    assert (ROOT / script).exists()


def test_kubernetes_takes_every_document() -> None:
    """By its own schemas, and with no name that they do not know."""
    command = [str(BINARIES / "kubernetes-validate"), "--strict", "deploy/kubernetes.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_in_kubernetes_runs_from_our_images_with_nothing_to_write_to() -> None:
    """As nobody in particular, within limits."""
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        for container in pod["containers"]:
            assert container["image"] in images(), name
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["resources"]["limits"]["memory"], name
            assert {one["name"] for one in container.get("env", [])} <= SETTINGS


def test_workers_in_kubernetes_give_way_to_all_others() -> None:
    """And never make another pod go."""
    found = next(one for one in kubernetes() if one["kind"] == "PriorityClass")
    assert found["value"] < 0
    assert found["preemptionPolicy"] == "Never"
    assert pods()["veilleuse-worker"]["priorityClassName"] == found["metadata"]["name"]


def compose(**environment: str) -> subprocess.CompletedProcess[str]:
    """Let Compose read its file."""
    return subprocess.run(
        [str(BINARIES / "podman-compose"), "-f", "deploy/compose.yaml", "config"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{BINARIES}:/usr/bin:/bin", **environment},
    )


def test_compose_reads_its_file_and_knows_every_setting_in_it() -> None:
    """Where nobody set a password it says so."""
    done = compose(POSTGRES_PASSWORD="secret")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    for name, service in services.items():
        given = set(service.get("environment", {}))
        assert given <= SETTINGS | OTHERS, name
        ours = service["image"].startswith("veilleuse-")
        assert not ours or service["image"] in images(), name
    assert services["web-a"] == services["web-b"]
    missing = compose()
    assert missing.returncode != 0
    assert "set it to a password of your own" in missing.stdout + missing.stderr
