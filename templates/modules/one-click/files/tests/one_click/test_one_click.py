"""What the hosts are told fits the application and its image, and holds no secret."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from app.cli import main
from app.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def render() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "render.yaml").read_text())


@pytest.fixture
def fly() -> dict[str, Any]:
    return tomllib.loads((ROOT / "fly.toml").read_text())


@pytest.fixture
def kamal() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "config/deploy.yml").read_text())


def test_each_asks_whether_it_is_ready(
    render: dict[str, Any], fly: dict[str, Any], kamal: dict[str, Any]
) -> None:
    assert render["services"][0]["healthCheckPath"] == "/readyz"
    assert fly["http_service"]["checks"][0]["path"] == "/readyz"
    assert kamal["proxy"]["healthcheck"]["path"] == "/readyz"


def test_each_runs_commands_that_exist(
    render: dict[str, Any], fly: dict[str, Any], kamal: dict[str, Any]
) -> None:
    hook = (ROOT / ".kamal/hooks/pre-app-boot").read_text()
    commands = [
        render["services"][0]["preDeployCommand"],
        render["services"][1]["dockerCommand"],
        fly["deploy"]["release_command"],
        *fly["processes"].values(),
        kamal["servers"]["worker"]["cmd"],
        shlex.split(hook)[-1],
    ]
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "app"
        done = CliRunner().invoke(main, [*arguments, "--help"])
        assert done.exit_code == 0, f"{command}: {done.output}"


def test_migrations_come_before_the_new_version(
    render: dict[str, Any], fly: dict[str, Any]
) -> None:
    migrate = "app db upgrade"
    assert render["services"][0]["preDeployCommand"] == migrate
    assert fly["deploy"]["release_command"] == migrate
    assert migrate in (ROOT / ".kamal/hooks/pre-app-boot").read_text()


def test_the_names_of_render_hold_together(render: dict[str, Any]) -> None:
    names = {it["name"] for it in (*render["services"], *render["databases"])}
    groups = {it["name"] for it in render["envVarGroups"]}
    for service in render["services"]:
        for variable in service.get("envVars", []):
            source = variable.get("fromDatabase") or variable.get("fromService")
            assert source["name"] in names if source else variable["fromGroup"] in groups
    for store in (*render["services"][2:], *render["databases"]):
        assert store["ipAllowList"] == [], f"{store['name']} can be reached from outside"


def test_every_setting_is_one_that_production_accepts(
    render: dict[str, Any],
    fly: dict[str, Any],
    kamal: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = {it["key"]: it.get("value", "") for it in render["envVarGroups"][0]["envVars"]}
    for given in (group, fly["env"], kamal["env"]["clear"]):
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        settings = Settings(_env_file=None)  # pyrefly: ignore[unexpected-keyword]
        assert settings.is_production
        assert not settings.in_process_workers


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p@h/d?sslmode=require", "postgresql+asyncpg://u:p@h/d?ssl=require"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("sqlite+aiosqlite:///var/app.db", "sqlite+aiosqlite:///var/app.db"),
    ],
)
def test_an_address_as_hosts_write_it_is_understood(given: str, used: str) -> None:
    assert Settings(_env_file=None, database_url=given).database_url == used  # pyrefly: ignore[unexpected-keyword]


def test_no_file_holds_a_secret(kamal: dict[str, Any], fly: dict[str, Any]) -> None:
    secrets = (ROOT / ".kamal/secrets").read_text()
    for name, value in re.findall(r"^(\w+)=(.*)$", secrets, re.MULTILINE):
        assert "$" in value, f".kamal/secrets: {name} is a value"
    assert set(kamal["env"]["secret"]) <= set(re.findall(r"^(\w+)=", secrets, re.MULTILINE))
    secret = {"ACCESS_TOKEN", "DATABASE_URL", "LARGE_MODEL_API_KEY"}
    assert not secret & (fly["env"].keys() | kamal["env"]["clear"].keys())
