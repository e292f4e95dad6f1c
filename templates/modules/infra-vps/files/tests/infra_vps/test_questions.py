"""What deploy.py asks a new release is answered by this application, and containers agree."""

import re
from pathlib import Path

import httpx2
import pytest

from app.core import yaml

FOLDER = Path("infra/vps")
SLO = Path("slo.yaml").read_text()


def pattern(text: str) -> str:
    """A pattern that deploy.py looks for, by a part of it."""
    found = re.search(rf"""re\.findall\(\s*r(["'])(.*{text}.*)\1,""", source("deploy.py"))
    assert found, f"deploy.py looks for {text} no more"
    return found[2]


@pytest.mark.anyio
async def test_every_page_that_a_deploy_asks_for_is_there(client: httpx2.AsyncClient) -> None:
    paths = re.findall(pattern("route: GET"), SLO)
    assert "/healthz" in paths
    for path in paths:
        assert (await client.get(path)).status_code == 200, path


@pytest.mark.anyio
async def test_a_deploy_can_read_how_many_requests_failed(client: httpx2.AsyncClient) -> None:
    await client.get("/healthz")
    shown = (await client.get("/metrics")).text
    answered = re.findall(pattern("http_requests_total"), shown)
    assert ("200", "1.0") in answered


def test_a_release_runs_as_in_compose_yaml() -> None:
    here, there = (
        yaml.safe_load(path.read_text())["services"]
        for path in (FOLDER / "release.yaml", Path("compose.yaml"))
    )
    same = ("read_only", "cap_drop", "security_opt", "pids_limit", "user", "tmpfs", "command")
    for service in ("migrate", "app", "worker", "inference"):
        for key in same:
            assert here[service].get(key) == there[service].get(key), (service, key)
        # Nobody stands in front there.
        settings = here[service]["environment"].keys() - {"TRUSTED_HOPS"}
        assert settings == there[service]["environment"].keys()


def source(name: str) -> str:
    return (FOLDER / name).read_text()
