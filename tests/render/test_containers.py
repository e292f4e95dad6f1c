"""Dockerfile, compose.yaml, devcontainer.json: each by a tool that refuses a planted mistake."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from rendering import tool

DEVCONTAINER_SCHEMA = Path(__file__).with_name("devcontainer.schema.json")


def changed(path: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of the file in `folder` with the first `old` replaced by `new`."""
    text = path.read_text()
    assert old in text, f"{path.name} no longer has {old!r}: plant another mistake"
    copy = folder / path.name
    copy.write_text(text.replace(old, new, 1))
    return copy


# -- Dockerfile ------------------------------------------------------------------------------------


DOCKERFILES = ["Dockerfile", "Dockerfile.llama", "compose/identity/Dockerfile"]


def hadolint(dockerfile: Path) -> int:
    return tool("hadolint", "--no-color", str(dockerfile)).returncode


@pytest.mark.parametrize("path", DOCKERFILES)
def test_hadolint_finds_nothing(rendered: Path, path: str) -> None:
    done = tool("hadolint", "--no-color", str(rendered / path))
    assert (done.returncode, done.stdout) == (0, "")


def test_no_dockerfile_is_forgotten(rendered: Path) -> None:
    paths = (path.relative_to(rendered).as_posix() for path in rendered.rglob("Dockerfile*"))
    found = {path for path in paths if not path.endswith(".dockerignore")}
    assert found == set(DOCKERFILES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"uv==${UV_VERSION}"', "uv"),
        ("--no-cache-dir ", ""),
        ("WORKDIR /srv", "WORKDIR srv"),
        ("USER 10001", "USER root"),
        ("HEALTHCHECK", "HEALTCHECK"),
    ],
)
def test_hadolint_finds_a_planted_mistake(
    rendered: Path, tmp_path: Path, old: str, new: str
) -> None:
    assert hadolint(changed(rendered / "Dockerfile", tmp_path, old, new)) != 0


def test_the_image_starts_as_nobody_from_the_base_that_is_given(rendered: Path) -> None:
    text = (rendered / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert re.search(r"@sha256:[0-9a-f]{64}$", text.split(" AS python\n")[0])
    assert stages[1] == stages[-1] == "${BASE}"
    last = text[text.rindex("FROM ${BASE}") :]
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["10001:10001"]
    assert "train" not in last


def test_no_secret_and_no_local_state_gets_into_the_image(rendered: Path) -> None:
    ignored = (rendered / ".dockerignore").read_text().splitlines()
    assert {".env", ".env.*", ".git", ".venv", "var", "*.pem", "*.key"} <= set(ignored)


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a free port that answers /readyz with `status`, and anything else with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:  # pyrefly: ignore[bad-override]
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_the_health_check_asks_readyz(rendered: Path, status: int, healthy: bool) -> None:
    text = (rendered / "Dockerfile").read_text().replace("\\\n", "")
    command = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", text, re.MULTILINE)
    assert command
    program, *arguments = json.loads(command[1])
    assert program == "python"
    with answering(status) as port:
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PORT": str(port), "no_proxy": "127.0.0.1"},
            capture_output=True,
            timeout=10,
            check=False,
        )
    assert (done.returncode == 0) is healthy


# -- compose.yaml ----------------------------------------------------------------------------------


def compose_config(folder: Path) -> subprocess.CompletedProcess[str]:
    """What Docker Compose itself makes of the files, every profile included."""
    options = ("--project-directory", str(folder), "--profile", "*")
    return tool("docker-compose", *options, "config", "--format", "json", cwd=folder)


def with_env(rendered: Path, folder: Path) -> Path:
    """A copy of the Compose files, with an .env such as `app setup` writes."""
    shutil.copytree(rendered / "compose", folder / "compose")
    for name in ("compose.yaml", "ops"):
        copy = shutil.copytree if (rendered / name).is_dir() else shutil.copyfile
        copy(rendered / name, folder / name)
    env = re.sub(r"(?m)=generate$", "=" + "x" * 64, (rendered / ".env.example").read_text())
    (folder / ".env").write_text(env)
    return folder


@pytest.fixture(scope="module")
def project(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = compose_config(with_env(rendered, tmp_path_factory.mktemp("compose")))
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return project["services"]


def compose_schema(path: Path) -> int:
    return tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)).returncode


def test_compose_meets_its_schema(rendered: Path) -> None:
    for path in (rendered / "compose.yaml", *(rendered / "compose").glob("*.yaml")):
        assert compose_schema(path) == 0, path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("read_only: true", "read_only: [true]"),
        ("cap_drop: [ALL]", "cap_dropped: [ALL]"),
        ("condition: service_healthy", "condition: healthy"),
        ("    networks: [inside]\n", "    network: [inside]\n"),
    ],
)
def test_compose_schema_refuses_a_planted_mistake(
    rendered: Path, tmp_path: Path, old: str, new: str
) -> None:
    assert compose_schema(changed(rendered / "compose.yaml", tmp_path, old, new)) != 0


def weaknesses(service: dict[str, Any]) -> list[str]:
    """What a service may do that it need not."""
    found = [
        "its disk can be written" if not service.get("read_only") else "",
        "it keeps capabilities" if service.get("cap_drop") != ["ALL"] else "",
        "it may gain privileges"
        if service.get("security_opt") != ["no-new-privileges:true"]
        else "",
        "it is privileged" if service.get("privileged") or service.get("cap_add") else "",
        "it runs as root" if str(service.get("user", "1")).split(":")[0] in ("0", "root") else "",
        *(
            f"{limit} has no limit"
            for limit in ("mem_limit", "cpus", "pids_limit")
            if not service.get(limit)
        ),
        "nobody checks its health"
        if "healthcheck" not in service and "build" not in service
        else "",
        # What another service builds is tagged `local`: no registry has it.
        "its image is not pinned"
        if "build" not in service
        and not re.search(r":[^@]+@sha256:[0-9a-f]{64}$|^my-app:local$", service["image"])
        else "",
        "it listens beyond this machine"
        if any(port.get("host_ip") != "127.0.0.1" for port in service.get("ports", ()))
        else "",
    ]
    return [weakness for weakness in found if weakness]


def test_every_service_is_hardened(services: dict[str, dict[str, Any]]) -> None:
    assert len(services) >= 13
    assert {name: weaknesses(service) for name, service in services.items()} == {
        name: [] for name in services
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("read_only", False),
        ("cap_drop", ["NET_RAW"]),
        ("cap_add", ["SYS_ADMIN"]),
        ("security_opt", []),
        ("user", "0:0"),
        ("mem_limit", None),
        ("healthcheck", None),
        ("image", "valkey/valkey:8.1-alpine"),
        ("ports", [{"target": 6379, "published": "6379"}]),
    ],
)
def test_a_planted_weakness_is_seen(
    services: dict[str, dict[str, Any]], key: str, value: object
) -> None:
    weak = {**services["cache"], key: value}
    if value is None:
        del weak[key]
    assert len(weaknesses(weak)) == 1


def test_what_needs_no_network_has_none(project: dict[str, Any]) -> None:
    services = project["services"]
    assert project["networks"]["inside"]["internal"] is True
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    gateway = {"gateway", "gateway-configuration"}
    assert outside == gateway | {"app", "collector", "grafana", "identity", "migrate", "worker"}
    published = {name for name, service in services.items() if service.get("ports")}
    assert published == {"app", "gateway", "grafana", "identity"}


def test_without_a_profile_only_the_application_starts(services: dict[str, dict[str, Any]]) -> None:
    always = {name for name, service in services.items() if not service.get("profiles")}
    assert always == {"app", "cache", "database", "inference", "migrate", "worker"}


def test_the_inference_server_is_told_no_secret_but_its_key(
    services: dict[str, dict[str, Any]],
) -> None:
    told = services["inference"]["environment"]
    assert [name for name, value in told.items() if "x" * 64 in value] == ["INFERENCE_KEY"]


def roles_apart(realm: dict[str, Any], access: dict[str, Any]) -> set[str]:
    """Roles that only one of the two knows."""
    return {role["name"] for role in realm["roles"]["realm"]} ^ access["roles"].keys()


def test_the_realm_has_the_roles_of_access_yaml(rendered: Path) -> None:
    realm = json.loads((rendered / "compose/identity/realm.json").read_text())
    access = yaml.safe_load((rendered / "access.yaml").read_text())
    assert roles_apart(realm, access) == set()
    known = {role["name"] for role in realm["roles"]["realm"]}
    assert {role for person in realm["users"] for role in person["realmRoles"]} <= known
    del access["roles"]["operator"]
    assert roles_apart(realm, access) == {"operator"}


def test_setup_writes_every_password_that_compose_asks_for(rendered: Path) -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", (rendered / "compose.yaml").read_text()))
    generated = re.findall(
        r"^(\w+)=generate$", (rendered / ".env.example").read_text(), re.MULTILINE
    )
    assert asked
    assert asked <= set(generated)


def test_compose_asks_for_the_passwords(rendered: Path, tmp_path: Path) -> None:
    folder = with_env(rendered, tmp_path)
    env = (folder / ".env").read_text()
    (folder / ".env").write_text(env.replace("POSTGRES_PASSWORD", "OTHER"))
    done = compose_config(folder)
    assert done.returncode != 0
    assert "Add a line POSTGRES_PASSWORD=" in done.stdout


# -- the large model's server ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({}, None),
        ({"MODEL_SHA256": ""}, "MODEL_SHA256 is not set"),
        ({"MODEL_SHA256": "0" * 64}, "is another file: its SHA-256 is"),
        ({"MODEL": "/nowhere/model.gguf"}, "there is no model file /nowhere/model.gguf"),
        ({"LLAMA_API_KEY": ""}, "LLAMA_API_KEY is not set"),
    ],
)
def test_only_the_model_file_that_was_judged_is_served(
    rendered: Path, tmp_path: Path, settings: dict[str, str], refused: str | None
) -> None:
    model, server = tmp_path / "model.gguf", tmp_path / "llama-server"
    model.write_bytes(b"GGUF, more or less")
    server.write_text('#!/bin/sh\necho "serving $*"\n')
    server.chmod(0o755)
    env = {
        "PATH": os.environ["PATH"],
        "LLAMA_API_KEY": "key",
        "LLAMA_SERVER": str(server),
        "MODEL": str(model),
        "MODEL_NAME": "large",
        "MODEL_SHA256": hashlib.sha256(model.read_bytes()).hexdigest(),
        **settings,
    }
    done = subprocess.run(
        [rendered / "compose/serve-model.sh", "--parallel", "2"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if refused:
        assert (done.returncode, done.stdout) == (1, "")
        assert refused in done.stderr
        assert "hint: " in done.stderr
    else:
        assert done.returncode == 0
        assert done.stdout.startswith(f"serving --model {model} --alias large ")
        assert done.stdout.endswith("--parallel 2\n")


# -- what is watched -------------------------------------------------------------------------------


def test_every_panel_asks_for_a_metric_that_the_code_counts(rendered: Path) -> None:
    code = "\n".join(path.read_text() for path in (rendered / "app").rglob("*.py"))
    board = json.loads((rendered / "ops/grafana/dashboards/app.json").read_text())
    asked = {
        re.sub(r"_bucket$", "", name)
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+(?=[{\[)])", target["expr"])
    }
    assert len(asked) >= 8
    assert {name for name in asked if f'"{name}"' not in code} == set()


def test_prometheus_asks_services_that_there_are(
    rendered: Path, services: dict[str, dict[str, Any]]
) -> None:
    config = yaml.safe_load((rendered / "ops/prometheus.yaml").read_text())
    targets = [
        target.partition(":")[0]
        for job in config["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    ]
    assert set(targets) <= services.keys()
    assert {"app", "worker", "inference"} <= set(targets)


# -- devcontainer.json -----------------------------------------------------------------------------


def devcontainer_schema(path: Path) -> int:
    return tool("check-jsonschema", "--schemafile", str(DEVCONTAINER_SCHEMA), str(path)).returncode


def test_devcontainer_meets_the_schema(rendered: Path) -> None:
    assert devcontainer_schema(rendered / ".devcontainer/devcontainer.json") == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("postCreateCommand", "postCreate"),
        ("[8000]", '["eight thousand"]'),
        ('"notify"', '"loudly"'),
        ('"extensions"', '"extension"'),
    ],
)
def test_devcontainer_schema_refuses_a_planted_mistake(
    rendered: Path, tmp_path: Path, old: str, new: str
) -> None:
    path = rendered / ".devcontainer/devcontainer.json"
    assert devcontainer_schema(changed(path, tmp_path, old, new)) != 0


def test_devcontainer_sets_up_as_the_readme_says(rendered: Path) -> None:
    data = json.loads((rendered / ".devcontainer/devcontainer.json").read_text())
    command = data["postCreateCommand"]
    assert re.search(
        rf"^\$ {re.escape(command)}\b", (rendered / "README.md").read_text(), re.MULTILINE
    )
    assert data["forwardPorts"] == [8000]
    assert "\nPORT=8000\n" in (rendered / ".env.example").read_text()
