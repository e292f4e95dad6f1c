"""The page /flags in a real browser: by keyboard, without JavaScript, and for everybody."""

from pathlib import Path
from typing import Any

import pytest

from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def flags_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlagFile:
    file = FlagFile(tmp_path / "flags.json")
    monkeypatch.setenv("FLAGS_FILE", str(file.path))
    return file


def test_rolling_back_by_keyboard(page: Any, flags_file: FlagFile) -> None:
    page.goto("/flags")
    page.get_by_role("region", name="release").get_by_label("Why?").focus()
    page.keyboard.type("it invents fees")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == "Previous for everybody (release)"
    page.keyboard.press("Enter")
    page.get_by_text("it invents fees").wait_for()
    assert page.get_by_role("region", name="release").get_by_text("previous for everybody").count()
    assert flags_file.read()["flags"]["release"]["defaultVariant"] == "previous"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.goto("/flags")
    page.get_by_role("button", name="Off for everybody (escalation)").click()
    page.get_by_text("Last changes").wait_for()
    found = axe.run(page).response["violations"]
    assert found == [], [violation["id"] for violation in found]
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
