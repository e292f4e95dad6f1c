"""Findings as files: JSON for programs, SARIF for what shows findings beside the code."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.policy.rego import Finding

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def write(findings: Sequence[Finding], folder: Path) -> None:
    """Write policy.json and policy.sarif into `folder`, whether there are findings or not."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("policy.json", [asdict(finding) for finding in findings]),
        ("policy.sarif", _sarif(findings)),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    rules = sorted({finding.rule for finding in findings})
    driver = {"name": "policy", "rules": [{"id": rule} for rule in rules]}
    results = [
        {
            "ruleId": finding.rule,
            "level": "error",
            "message": {"text": finding.message},
            "locations": [_location(finding)],
        }
        for finding in findings
    ]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _location(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": finding.path}]}
    if Path(finding.file).is_file():
        location["physicalLocation"] = {
            "artifactLocation": {"uri": finding.file},
            "region": {"startLine": 1},
        }
    return location
