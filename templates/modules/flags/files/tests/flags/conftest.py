"""Flags of a file that a test may edit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.core.metrics import Metrics
from app.core.principal import Principal
from app.flags.flags import Flags
from app.flags.settings import FlagsSettings
from tests.conftest import tester

SHIPPED = Path("flags.json").resolve()
ANNA = Principal("north", "anna")
PEOPLE = [Principal("north", f"person-{number}") for number in range(5_000)]

_SWITCH = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "on",
}
_CURRENT = {"models": "models.yaml", "prompts": "prompts", "threshold": None}
_RULES = [{"$ref": "pilot"}, "current", {"fractional": [["current", 100], ["previous", 0]]}]
# As they were at first, whatever was pinned in flags.json since.
KNOWN: dict[str, Any] = {
    "escalation": _SWITCH,
    "large-model": _SWITCH,
    "release": {
        "state": "ENABLED",
        "variants": {"current": _CURRENT, "previous": _CURRENT},
        "defaultVariant": "current",
        "targeting": {"if": _RULES},
    },
}


class FlagFile:
    """The flags of this repository, in a file of the test's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        document = json.loads(SHIPPED.read_text())
        document["$evaluators"] = {"pilot": {"in": [{"var": "tenant"}, []]}}
        document["flags"].update(KNOWN)
        self.write(document)

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())

    def write(self, document: dict[str, Any]) -> None:
        self.path.write_text(json.dumps(document))

    def alter(self, flag: str, **changes: Any) -> None:
        document = self.read()
        document["flags"][flag].update(changes)
        self.write(document)


@pytest.fixture
def flags_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlagFile:
    """Before `app`: the application reads this file then."""
    file = FlagFile(tmp_path / "flags.json")
    monkeypatch.setenv("FLAGS_FILE", str(file.path))
    return file


@pytest.fixture
def client(app: FastAPI, client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A client that may change flags, too."""
    app.state.services.authenticators.insert(0, tester)
    return client


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


Make = Callable[..., Flags]


@pytest.fixture
def make_flags(flags_file: FlagFile, metrics: Metrics) -> Make:
    """Flags that look at their file at every question."""

    def make(look_every_s: float = 0) -> Flags:
        return Flags(FlagsSettings(file=flags_file.path, look_every_s=look_every_s), metrics)

    return make


@pytest.fixture
def flags(make_flags: Make) -> Flags:
    return make_flags()
