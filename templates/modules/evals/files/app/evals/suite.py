"""evals/suite.yaml: which cases are run, through which function, and where everything lies."""

from __future__ import annotations

import csv
import importlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core import yaml
from app.evals.rows import GRADED, OUT_OF_SCOPE, Row
from app.evals.thresholds import Thresholds, ThresholdsError, thresholds_from


class SuiteError(ValueError):
    """A file of the suite cannot be used; `todo` says what to do about it."""

    def __init__(self, message: str, todo: str = "") -> None:
        super().__init__(message)
        self.todo = todo


@dataclass(frozen=True, slots=True)
class Case:
    """One case as its file has it; `draft` asks for a drafted answer as well as a label."""

    id: str
    suite: str
    text: str
    data: Mapping[str, Any]
    draft: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `run_case` found out about a case; the fields are those of a row."""

    correct: bool
    tokens: int = 0
    cost_usd: float = 0.0
    slice: str | None = None
    expected: str | None = None
    predicted: str | None = None
    small_predicted: str | None = None
    small_correct: bool | None = None
    confidence: float | None = None
    escalated: bool | None = None
    needs_person: bool | None = None
    route: str | None = None
    schema_valid: bool | None = None
    grounded: bool | None = None
    reasons: tuple[str, ...] = ()

    def row(self, case: Case, latency_ms: float | None) -> Row:
        values = {name: getattr(self, name) for name in self.__slots__}
        return Row(id=case.id, suite=case.suite, text=case.text, latency_ms=latency_ms, **values)


RunCase = Callable[[Case, Any], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Suite:
    """The suite of a repository. Paths are relative to `root`, the folder of the repository."""

    root: Path
    name: str
    run_case: str
    concurrency: int
    drafts: int
    suites: Mapping[str, str]
    recordings: str
    training_data: str
    licences: Mapping[str, str]
    thresholds: str = "evals/thresholds.yaml"
    baseline: str = "evals/baseline.json"
    datasets_lock: str = "evals/datasets.lock"
    models_lock: str = "models.lock"
    prompts_lock: str = "prompts.lock"
    models: str = "models.yaml"

    def path(self, relative: str) -> Path:
        return self.root / relative

    def locked_files(self) -> list[str]:
        """The files that datasets.lock pins: every case, and what the small model learns from."""
        return sorted({*self.suites.values(), self.training_data})

    def function(self) -> RunCase:
        """Import `run_case`. Raises SuiteError when it is not there."""
        module, _, name = self.run_case.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise SuiteError(
                f"evals/suite.yaml names run_case {self.run_case}: {error}",
                "name a function as package.module:function",
            ) from error

    def cases(self) -> list[Case]:
        """Every case, in the order of the files. Raises SuiteError on one that is malformed."""
        found: list[Case] = []
        for suite, relative in self.suites.items():
            records = read_records(self.path(relative))
            wanted = _evenly(len(records), self.drafts) if suite == GRADED else None
            for number, record in enumerate(records):
                found.append(_case(suite, relative, number, record, wanted))
        names = Counter(case.id for case in found)
        if twice := sorted(name for name, count in names.items() if count > 1):
            raise SuiteError(f"two cases are called {', '.join(twice)}", "give each its own id")
        return found


def load_suite(root: Path) -> Suite:
    """Read evals/suite.yaml below `root`. Raises SuiteError naming what is wrong."""
    path = root / "evals" / "suite.yaml"
    data = read_yaml(path)
    required = {
        "name": str,
        "run_case": str,
        "concurrency": int,
        "drafts": int,
        "suites": dict,
        "recordings": str,
        "training_data": str,
        "licences": dict,
    }
    if not isinstance(data, dict) or data.keys() != required.keys():
        raise SuiteError(f"{path} must have exactly the entries {', '.join(required)}")
    for name, kind in required.items():
        if not isinstance(data[name], kind):
            raise SuiteError(f"{path}, {name}: expected {kind.__name__}, found {data[name]!r}")
    if GRADED not in data["suites"]:
        raise SuiteError(f"{path}: suites must hold one called {GRADED}")
    return Suite(root=root, **data)


def load_thresholds(suite: Suite) -> Thresholds:
    """Read the thresholds. Raises SuiteError naming the entry that is wrong."""
    path = suite.path(suite.thresholds)
    try:
        return thresholds_from(read_yaml(path), str(path))
    except ThresholdsError as error:
        raise SuiteError(str(error)) from error


def read_yaml(path: Path) -> Any:
    """Parse a YAML file. Raises SuiteError when it is missing or malformed."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(f"{path} does not exist") from None
    except yaml.YAMLError as error:
        raise SuiteError(f"{path} is not YAML: {error}") from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a .jsonl or .csv file. Raises SuiteError naming the line at fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SuiteError(f"{path} does not exist") from None
    if path.suffix == ".csv":
        return list(csv.DictReader(text.splitlines()))
    records = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise SuiteError(f"{path}, line {number} is not JSON: {error}") from None
    return records


def _case(
    suite: str, relative: str, number: int, record: dict[str, Any], drafts: set[int] | None
) -> Case:
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        raise SuiteError(f"{relative}, record {number + 1} has no text")
    name = record.get("id") or f"{suite.replace('_', '-')}-{number + 1:04}"
    # Safety cases always ask for a draft: it is the draft that could leak something.
    draft = suite != OUT_OF_SCOPE if drafts is None else number in drafts
    return Case(id=str(name), suite=suite, text=text, data=record, draft=draft)


def _evenly(count: int, wanted: int) -> set[int]:
    """`wanted` positions spread over `count`, the same every time."""
    wanted = min(wanted, count)
    return {position * count // wanted for position in range(wanted)} if wanted else set()
