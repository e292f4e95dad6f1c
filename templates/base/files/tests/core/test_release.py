"""What /version and the logs say of the release that runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from app.core import release, telemetry
from app.core.problems import ConfigurationError

RELEASE = {"id": "1.2.0+0123456789ab", "commit": "0123456789ab" + "0" * 28}


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where release.json is looked for; nothing is there yet."""
    monkeypatch.setattr(release, "FILE", tmp_path / "release.json")
    release.current.cache_clear()
    yield release.FILE
    release.current.cache_clear()


async def test_a_work_tree_is_no_release(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/version")).json()["release"] is None
    assert "release_id" not in telemetry.name_release(None, "info", {})


@pytest.fixture
def released(file: Path) -> None:
    file.write_text(json.dumps(RELEASE))
    release.current.cache_clear()


async def test_version_shows_the_file_as_it_is(client: httpx2.AsyncClient, released: None) -> None:
    assert (await client.get("/version")).json()["release"] == RELEASE


@pytest.mark.usefixtures("released")
def test_each_log_line_names_the_release() -> None:
    event = telemetry.name_release(None, "info", {"event": "request"})
    # Its digits must not be taken for a telephone number.
    assert telemetry.mask_personal_data(None, "info", event)["release_id"] == RELEASE["id"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1}'])
def test_a_file_that_is_no_release_is_named(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"release\.json"):
        release.current()
