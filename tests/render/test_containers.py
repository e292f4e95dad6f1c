"""Dockerfile, compose.yaml, devcontainer.json: each by a tool that refuses a planted mistake."""

import json
import os
import re
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


def hadolint(dockerfile: Path) -> int:
    return tool("hadolint", "--no-color", str(dockerfile)).returncode


def test_hadolint_finds_nothing(rendered: Path) -> None:
    done = tool("hadolint", "--no-color", str(rendered / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


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
    assert stages[0] == stages[-1] == "${BASE}"
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


@pytest.fixture(scope="module")
def services(rendered: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((rendered / "compose.yaml").read_text())["services"]


def compose_schema(path: Path) -> int:
    return tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)).returncode


def test_compose_meets_its_schema(rendered: Path) -> None:
    assert compose_schema(rendered / "compose.yaml") == 0


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


def test_every_service_is_hardened(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert service.get("user") != "root", name


def test_compose_holds_together(services: dict[str, dict[str, Any]], rendered: Path) -> None:
    data = yaml.safe_load((rendered / "compose.yaml").read_text())
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                check = services[other].get("healthcheck", {})
                assert "test" in check, (
                    f"{name} waits for {other} to be healthy, which nobody checks"
                )
        assert set(service["networks"]) <= set(data["networks"])
        volumes = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        assert set(volumes) <= set(data["volumes"])
    only_inside = [name for name, service in services.items() if service["networks"] == ["inside"]]
    assert sorted(only_inside) == ["cache", "database"]
    published = [name for name, service in services.items() if service.get("ports")]
    assert published == ["app"]


def test_setup_writes_every_password_that_compose_asks_for(rendered: Path) -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", (rendered / "compose.yaml").read_text()))
    generated = re.findall(
        r"^(\w+)=generate$", (rendered / ".env.example").read_text(), re.MULTILINE
    )
    assert asked
    assert asked <= set(generated)


def has_compose() -> bool:
    try:
        return tool("docker", "compose", "version").returncode == 0
    except AssertionError:
        return False


@pytest.mark.skipif(not has_compose(), reason="`docker compose` is not on this machine")
def test_docker_reads_compose(rendered: Path, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text((rendered / "compose.yaml").read_text())
    refused = tool("docker", "compose", "config", "--quiet", cwd=tmp_path)
    assert refused.returncode != 0, "it does not ask for the passwords"
    env = re.sub(r"(?m)=generate$", "=x" * 16, (rendered / ".env.example").read_text())
    (tmp_path / ".env").write_text(env)
    done = tool("docker", "compose", "config", "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


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
