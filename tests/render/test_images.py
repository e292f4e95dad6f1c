"""Images pinned by digest stand where the bots that move them look."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

# As Dependabot finds the files of its two ecosystems in the folders that it is given.
DOCKERFILE = re.compile(r"(docker|container)file", re.IGNORECASE)
COMPOSE = re.compile(r"(docker-)?compose(-\w+)?(\.[\w-]+)?\.ya?ml", re.IGNORECASE)
PINNED = re.compile(rb"^\s*(FROM|- ?image:|image:) \S+@sha256:[0-9a-f]{64}", re.MULTILINE)
# Their names are other tools' own: no bot of GitHub's reads them.
BY_HAND = {"infra/vps/standing.yaml", "config/deploy.yml"}
NOT_RUN = ("policies/examples/",)


def pinning(repository: Path) -> set[str]:
    files = (path for path in repository.rglob("*") if path.is_file())
    names = {
        str(path.relative_to(repository)) for path in files if PINNED.search(path.read_bytes())
    }
    return {name for name in names if not name.startswith(NOT_RUN)}


def watched(repository: Path) -> set[str]:
    updates = yaml.safe_load((repository / ".github/dependabot.yml").read_text())["updates"]
    folders = {it["package-ecosystem"]: it.get("directories", []) for it in updates}
    found = set()
    for ecosystem in ("docker", "docker-compose"):
        for folder in folders[ecosystem]:
            for path in (repository / folder.lstrip("/")).iterdir():
                if path.is_file() and finds(ecosystem, path):
                    found.add(str(path.relative_to(repository)))
    return found


def finds(ecosystem: str, path: Path) -> bool:
    if ecosystem == "docker-compose":
        return bool(COMPOSE.search(path.name))
    if DOCKERFILE.search(path.name):
        return True
    if path.suffix not in (".yml", ".yaml"):
        return False
    documents = [it for it in yaml.safe_load_all(path.read_text()) if isinstance(it, dict)]
    return any({"apiVersion", "kind"} <= it.keys() for it in documents)


def test_bots_find_every_pinned_image(rendered: Path) -> None:
    pinned = pinning(rendered)
    assert len(pinned) >= 8
    assert pinned - watched(rendered) == BY_HAND


@pytest.mark.parametrize("name", ["compose.flags.yaml", "identity/Dockerfile"])
def test_a_file_that_no_bot_finds_is_seen(rendered: Path, tmp_path: Path, name: str) -> None:
    repository = Path(shutil.copytree(rendered, tmp_path / "repository"))
    path = repository / "compose" / name
    path.rename(path.with_name("flags.yaml"))
    assert pinning(repository) - watched(repository) > BY_HAND
