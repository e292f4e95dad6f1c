"""The API's contract: one file per tag, holding its paths and every schema they use."""

import json
import re
from pathlib import Path
from typing import Any

from app.main import create_app
from app.settings import Settings

CONTRACTS = Path("contracts/openapi")
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')


def contracts() -> dict[str, str]:
    """Return the text of each contract, by file name."""
    document = create_app(Settings(environment="test")).openapi()
    operations = [
        (tag, path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for tag in operation.get("tags", ["untagged"])[:1]
    ]
    result = {}
    for tag in sorted({tag for tag, *_ in operations}):
        paths: dict[str, Any] = {}
        for owner, path, method, operation in operations:
            if owner == tag:
                paths.setdefault(path, {})[method] = operation
        schemas = _reachable(paths, document.get("components", {}).get("schemas", {}))
        text = json.dumps({"paths": paths, "schemas": schemas}, indent=2, sort_keys=True)
        result[f"{tag}.json"] = text + "\n"
    return result


def write(folder: Path) -> list[Path]:
    """Write the contracts, remove those of tags that are gone, and return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = contracts()
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)
    return [folder / name for name in wanted]


def differences(folder: Path) -> list[str]:
    """Return a line for each path or schema that is not as the contract in `folder` says."""
    present = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    wanted = {name: json.loads(text) for name, text in contracts().items()}
    lines = []
    for name in sorted(present.keys() | wanted.keys()):
        for kind in ("paths", "schemas"):
            old = present.get(name, {}).get(kind, {})
            new = wanted.get(name, {}).get(kind, {})
            lines += [
                f"{name}: {kind[:-1]} {key} is new" for key in sorted(new.keys() - old.keys())
            ]
            lines += [
                f"{name}: {kind[:-1]} {key} is gone" for key in sorted(old.keys() - new.keys())
            ]
            lines += [
                f"{name}: {kind[:-1]} {key} changed"
                for key in sorted(old.keys() & new.keys())
                if old[key] != new[key]
            ]
    return lines


def _reachable(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = _REFERENCE.findall(json.dumps(paths))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas[name]
            waiting += _REFERENCE.findall(json.dumps(schemas[name]))
    return found
