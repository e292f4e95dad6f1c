"""A person with templates of others, in every test."""

from pathlib import Path

import pytest

from sources_support import GIT, Person, Templates


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    return Templates(tmp_path / "templates")


@pytest.fixture
def person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Person:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "work").mkdir()
    for name, value in {**GIT, "HOME": str(home), "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("GREENLANE_TRUST", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Person(tmp_path / "work", capfd)
