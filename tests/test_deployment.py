"""The deployment files: Procfile, app.json, heroku.yml, Compose and Kubernetes."""

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
from .programs import require_program

SETTINGS = {field.name.upper() for field in fields(Settings)}
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines())
# Variables of Compose and of the nginx and PostgreSQL images, which are not our settings.
OTHERS = {"WEB_SERVERS", "LISTEN", "CACHE", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
BINARIES = Path(sys.executable).parent


def images() -> set[str]:
    """Return the names of the images that the Dockerfile builds."""
    text = (ROOT / "Dockerfile.slim").read_text("utf-8")
    return {f"veilleuse-{name}" for name in re.findall(r"^FROM base AS (\w+)", text, re.MULTILINE)}


def kubernetes() -> list[dict[str, Any]]:
    """Return all documents of the Kubernetes file."""
    return list(yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text("utf-8")))


def pods() -> dict[str, dict[str, Any]]:
    """Return the pod specs of the Kubernetes file, by name."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]
        for document in kubernetes()
        if document["kind"] in {"Job", "Deployment"}
    }


def test_heroku_runs_the_same_processes_from_images_as_from_the_procfile() -> None:
    """A change of one file must be made in the other too."""
    heroku = yaml.safe_load((ROOT / "heroku.yml").read_text("utf-8"))
    assert {**heroku["run"], "release": heroku["release"]["command"][0]} == PROCFILE
    built = {f"veilleuse-{name['target']}" for name in heroku["build"]["docker"].values()}
    assert built <= images()


def test_app_json_names_existing_settings_and_processes() -> None:
    """A variable that is not a setting would have no effect."""
    app = json.loads((ROOT / "app.json").read_text("utf-8"))
    assert set(app["env"]) <= SETTINGS
    assert set(app["formation"]) == set(PROCFILE) - {"release"}
    script = app["scripts"]["postdeploy"].removeprefix("sh ")
    assert (ROOT / script).exists()


def test_every_kubernetes_document_is_valid() -> None:
    """Each document matches the Kubernetes schemas and uses no unknown key."""
    command = [str(BINARIES / "kubernetes-validate"), "--strict", "deploy/kubernetes.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_runs_only_our_images_with_read_only_root_file_systems() -> None:
    """Each container also runs without root, within a memory limit, and with known settings."""
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        for container in pod["containers"]:
            assert container["image"] in images(), name
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["resources"]["limits"]["memory"], name
            assert {variable["name"] for variable in container.get("env", [])} <= SETTINGS


def test_workers_in_kubernetes_give_way_to_all_other_pods() -> None:
    """They have a negative priority and never evict another pod."""
    priority = next(each for each in kubernetes() if each["kind"] == "PriorityClass")
    assert priority["value"] < 0
    assert priority["preemptionPolicy"] == "Never"
    assert pods()["veilleuse-worker"]["priorityClassName"] == priority["metadata"]["name"]


def compose(**environment: str) -> subprocess.CompletedProcess[str]:
    """Run `podman-compose config` on the Compose file."""
    return subprocess.run(
        [str(BINARIES / "podman-compose"), "-f", "deploy/compose.yaml", "config"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{BINARIES}:/usr/bin:/bin", **environment},
    )


def test_the_compose_file_is_valid_and_every_variable_in_it_is_known() -> None:
    """Without a password the command fails and asks for one."""
    require_program("podman", install="apt-get install podman")
    done = compose(POSTGRES_PASSWORD="secret")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    for name, service in services.items():
        variables = set(service.get("environment", {}))
        assert variables <= SETTINGS | OTHERS, name
        is_ours = service["image"].startswith("veilleuse-")
        assert not is_ours or service["image"] in images(), name
    assert services["web-a"] == services["web-b"]
    missing = compose()
    assert missing.returncode != 0
    assert "set it to a password of your own" in missing.stdout + missing.stderr
