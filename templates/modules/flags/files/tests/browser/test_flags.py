"""The page /flags in a real browser: by keyboard, without JavaScript, and for everybody."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Served
from tests.browser.everybody import Visit
from tests.conftest import SIGNED_IN
from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.browser


def changed(page: Any, _served: Served) -> None:
    page.context.set_extra_http_headers(SIGNED_IN)
    page.goto("/flags")
    page.get_by_role("button", name="Off for everybody (escalation)").click()
    page.locator(".notice", has_text="off for everybody").wait_for()


def own_file(environment: pytest.MonkeyPatch, folder: Path) -> FlagFile:
    file = FlagFile(folder / "flags.json")
    environment.setenv("FLAGS_FILE", str(file.path))
    return file


PAGES = [Visit("app/flags/templates/flags.html", changed, own_file)]


@pytest.fixture(autouse=True)
def flags_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlagFile:
    return own_file(monkeypatch, tmp_path)


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
