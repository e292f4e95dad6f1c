"""datasets.lock and models.lock: what the evals measure with, pinned by hash.

Both are written by `app evals lock` and reviewed as a diff; a file that changed without its lock
makes every run invalid, so that data and models never change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.evals.rows import RowsError, read_document
from app.evals.suite import Suite, SuiteError, read_records, read_yaml

RELOCK = "undo the change, or accept it with `app evals lock` and review the diff of the lock"


def sha256_of(path: Path) -> str:
    """The hash of a file. Raises SuiteError when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SuiteError(f"cannot read {path}: {error.strerror}") from error


def datasets_now(suite: Suite) -> dict[str, Any]:
    """What datasets.lock should say: hash, number of cases and licence of every data file."""
    found = {}
    for relative in suite.locked_files():
        licence = suite.licences.get(relative)
        if not licence:
            raise SuiteError(
                f"evals/suite.yaml names no licence for {relative}",
                "add it under `licences`: whoever inherits the data must know what is allowed",
            )
        found[relative] = {
            "sha256": sha256_of(suite.path(relative)),
            "cases": len(read_records(suite.path(relative))),
            "licence": licence,
        }
    return found


def models_now(suite: Suite, recipe: str) -> dict[str, Any]:
    """What models.lock should say. `recipe` is the hash of how the small model is trained.

    Trained weights differ between processors in their last digits; their recipe does not.
    """
    found: dict[str, Any] = {}
    for name, model in read_yaml(suite.path(suite.models))["models"].items():
        entry = {key: model[key] for key in ("kind", "name", "revision") if key in model}
        if model.get("kind") == "classifier":
            entry |= {
                "recipe": recipe,
                "dataset": suite.training_data,
                "dataset_sha256": sha256_of(suite.path(suite.training_data)),
            }
        found[name] = entry | {"evaluated_in": suite.baseline}
    return found


def write_lock(path: Path, content: Mapping[str, Any]) -> bool:
    """Write a lock file. Returns whether it changed."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def differences(path: Path, now: Mapping[str, Any]) -> list[str]:
    """What changed since `path` was locked, one sentence an entry."""
    try:
        locked = read_document(path)
    except RowsError as error:
        return [str(error)]
    found = []
    for name in sorted({*now, *locked}):
        if name not in locked:
            found.append(f"{name} is not in {path.name}")
        elif name not in now:
            found.append(f"{name} is in {path.name} but no longer in use")
        elif changed := [key for key in now[name] if now[name][key] != locked[name].get(key)]:
            found.append(f"{name} is not what {path.name} pins ({', '.join(changed)} differ)")
    return found


def dataset_hash(datasets: Mapping[str, Any], suite: Suite) -> str:
    """One hash for all case files: the identity of what is asked."""
    pairs = sorted((name, datasets[name]["sha256"]) for name in set(suite.suites.values()))
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()
