"""models.yaml: what it may say, and how a mistake is explained."""

from pathlib import Path

import pytest

from app.ai.build import build_gateway
from app.ai.router import ModelsFileError, load
from app.ai.settings import AiSettings, api_key
from app.core.db import Database
from app.core.metrics import Metrics
from app.settings import Settings

GOOD = """
models:
  small: {kind: classifier}
  large: {kind: openai, url: "", name: "", price_per_million_usd: {input: 1, output: 2}}
  local: {kind: extractive}
request_classes:
  draft: {route: [large, local], prompt: draft}
"""


def write(folder: Path, content: str) -> Path:
    path = folder / "models.yaml"
    path.write_text(content)
    return path


def test_the_repository_s_own_file_is_valid() -> None:
    config = load(Path("models.yaml"))
    assert {"small", "large", "local"} <= set(config.models)


def test_prices_are_per_million(tmp_path: Path) -> None:
    spec = load(write(tmp_path, GOOD)).models["large"]
    assert spec.price.cost(2_000_000, 500_000) == 3.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[large, local]", "[large, locl]", "names 'locl'; models has small, large, local"),
        ("[large, local]", "[]", "request_classes.draft.route"),
        ("prompt: draft", "promt: draft", "request_classes.draft.promt: Extra inputs"),
        ("kind: extractive", "kind: magic", "models.local"),
        ("input: 1", "input: -1", "price_per_million_usd.input"),
        ("models:", "models: [", "no valid YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ModelsFileError) as caught:
        load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_an_unknown_class_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelsFileError, match="cannot read"):
        load(tmp_path / "models.yaml")
    with pytest.raises(
        ModelsFileError, match=r"no request class 'x' in models\.yaml; there are: draft"
    ):
        load(write(tmp_path, GOOD)).request_class("x")


async def test_a_request_class_needs_its_prompt(
    tmp_path: Path, database: Database, settings: Settings
) -> None:
    with pytest.raises(ModelsFileError, match="request class draft: no prompt named 'draft'"):
        build_gateway(
            write(tmp_path, GOOD),
            settings.model_path,
            database,
            Metrics(),
            AiSettings(prompts_dir=tmp_path / "none", _env_file=None),
        )


def test_a_key_comes_from_the_environment_or_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LARGE_MODEL_API_KEY", raising=False)
    assert api_key("large") is None
    (tmp_path / ".env").write_text("LARGE_MODEL_API_KEY=from-file\n")
    assert api_key("large") == "from-file"
    monkeypatch.setenv("LARGE_MODEL_API_KEY", "from-environment")
    assert api_key("large") == "from-environment"
