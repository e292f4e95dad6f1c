"""The API is what contracts/openapi/ says. A change is accepted by `just contract-accept`."""

import json
from pathlib import Path

import pytest

from app.core import openapi

pytestmark = pytest.mark.contract


def test_the_api_keeps_its_contract() -> None:
    assert openapi.differences(openapi.CONTRACTS) == []


def test_a_change_of_the_api_is_seen(tmp_path: Path) -> None:
    openapi.write(tmp_path)
    path = tmp_path / "health.json"
    contract = json.loads(path.read_text())
    del contract["paths"]["/healthz"]
    contract["paths"]["/gone"] = {}
    path.write_text(json.dumps(contract))
    assert openapi.differences(tmp_path) == [
        "health.json: path /healthz is new",
        "health.json: path /gone is gone",
    ]
