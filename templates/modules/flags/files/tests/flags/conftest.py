"""Flags of a file that a test may edit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.metrics import Metrics
from app.core.principal import Principal
from app.flags.flags import Flags
from app.flags.settings import FlagsSettings

SHIPPED = Path("flags.json")
ANNA = Principal("north", "anna")
PEOPLE = [Principal("north", f"person-{number}") for number in range(5_000)]


class FlagFile:
    """flags.json as it ships, in a folder of the test's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(SHIPPED.read_text())

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())

    def alter(self, flag: str, **changes: Any) -> None:
        document = self.read()
        document["flags"][flag].update(changes)
        self.path.write_text(json.dumps(document))


@pytest.fixture
def flags_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlagFile:
    """Before `app`: the application reads this file then."""
    file = FlagFile(tmp_path / "flags.json")
    monkeypatch.setenv("FLAGS_FILE", str(file.path))
    return file


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
