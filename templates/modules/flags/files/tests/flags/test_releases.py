"""The flag `release` chooses models, prompts and threshold; the switches take models away."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from fastapi import FastAPI

from app.ai.prompts import PromptSet
from app.ai.release import Release
from app.cli import main
from app.core.metrics import Metrics
from app.core.problems import ConfigurationError
from app.flags import releases
from app.flags.flags import Flags
from app.flags.releases import Releases, keep, require_usable
from app.services import Services
from app.settings import Settings
from tests.flags.conftest import ANNA, FlagFile

PROMPT = "---\nname: p\nversion: 1\n---\n{% block system %}NEW {{ canary }}{% endblock %}\n"
PROMPT += "{% block user %}Hello{% endblock %}\n"
MODELS = (
    "models:\n  local: {kind: extractive}\nrequest_classes:\n  p: {route: [local], prompt: p}\n"
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags_file: FlagFile) -> Path:
    """A folder with one prompt and one model, and nothing kept yet."""
    for name in ("access.yaml", "limits.yaml"):
        shutil.copy(name, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/p.j2").write_text(PROMPT)
    (tmp_path / "models.yaml").write_text(MODELS)
    (tmp_path / "prompts.lock").write_text(PromptSet.load(Path("prompts")).lock())
    return tmp_path


def kept() -> dict[str, Any]:
    return keep("previous", Path("prompts"), Path("prompts.lock"), Path("models.yaml"))


@pytest.fixture
def gateway(app: FastAPI) -> Any:
    services: Services = app.state.services
    return services.gateway


@pytest.fixture
def chosen(repository: Path, flags_file: FlagFile, flags: Flags, settings: Settings) -> Any:
    """Releases of a gateway whose current prompts say NEW and whose previous ones say OLD."""
    from app.services import build_services

    gateway = build_services(settings).gateway
    path = repository / "prompts/p.j2"
    path.write_text(PROMPT.replace("NEW", "OLD"))
    (repository / "prompts.lock").write_text(PromptSet.load(Path("prompts")).lock())
    variants = flags_file.read()["flags"]["release"]["variants"] | {"previous": kept()}
    path.write_text(PROMPT)
    flags_file.alter("release", variants=variants)
    return SimpleNamespace(gateway=gateway, choose=Releases(gateway, flags).choose)


def says(release: Release) -> str:
    return release.prompts["p"].confidential[0].split()[0]


def test_current_is_what_the_application_started_with(chosen: Any) -> None:
    assert chosen.choose(ANNA) is chosen.gateway.release
    assert says(chosen.choose(ANNA)) == "NEW"


def test_previous_has_its_own_prompts_and_models(chosen: Any, flags_file: FlagFile) -> None:
    flags_file.alter("release", defaultVariant="previous", targeting={})
    release = chosen.choose(ANNA)
    assert (release.name, says(release)) == ("previous", "OLD")
    assert chosen.choose(ANNA).caller is release.caller, "it is read once, its breakers last"
    flags_file.alter("release", defaultVariant="current")
    assert says(chosen.choose(ANNA)) == "NEW"


def test_switches_and_threshold(chosen: Any, flags_file: FlagFile) -> None:
    flags_file.alter("escalation", defaultVariant="off")
    flags_file.alter("large-model", defaultVariant="off")
    variants = flags_file.read()["flags"]["release"]["variants"]
    variants["current"]["threshold"] = 0.9
    flags_file.alter("release", variants=variants)
    release = chosen.choose(ANNA)
    assert (release.escalates, release.remote, release.threshold) == (False, False, 0.9)


@pytest.mark.parametrize(
    "broken",
    [
        {"models": "gone.yaml", "prompts": "prompts", "threshold": None},
        {"models": "models.yaml", "prompts": "gone", "threshold": None},
        {"models": "models.yaml", "prompts": "prompts", "threshold": 2},
        {"prompts": "prompts"},
    ],
)
def test_a_release_that_cannot_be_had_is_replaced_and_reported(
    chosen: Any, flags_file: FlagFile, metrics: Metrics, broken: dict[str, Any]
) -> None:
    variants = flags_file.read()["flags"]["release"]["variants"] | {"previous": broken}
    flags_file.alter("release", variants=variants, defaultVariant="previous", targeting={})
    with structlog.testing.capture_logs() as logs:
        assert [says(chosen.choose(ANNA)) for _ in range(3)] == ["NEW"] * 3
    assert b'flag="release",reason="RELEASE_UNUSABLE"} 3.0' in metrics.render()
    assert [line["event"] for line in logs].count("flag_failed") == 1


def test_pinning_a_broken_release_is_refused(chosen: Any, flags_file: FlagFile) -> None:
    def variant(name: str) -> dict[str, Any]:
        return flags_file.read()["flags"]["release"]["variants"][name]

    require_usable(variant("previous"))
    path = releases.FOLDER / "previous/prompts/p.j2"
    path.write_text(PROMPT.replace("NEW", "TAMPERED"))
    with pytest.raises(ConfigurationError, match="was changed after it was locked"):
        require_usable(variant("previous"))
    path.unlink()
    with pytest.raises(ConfigurationError, match="no prompt named 'p'"):
        require_usable(variant("previous"))


def test_only_what_was_judged_is_kept(repository: Path) -> None:
    (repository / "prompts/p.j2").write_text(PROMPT.replace("NEW", "NEWER"))
    with pytest.raises(ConfigurationError, match="keep a release before you change it"):
        kept()
    assert not Path("releases").exists()


def test_keep_as_a_command(
    repository: Path, flags_file: FlagFile, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    done = CliRunner().invoke(main, ["flags", "keep", "--by", "ada"])
    assert done.exit_code == 0, done.output
    release = flags_file.read()["flags"]["release"]
    assert release["variants"]["previous"] == {
        "models": "releases/previous/models.yaml",
        "prompts": "releases/previous/prompts",
        "threshold": None,
    }
    assert release["defaultVariant"] == "current"
    require_usable(release["variants"]["previous"])
