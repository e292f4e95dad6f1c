"""The run as JUnit XML, in the dialect that GitHub's and GitLab's readers share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree import ElementTree

from app.evals.findings import Finding, Judgement, Level
from app.evals.rows import Row

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(judgement: Judgement, rows: Sequence[Row]) -> str:
    """One suite for the rules of the gate and one per suite of cases.

    A case is a failure when a rule that blocks names it. Any other wrong answer is `skipped` with
    the reason: the gate judges those as a whole, and the file must not be red when it is not.
    """
    root = ElementTree.Element("testsuites", name="evals")
    blamed = {case for finding in judgement.at(Level.BLOCK) for case in finding.cases}
    _suite(root, "gate", [_rule(finding) for finding in judgement.findings])
    for name, group in groupby(sorted(rows, key=lambda r: (r.suite, r.id)), lambda r: r.suite):
        _suite(root, name, [_case(row, row.id in blamed) for row in group])
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(
    root: ElementTree.Element, name: str, cases: Iterable[ElementTree.Element]
) -> ElementTree.Element:
    suite = ElementTree.SubElement(root, "testsuite", name=name)
    suite.extend(cases)
    suite.set("tests", str(len(suite)))
    for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(count, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in suite):.3f}")
    return suite


def _rule(finding: Finding) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname="gate", name=_clean(finding.rule), time="0")
    text = _clean("\n".join([finding.message, finding.todo, ", ".join(finding.cases)]).strip())
    tag = {Level.BLOCK: "failure", Level.INVALID: "error", Level.INCONCLUSIVE: "skipped"}
    if finding.level in tag:
        outcome = ElementTree.SubElement(case, tag[finding.level], message=_clean(finding.message))
        outcome.text = text
    else:
        ElementTree.SubElement(case, "system-out").text = text
    return case


def _case(row: Row, blamed: bool) -> ElementTree.Element:
    seconds = f"{(row.latency_ms or 0.0) / 1000:.4f}"
    case = ElementTree.Element("testcase", classname=row.suite, name=row.id, time=seconds)
    if row.passed:
        return case
    told = row.error or (
        f"expected {row.expected}, got {row.predicted}" if row.expected else "failed"
    )
    text = _clean("; ".join([told, *row.reasons]))
    tag = "failure" if blamed else "skipped"
    ElementTree.SubElement(case, tag, message=text).text = _clean(row.text or "")
    return case


def _clean(text: str) -> str:
    """Text without the control characters that XML 1.0 cannot hold, not even escaped."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
