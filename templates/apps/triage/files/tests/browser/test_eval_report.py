"""The page of the eval gate: for everybody, on any screen, and alone with itself."""

from pathlib import Path
from typing import Any

import pytest

from app.evals.gate import judge
from app.evals.report import Report, write_reports
from tests.evals.made import flip, run, thresholds

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page for each verdict that looks different."""
    blocked = flip(run(leaks=1, tokens=130), failing=12, passing=2)
    for row in blocked["rows"]:
        row |= {"text": "Where is my card? " * 4, "expected": "card_arrival", "confidence": 0.9}
        row |= {"predicted": "lost_or_stolen_card", "small_correct": row["correct"]}
    blocked["small_threshold"] = 0.8
    invalid = {"provenance": {"problems": [[f"prompts differ: {'0' * 64}", "`app prompts lock`"]]}}
    found = {}
    for name, made in {"pass": run(), "block": blocked, "invalid": invalid | {"rows": []}}.items():
        report = Report(made, run(), judge(made, run(), thresholds()), thresholds())
        assert report.judgement.verdict == name
        found[name] = write_reports(report, tmp_path_factory.mktemp(name))
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["pass", "block", "invalid"])
def test_everybody_can_read_it(
    browser: Any, reports: dict[str, Path], name: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="run `just browser`")
    page = browser.new_page(color_scheme=scheme)
    page.goto(reports[name].as_uri())
    for summary in page.locator("summary").all():
        summary.click()
    found = axe.Axe().run(page)
    page.close()
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", ["pass", "block", "invalid"])
def test_it_fits_a_phone_and_loads_nothing(
    browser: Any, reports: dict[str, Path], name: str
) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 720})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(reports[name].as_uri())
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.close()
    assert wider <= 0
    assert asked == [reports[name].as_uri()]
