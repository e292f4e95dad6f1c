"""The page of the eval gate: for everybody, on any screen, and alone with itself."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.evals.gate import judge
from app.evals.report import Report, to_html, write_reports
from tests.browser.conftest import Served
from tests.browser.everybody import Visit
from tests.evals.made import flip, run, thresholds

pytestmark = pytest.mark.browser

VERDICTS = ("pass", "block", "invalid")


def report(verdict: str) -> Report:
    """One for each verdict that looks different."""
    blocked = flip(run(leaks=1, tokens=130), failing=12, passing=2)
    for row in blocked["rows"]:
        row |= {"text": "Where is my card? " * 4, "expected": "card_arrival", "confidence": 0.9}
        row |= {"predicted": "lost_or_stolen_card", "small_correct": row["correct"]}
    blocked["small_threshold"] = 0.8
    invalid = {"provenance": {"problems": [[f"prompts differ: {'0' * 64}", "`app prompts lock`"]]}}
    made = {"pass": run(), "block": blocked, "invalid": invalid | {"rows": []}}[verdict]
    report = Report(made, run(), judge(made, run(), thresholds()), thresholds())
    assert report.judgement.verdict == verdict
    return report


def read(verdict: str, page: Any, _served: Served) -> None:
    page.set_content(to_html(report(verdict)))


PAGES = [
    Visit("app/evals/templates/report.html", partial(read, verdict), about=verdict)
    for verdict in VERDICTS
]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_it_loads_nothing(browser: Any, tmp_path: Path, verdict: str) -> None:
    address = write_reports(report(verdict), tmp_path).as_uri()
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.close()
    assert asked == [address]
