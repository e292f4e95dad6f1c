"""Whether a page is for everybody: light and dark, on a telephone and a desk, by keyboard alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Served
from tests.conftest import SIGNED_IN

# All of them: of those with one name, a browser keeps one open.
_OPEN = """() => document.querySelectorAll("details").forEach(each => {
  each.removeAttribute("name");
  each.open = true;
})"""
# Links and fields, without those that nobody sees, or that lie behind a dialog.
_CONTROLS = """() => {
  const shown = document.querySelector("dialog:modal") ?? document;
  window.controls = [...shown.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']"
  )].filter(each => !each.disabled && each.checkVisibility({visibilityProperty: true}));
  return window.controls.map(each => each.outerHTML.slice(0, 80));
}"""
_FOCUSED = """() => [
  window.controls.indexOf(document.activeElement),
  getComputedStyle(document.activeElement).outlineStyle !== "none",
]"""


@dataclass(frozen=True)
class Visit:
    """How a browser comes to see `template`: by an address, or by what `arrive` does.

    `prepare` sets variables before the application starts, and has a folder for files; `about`
    tells visits of one page apart.
    """

    template: str
    arrive: str | Callable[[Any, Served], None]
    prepare: Callable[[pytest.MonkeyPatch, Path], object] = lambda _environment, _folder: None
    about: str = ""

    def make(self, page: Any, served: Served) -> None:
        """Bring the page there. An address is opened by the tests' client, who may do all."""
        if callable(self.arrive):
            self.arrive(page, served)
        else:
            page.context.set_extra_http_headers(SIGNED_IN)
            page.goto(self.arrive)


def faults(page: Any) -> list[str]:
    """What is wrong with the page that is shown, one line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="run `just browser`")
    page.evaluate(_OPEN)
    wrong = []
    # Colours do not depend on the width, nor places on the colours.
    for scheme, width in (("dark", 360), ("light", 1280)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        found = [each["id"] for each in axe.Axe().run(page).response["violations"]]
        wrong += [f"{each}, {scheme}, {width}" for each in found]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"wider than the window, {width}")
    return wrong + _keyboard_faults(page)


def _keyboard_faults(page: Any) -> list[str]:
    """Tab does not come to all that can be used, or one does not see where it is."""
    controls = page.evaluate(_CONTROLS)
    wrong, reached = [], []
    # A few more: the browser itself stops at what scrolls.
    for _ in range(len(controls) + 5):
        page.keyboard.press("Tab")
        place, is_seen = page.evaluate(_FOCUSED)
        if place < 0 or place in reached:
            continue
        reached.append(place)
        if not is_seen:
            wrong.append(f"no outline: {controls[place]}")
    missing = sorted({*range(len(controls))} - {*reached})
    return wrong + [f"not reached by Tab: {controls[place]}" for place in missing]
