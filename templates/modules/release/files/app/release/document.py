"""release.json: made from what is committed and measured, and compared with what is here."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.ai.settings import AiSettings
from app.core.problems import ConfigurationError
from app.core.release import FILE
from app.evals.provenance import git_state
from app.evals.suite import SuiteError, load_suite
from app.features import NAME

REPORT = Path("var/reports/evals.json")
SBOM = Path("var/sbom.json")
# A path of each machine's own; in release.json the small model is known by this name.
SMALL = "the small model"
# What a process reads. The rest of what is pinned does not travel with it.
_SERVED = ("prompts", "models")
_SECTIONS = (*_SERVED, "datasets", "evals")
_SCHEMA = 1


def build(model: Path, images: Mapping[str, str]) -> dict[str, Any]:
    """The document of the release that this commit is.

    `model` is the trained small model, `images` the digest of each image by name. Raises
    ConfigurationError when something is not committed, was not measured, or did not pass.
    """
    commit, dirty = git_state(Path(), ignored=str(FILE))
    if commit is None:
        raise ConfigurationError("a release is made of a commit; there is no git repository here")
    if dirty:
        raise ConfigurationError(f"a release is made of a commit; commit first: {', '.join(dirty)}")
    try:
        suite = load_suite(Path())
    except SuiteError as error:
        raise ConfigurationError(str(error)) from None
    return {
        "schema": _SCHEMA,
        "id": f"{version(NAME)}+{commit[:12]}",
        "version": version(NAME),
        "commit": commit,
        "prompts": {path.as_posix(): _sha256(path) for path in _prompts()},
        "models": {
            suite.models: _sha256(Path(suite.models)),
            suite.models_lock: _sha256(Path(suite.models_lock)),
            SMALL: _sha256(model),
        },
        "datasets": {suite.datasets_lock: _sha256(Path(suite.datasets_lock))},
        "evals": _evals(commit, _sha256(model)),
        "sbom": _sha256_of_sbom(),
        "images": dict(sorted(images.items())),
    }


def text_of(document: Mapping[str, Any]) -> str:
    """The one way to write a document: equal content is equal bytes."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def differences(document: Mapping[str, Any], model: Path) -> list[str]:
    """A sentence for each file that is not what the document says.

    What was measured and is not here, as in an image, is passed over; what is served must be here.
    Raises ConfigurationError when the document is none that `build` made.
    """
    if document.get("schema") != _SCHEMA or not all(
        isinstance(document.get(section), dict) for section in _SECTIONS
    ):
        raise ConfigurationError(f"{FILE} is of another schema than {_SCHEMA}: app release build")
    found = []
    for section in (*_SERVED, "datasets"):
        for name, digest in document[section].items():
            path = model if name == SMALL else Path(name)
            if not path.exists():
                if section in _SERVED:
                    found.append(f"{name} is not here")
            elif _sha256(path) != digest:
                found.append(f"{name} is not what was released")
    new = {path.as_posix() for path in _prompts()} - document["prompts"].keys()
    found += [f"{name} was not released" for name in sorted(new)]
    if REPORT.exists() and _sha256_of_report(_report()) != document["evals"]["report"]:
        found.append(f"{REPORT} is not what was released")
    if SBOM.exists() and _sha256_of_sbom() != document["sbom"]:
        found.append(f"{SBOM} is not what was released")
    return found


def _prompts() -> list[Path]:
    settings = AiSettings()
    return [settings.prompts_lock, *sorted(settings.prompts_dir.glob("*.j2"))]


def _evals(commit: str, model: str) -> dict[str, Any]:
    report = _report()
    provenance = report["provenance"]
    if provenance["commit"] != commit or provenance["dirty"]:
        raise ConfigurationError(f"{REPORT} is of another state than {commit[:12]}: just evals")
    if provenance["small_model_file"] != model:
        raise ConfigurationError(f"{REPORT} judges another small model than is here: just evals")
    if report["verdict"] not in ("pass", "inconclusive"):
        raise ConfigurationError(f"{REPORT} says {report['verdict']}; that is no release")
    return {
        "verdict": report["verdict"],
        "report": _sha256_of_report(report),
        "figures": {name: metric["value"] for name, metric in _untimed(report["metrics"]).items()},
    }


def _report() -> dict[str, Any]:
    return _json(REPORT, "just evals")


def _sha256_of_report(report: Mapping[str, Any]) -> str:
    """The digest of what was answered and found: times and the machine differ in every run."""
    rows = [_untimed(row) for row in report["rows"]]
    provenance = {key: value for key, value in report["provenance"].items() if key != "machine"}
    return _digest([report["verdict"], _untimed(report["metrics"]), rows, provenance])


def _sha256_of_sbom() -> str:
    """The digest of the packages: serial number and time are drawn anew in every export."""
    sbom = _json(SBOM, "just sbom")
    sbom["metadata"].pop("timestamp", None)
    return _digest({key: value for key, value in sbom.items() if key != "serialNumber"})


def _untimed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not key.startswith("latency")}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}): {remedy}") from None


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
