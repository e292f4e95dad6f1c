"""Every page of the application is for everybody: whoever adds one says how to see it, in PAGES.

A template is a page when it is a whole document. The tests of a feature list theirs.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from jinja2 import Template

import tests.browser
from app.settings import Settings
from tests.browser.conftest import Served
from tests.browser.everybody import Visit, faults

_EXTENDS = re.compile(r'\{% extends "([^"]+)" %}')

PAGES = [Visit("app/core/templates/error.html", "/help/none")]


def visits() -> Iterator[Visit]:
    yield from PAGES
    for module in iter_modules(tests.browser.__path__, "tests.browser."):
        if module.name != __name__:
            yield from getattr(import_module(module.name), "PAGES", [])


def pages() -> set[str]:
    texts = {path: path.read_text() for path in Path("app").rglob("templates/*.html")}
    extended = {name for text in texts.values() for name in _EXTENDS.findall(text)}
    return {
        path.as_posix()
        for path, text in texts.items()
        if path.name not in extended and (_EXTENDS.search(text) or "<html" in text)
    }


def test_each_page_is_seen() -> None:
    assert {visit.template for visit in visits()} == pages(), (
        "list the page in PAGES of its feature's test in tests/browser, with the way there"
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that were rendered, the last one at the end."""
    render, found = Template.render, []

    def noting(template: Template, *arguments: Any, **context: Any) -> str:
        if name := known.get(Path(template.filename or "").resolve()):
            found.append(name)
        return render(template, *arguments, **context)

    known = {Path(name).resolve(): name for name in pages()}
    monkeypatch.setattr(Template, "render", noting)
    return found


@pytest.fixture
def visit(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    tmp_path: Path,
) -> Visit:
    """Before `served`: the application reads its settings then, and commands do."""
    visit: Visit = request.param
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    visit.prepare(monkeypatch, tmp_path)
    return visit


@pytest.fixture
def tab(browser: Any, served: Served) -> Iterator[Any]:
    """A page of somebody whom the application does not know yet."""
    context = browser.new_context(base_url=served.by_name)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    "visit", list(visits()), indirect=True, ids=lambda visit: visit.template + visit.about
)
def test_it_is_for_everybody(visit: Visit, made: list[str], tab: Any, served: Served) -> None:
    visit.make(tab, served)
    assert made[-1] == visit.template
    assert faults(tab) == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("element", "found"),
    [
        ("<p>Fine</p>", []),
        ("<input>", ["label, dark, 360", "label, light, 1280"]),
        (
            "<p>Hardly to be read</p><style>@media (prefers-color-scheme: dark) "
            "{ p { color: #888; background: #777; } }</style>",
            ["color-contrast, dark, 360"],
        ),
        ("<p style='width: 400px'>Too wide</p>", ["wider than the window, 360"]),
        ("<button style='outline: none'>Go</button>", ["no outline: <button"]),
        ("<button tabindex='-1'>Go</button>", ["not reached by Tab: <button"]),
        ("<button tabindex='1'>Go</button>", ["tabindex, dark, 360", "tabindex, light, 1280"]),
    ],
)
def test_what_is_wrong_is_found(browser: Any, element: str, found: list[str]) -> None:
    page = browser.new_page()
    page.set_content(
        f"<!doctype html><html lang='en'><title>A</title><main><h1>A</h1>{element}</main></html>"
    )
    wrong = faults(page)
    page.close()
    assert len(wrong) == len(found), wrong
    assert all(map(str.startswith, wrong, found)), wrong
