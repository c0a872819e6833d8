"""The deployment files: Procfile, app.json, heroku.yml, Compose and Kubernetes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from db.settings import Settings

from .conftest import ROOT
from .programs import require_program

SETTINGS = {field.name.upper() for field in fields(Settings)}
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines())
# Variables of Compose and of the nginx and PostgreSQL images, which are not our settings.
OTHERS = {"WEB_SERVERS", "LISTEN", "CACHE", "NGINX_ENVSUBST_OUTPUT_DIR"}
OTHERS |= {"POSTGRES_USER", "POSTGRES_PASSWORD", "STORE_PASSWORD"}
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


VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"}
VOLUMES |= {"projected", "secret"}
POD_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostAliases")


@pytest.mark.parametrize("name", pods())
def test_every_pod_meets_the_pod_security_standard_restricted(name: str) -> None:
    """The standard's rules one by one, as Kubernetes documents them, and no token."""
    pod = pods()[name]
    assert not any(pod.get(field) for field in POD_FIELDS)
    assert not pod["automountServiceAccountToken"]
    context = pod["securityContext"]
    assert (context["runAsNonRoot"], context["seccompProfile"]) == (
        True,
        {"type": "RuntimeDefault"},
    )
    assert context["runAsUser"] > 10_000
    assert set(context) <= {"runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"}
    assert all(set(volume) - {"name"} <= VOLUMES for volume in pod.get("volumes", []))
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container.get("ports", []))
        # Secrets are named, and never written here.
        assert not any("PASSWORD" in str(variable) for variable in container.get("env", []))


def selected_by(policy: dict[str, Any], direction: str) -> set[str]:
    """Return the pods that a network policy restricts in one direction."""
    wanted = policy["spec"]["podSelector"]["matchLabels"].items()
    if direction not in policy["spec"]["policyTypes"]:
        return set()
    return {name for name, labels in pod_labels().items() if wanted <= labels.items()}


def pod_labels() -> dict[str, dict[str, str]]:
    """Return the labels of the pods, by the names of what makes them."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]["metadata"]["labels"]
        for document in kubernetes()
        if document["kind"] in {"Job", "Deployment"}
    }


def test_network_policies_let_pods_reach_only_what_they_need() -> None:
    """They select our pods alone: the namespace may have others."""
    policies = [each for each in kubernetes() if each["kind"] == "NetworkPolicy"]
    denying = next(each for each in policies if each["metadata"]["name"] == "veilleuse-deny-all")
    for direction in ("Ingress", "Egress"):
        assert selected_by(denying, direction) == set(pods())
    assert not {"ingress", "egress"} & set(denying["spec"])
    reached = {each["metadata"]["name"]: selected_by(each, "Ingress") for each in policies}
    assert [name for name, found in reached.items() if found] == [
        "veilleuse-deny-all",
        "veilleuse-web",
    ]
    assert reached["veilleuse-web"] == {"veilleuse-web"}
    ways_out = {each["metadata"]["name"]: selected_by(each, "Egress") for each in policies}
    with_store = {name for name, pod in pods().items() if "veilleuse-store" in str(pod)}
    assert ways_out["veilleuse-store"] == with_store
    assert ways_out["veilleuse-calls"] == {"veilleuse-worker"}
    assert ways_out["veilleuse-dns"] == set(pods())


def test_a_rolling_upgrade_in_kubernetes_keeps_web_processes_that_answer() -> None:
    """A pod gets requests once it is ready, and a node that is drained leaves one."""
    (web,) = pods()["veilleuse-web"]["containers"]
    paths = {
        name: web[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "readiness", "liveness")
    }
    assert paths == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
    budget = next(each for each in kubernetes() if each["kind"] == "PodDisruptionBudget")
    labels = pod_labels()["veilleuse-web"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    [spread] = pods()["veilleuse-web"]["topologySpreadConstraints"]
    assert spread["labelSelector"] == budget["spec"]["selector"]


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


def compose_file() -> dict[str, dict[str, Any]]:
    """Return the Compose file, with its anchors resolved."""
    file: dict[str, dict[str, Any]] = yaml.safe_load(
        (ROOT / "deploy/compose.yaml").read_text("utf-8")
    )
    return file


def services() -> dict[str, dict[str, Any]]:
    """Return the services of the Compose file."""
    return compose_file()["services"]


@pytest.mark.parametrize("name", services())
def test_every_service_of_compose_is_confined(name: str) -> None:
    """It is no root, gains no right, writes in memory or in its volume, and has limits."""
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "tmpfs"} <= set(service)
    is_ours = service["image"] in images()
    # Our images set a user of their own.
    assert is_ours or service["user"] in {"postgres", "nginx"}
    assert is_ours or re.fullmatch(r"\w+:\d+\.\d+(\.\d+)?-alpine", service["image"])


def test_only_the_processes_of_veilleuse_reach_the_store_of_compose() -> None:
    """Its network leads nowhere else, and nginx is on another one."""
    file = compose_file()
    assert file["networks"]["store"]["internal"] is True
    reaching = {name for name, service in services().items() if "store" in service["networks"]}
    assert reaching == {"store", "release", "web-a", "web-b", "worker"}
    assert services()["store"]["networks"] == ["store"]
    assert [name for name, service in services().items() if "ports" in service] == ["front"]


def test_the_web_processes_of_compose_believe_its_nginx_and_nobody_else() -> None:
    """It has a fixed address in a network of its own."""
    address = services()["front"]["networks"]["front"]["ipv4_address"]
    assert services()["web-a"]["environment"]["TRUSTED_PROXIES"] == address
    front = compose_file()["networks"]["front"]
    assert front["ipam"]["config"] == [{"subnet": f"{address.rpartition('.')[0]}.0/24"}]


def test_the_application_is_no_superuser_of_the_store_of_compose(
    postgres: Callable[[], str],
) -> None:
    """The script that the PostgreSQL image runs once makes a role that owns its database alone."""
    script = (ROOT / "deploy/postgres/create-store.sh").read_text("utf-8")
    with psycopg.connect(postgres(), autocommit=True) as connection:
        made = re.search(r"<<'SQL'\n(.*)^SQL$", script, re.MULTILINE | re.DOTALL)
        assert made is not None
        # The rest of the tests go on as the superuser.
        sql = made[1].partition("ALTER ROLE CURRENT_USER")[0].replace(":'password'", "'secret'")
        sql = sql.replace("veilleuse", "drill").replace(", postgres FROM", " FROM")
        for statement in filter(str.strip, sql.split(";")):
            connection.execute(statement.encode())
        query = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'drill'"
        assert connection.execute(query).fetchall() == [(False, False, False)]
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'drill'"
        assert connection.execute(owner).fetchall() == [("drill",)]
        connection.execute(b"DROP DATABASE drill")
        connection.execute(b"DROP ROLE drill")
