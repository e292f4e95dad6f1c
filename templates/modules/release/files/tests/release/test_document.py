"""release.json says what a release is made of, in the same bytes, and nothing else serves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.core.problems import ConfigurationError
from app.main import create_app
from app.release import document
from app.settings import Settings
from tests.repository import commit

from .conftest import ROOT, head, measured

MODEL = Path("var/small.npz")
Build = Callable[..., dict[str, Any]]


def test_it_names_commit_prompts_models_data_report_packages_and_images(
    repository: Path, build: Build
) -> None:
    made = build(app="sha256:" + "0" * 64)
    assert made["commit"] == head()
    assert made["id"] == f"{made['version']}+{head()[:12]}"
    prompts = {f"prompts/{path.name}" for path in (repository / "prompts").glob("*.j2")}
    assert made["prompts"].keys() == {"prompts.lock"} | prompts
    assert made["models"].keys() == {"models.yaml", "models.lock", document.SMALL}
    assert made["datasets"].keys() == {"evals/datasets.lock"}
    assert made["evals"]["figures"] == {"accuracy": 0.9}
    assert made["images"] == {"app": "sha256:" + "0" * 64}
    assert document.differences(made, MODEL) == []


@pytest.mark.usefixtures("repository")
def test_another_run_at_the_same_commit_gives_the_same_bytes(build: Build) -> None:
    first = document.text_of(build())
    report = json.loads(document.REPORT.read_text())
    report["rows"][0]["latency_ms"] = 900
    report["metrics"]["latency.p95_ms"]["value"] = 900
    report["provenance"]["machine"] = "another"
    document.REPORT.write_text(json.dumps(report))
    sbom = json.loads(document.SBOM.read_text())
    document.SBOM.write_text(
        json.dumps(sbom | {"serialNumber": "2", "metadata": {"timestamp": "later"}})
    )
    assert document.text_of(build()) == first


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("prompts.lock", "prompts.lock is not what"),
        ("models.yaml", "models.yaml is not what"),
        ("models.lock", "models.lock is not what"),
        ("evals/datasets.lock", "evals/datasets.lock is not what"),
        ("var/small.npz", "the small model is not what"),
        ("prompts/new.j2", "prompts/new.j2 was not released"),
    ],
)
@pytest.mark.usefixtures("repository")
def test_what_changed_afterwards_is_named(build: Build, path: str, told: str) -> None:
    made = build()
    with Path(path).open("ab") as file:
        file.write(b"\n")
    (line,) = document.differences(made, MODEL)
    assert line.startswith(told)


@pytest.mark.usefixtures("repository")
def test_what_was_measured_may_be_away_but_not_what_is_served(build: Build) -> None:
    made = build()
    for path in (document.REPORT, document.SBOM, Path("evals/datasets.lock")):
        path.unlink()
    assert document.differences(made, MODEL) == []
    Path("models.yaml").unlink()
    assert document.differences(made, MODEL) == ["models.yaml is not here"]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("part", ["rows", "components", "verdict"])
def test_another_report_or_list_of_packages_is_noticed(build: Build, part: str) -> None:
    made = build()
    path = document.SBOM if part == "components" else document.REPORT
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {part: []}))
    assert document.differences(made, MODEL) == [f"{path} is not what was released"]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"commit": "0" * 40}, "another state"),
        ({"dirty": ["app/main.py"]}, "another state"),
        ({"small_model_file": "0"}, "another small model"),
    ],
)
def test_a_report_of_something_else_makes_no_release(
    build: Build, change: dict[str, Any], told: str
) -> None:
    measured(**change)
    with pytest.raises(ConfigurationError, match=told):
        build()


@pytest.mark.usefixtures("repository")
def test_what_the_evals_block_is_no_release(build: Build) -> None:
    report = json.loads(document.REPORT.read_text())
    document.REPORT.write_text(json.dumps(report | {"verdict": "block"}))
    with pytest.raises(ConfigurationError, match="says block"):
        build()


def test_what_is_not_committed_is_no_release(repository: Path, build: Build) -> None:
    (repository / "models.yaml").write_text("changed: true\n")
    with pytest.raises(ConfigurationError, match=r"commit first: models\.yaml"):
        build()
    commit(repository)
    with pytest.raises(ConfigurationError, match="just evals"):
        build()


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("path", [document.REPORT, document.SBOM])
def test_what_was_not_measured_is_no_release(build: Build, path: Path) -> None:
    path.unlink()
    with pytest.raises(ConfigurationError, match=path.name):
        build()


async def reported(settings: Settings, address: str) -> Any:
    app = create_app(settings.model_copy(update={"model_path": MODEL}))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get(address)
    await app.state.services.database.close()
    return response.json()


@pytest.fixture
def released(repository: Path, build: Build) -> dict[str, Any]:
    # What the application reads besides, from where it stands.
    with Path(".gitignore").open("a") as ignored:
        for source in ROOT.glob("[!.]*"):
            if not Path(source.name).exists():
                Path(source.name).symlink_to(source)
                ignored.write(f"/{source.name}\n")
    commit(repository)
    measured()
    return build()


async def test_version_is_the_file(settings: Settings, released: dict[str, Any]) -> None:
    assert (await reported(settings, "/version"))["release"] == released


async def test_a_process_serves_its_release_or_is_not_ready(
    settings: Settings, released: dict[str, Any]
) -> None:
    assert "release" not in (await reported(settings, "/readyz"))["reasons"]
    changed = released["prompts"] | {"prompts.lock": "0" * 64}
    document.FILE.write_text(document.text_of(released | {"prompts": changed}))
    from app.core import release

    release.current.cache_clear()
    reasons = (await reported(settings, "/readyz"))["reasons"]
    assert reasons["release"] == "prompts.lock is not what was released"
