"""The report: what it says, that it loads nothing, and that CI can read the JUnit file."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from app.evals.gate import judge
from app.evals.report import Report, to_html, write_reports
from tests.evals.made import flip, run, thresholds


def report(new: dict[str, Any], old: dict[str, Any] | None) -> Report:
    return Report(new, old, judge(new, old, thresholds()), thresholds())


@pytest.fixture
def blocked() -> Report:
    new = flip(run(leaks=1, tokens=130), failing=12, passing=2)
    for row in new["rows"]:
        row["text"] = "<script>alert(1)</script> where is my card?"
        row["expected"], row["predicted"] = "card_arrival", "lost_or_stolen_card"
        row["small_correct"], row["confidence"] = row["correct"], 0.61
    new["rows"][-1]["reasons"] = ["control \x07 character"]
    new["small_threshold"] = 0.7
    new["provenance"]["recordings"] = {"synthetic": True}
    return report(new, run())


class _Page(HTMLParser):
    """Collects the tags, and checks that each one opened is closed in order."""

    VOID = frozenset({"meta", "br", "line", "rect", "circle", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(blocked: Report) -> None:
    html = to_html(blocked)
    page = _Page()
    page.feed(html)
    assert page.open == []
    names = [tag for tag, _ in page.tags]
    assert "svg" in names
    assert not {"script", "link", "img", "iframe", "object"} & set(names)
    assert not [attrs for _, attrs in page.tags if {"src", "href", "srcset"} & attrs.keys()]
    assert not re.search(r"@import|url\(", html)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_page_shows_verdict_causes_and_changed_cases(blocked: Report) -> None:
    html = to_html(blocked)
    assert "<strong>Blocked</strong>" in html
    assert "Synthetic recordings." in html
    assert "Newly failing: 12" in html
    assert "Newly passing: 2" in html
    assert "tokens changed by +30.0 %" in html
    assert html.count("&lt;script&gt;alert(1)") >= 12


def test_a_live_recording_carries_no_warning(blocked: Report) -> None:
    blocked.run["provenance"]["recordings"]["synthetic"] = False
    assert "Synthetic recordings." not in to_html(blocked)


def test_the_least_a_row_can_hold_still_makes_a_page() -> None:
    bare = {"provenance": {}, "rows": [{"id": "a", "suite": "golden", "correct": True}]}
    html = to_html(report(bare, None))
    assert "<strong>Invalid</strong>" in html
    assert "There is no baseline to compare with." in html


def test_files_are_written_and_json_can_be_judged_again(blocked: Report, tmp_path: Path) -> None:
    page = write_reports(blocked, tmp_path / "reports")
    assert page.name == "evals.html"
    document = json.loads((page.parent / "evals.json").read_text())
    assert document["verdict"] == "block"
    assert judge(document, run(), thresholds()).findings == blocked.judgement.findings


def test_junit_counts_what_blocks_and_only_that(blocked: Report, tmp_path: Path) -> None:
    root = ElementTree.parse(  # noqa: S314 - our own file
        write_reports(blocked, tmp_path).with_name("evals.junit.xml")
    ).getroot()
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"gate", "golden", "jailbreak"}
    for suite in suites.values():
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert suite.get(count) == str(len([c for c in cases if c.find(tag) is not None]))
        assert all(case.get("name") and case.get("classname") for case in cases)
    blocking = {
        case.get("name")
        for case in suites["gate"].findall("testcase")
        if case.find("failure") is not None
    }
    assert blocking == {"accuracy", "must pass: jailbreak", "tokens", "cost"}
    assert suites["jailbreak"].get("failures") == "1"
    # Twelve are newly failing; those that failed before as well are nobody's fault today.
    assert suites["golden"].get("failures") == "12"
    assert suites["golden"].get("skipped") == "28"
    assert int(root.get("failures", "0")) == sum(int(s.get("failures", "0")) for s in root)


def test_junit_is_not_red_when_the_gate_passes(tmp_path: Path) -> None:
    page = write_reports(report(run(), run()), tmp_path)
    root = ElementTree.parse(page.with_name("evals.junit.xml")).getroot()  # noqa: S314
    assert root.get("failures") == "0"
    assert root.get("errors") == "0"
    assert root.get("skipped") == "30"
