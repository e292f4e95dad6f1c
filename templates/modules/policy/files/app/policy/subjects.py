"""What the policies judge: every description of the application in this repository."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core import yaml
from app.policy.rego import PolicyError, read_yaml
from app.settings import Settings


@dataclass(frozen=True)
class Subject:
    """One input of one policy, and the file that it comes from."""

    policy: str
    file: str
    content: Any


def collect(root: Path, settings: Settings, given: dict[str, list[Path]]) -> list[Subject]:
    """Return all that is there, and the files `given` by the name of their policy.

    Raises PolicyError for a file that cannot be read.
    """
    compose = [*root.glob("compose*.y*ml"), *root.glob("compose/*.y*ml")]
    found = [
        _api(settings),
        *_files("compose", root, compose),
        *_files("github", root, root.glob(".github/workflows/*.y*ml")),
        *_files("gitlab", root, root.glob(".gitlab-ci.yml")),
        *_files("models", root, [root / settings.models_file]),
        *_manifests(root),
        *_files("terraform", root, root.glob("infra/**/plan.json")),
    ]
    for policy, paths in given.items():
        found += [Subject(policy, str(path), _document(policy, path)) for path in paths]
    return [*found, _addresses(found)]


def _api(settings: Settings) -> Subject:
    from app.main import create_app

    document = create_app(settings.model_copy(update={"environment": "test"})).openapi()
    return Subject("openapi", "the application", document)


def _files(policy: str, root: Path, paths: Any) -> list[Subject]:
    return [Subject(policy, str(path.relative_to(root)), read_yaml(path)) for path in sorted(paths)]


def _document(policy: str, path: Path) -> Any:
    if policy == "kubernetes":
        return _list(_text(path), str(path))
    return read_yaml(path)


def _manifests(root: Path) -> Iterator[Subject]:
    """Each overlay as kustomize renders it; where there is none, the base as it is written."""
    folder = root / "infra" / "kubernetes"
    overlays = sorted(path.parent for path in folder.glob("overlays/*/kustomization.yaml"))
    kustomize = _kustomize()
    if overlays and kustomize:
        for overlay in overlays:
            name = str(overlay.relative_to(root))
            rendered = subprocess.run(  # noqa: S603  the tool was looked up, the folder is ours
                [*kustomize, str(overlay)], capture_output=True, text=True, check=False
            )
            if rendered.returncode:
                raise PolicyError(f"kustomize cannot render {name}: {rendered.stderr.strip()}")
            yield Subject("kubernetes", name, _list(rendered.stdout, name))
    elif files := sorted(set(folder.glob("base/*.yaml")) - {folder / "base/kustomization.yaml"}):
        text = "\n---\n".join(map(_text, files))
        yield Subject("kubernetes", "infra/kubernetes/base", _list(text, "infra/kubernetes/base"))


def _kustomize() -> list[str]:
    if path := shutil.which("kustomize"):
        return [path, "build"]
    if path := shutil.which("kubectl"):
        return [path, "kustomize"]
    return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"cannot read {path}: {error.strerror}") from error


def _list(text: str, file: str) -> dict[str, Any]:
    try:
        return {"kind": "List", "items": [item for item in yaml.safe_load_all(text) if item]}
    except yaml.YAMLError as error:
        raise PolicyError(f"{file} is no valid YAML: {error}") from error


def _addresses(found: list[Subject]) -> Subject:
    """Every URL that the models and the containers are configured with."""
    urls = [
        {"path": f"{subject.file} {place}", "url": url}
        for subject in found
        if subject.policy in {"compose", "kubernetes", "models"}
        for place, url in _urls(subject.content, "")
    ]
    return Subject("egress", "the configuration", {"urls": urls})


def _urls(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _urls(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _urls(inner, f"{place}[{position}]")
    elif isinstance(value, str) and value.startswith(("http://", "https://", "grpc://")):
        yield place, value
