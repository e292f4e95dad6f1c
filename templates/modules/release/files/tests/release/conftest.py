"""A repository with all that a release is made of, and the application's own files in it."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import release
from app.release import document
from tests.repository import commit, git

ROOT = Path(__file__).parents[2]
COPIED = ("prompts", "prompts.lock", "models.yaml", "models.lock", "evals")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The present folder: committed, with a small model, a report of the evals and an SBOM."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    (folder / ".gitignore").write_text("var/\nrelease.json*\n")
    (folder / "var/reports").mkdir(parents=True)
    (folder / "var/small.npz").write_bytes(b"weights")
    git(folder, "init", "--quiet")
    commit(folder)
    monkeypatch.chdir(folder)
    measured()
    release.current.cache_clear()
    yield folder
    release.current.cache_clear()


@pytest.fixture
def build() -> Callable[..., dict[str, Any]]:
    """`build(app="sha256:...")`: the document, written to release.json."""

    def made(**images: str) -> dict[str, Any]:
        content = document.build(Path("var/small.npz"), images)
        release.FILE.write_text(document.text_of(content))
        return content

    return made


def measured(**changes: Any) -> None:
    """Write what `just evals` and `just sbom` would; `changes` are of the report's provenance."""
    model = document._sha256(Path("var/small.npz"))
    provenance = {"commit": head(), "dirty": [], "small_model_file": model, "machine": "a"}
    report = {
        "verdict": "pass",
        "metrics": {"accuracy": {"value": 0.9}, "latency.p95_ms": {"value": 3.1}},
        "rows": [{"id": "one", "correct": True, "latency_ms": 2.5}],
        "provenance": provenance | changes,
    }
    document.REPORT.write_text(json.dumps(report))
    sbom = {"serialNumber": "urn:uuid:1", "metadata": {"timestamp": "now"}, "components": ["one"]}
    document.SBOM.write_text(json.dumps(sbom))


def head() -> str:
    return git(Path(), "rev-parse", "HEAD").strip()
