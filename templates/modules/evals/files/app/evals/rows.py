"""The rows of a run: one per case, plain JSON, so that any runner can feed the gate.

A run is `{"provenance": {...}, "rows": [...]}`. A row needs `id`, `suite` and `correct`; the rest
is optional and named below. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

GRADED = "golden"
OUT_OF_SCOPE = "out_of_scope"


class RowsError(ValueError):
    """A file of rows that the gate cannot read; the text says which row and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """What happened to one case. An error is a failure, whatever `correct` says."""

    id: str
    suite: str
    correct: bool
    tokens: int = 0
    cost_usd: float = 0.0
    latency_ms: float | None = None
    error: str | None = None
    slice: str | None = None
    text: str | None = None
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

    @property
    def passed(self) -> bool:
        return self.correct and self.error is None


_NAMES = tuple(field.name for field in fields(Row))
COMPACT = ("id", "suite", "correct", "small_correct", "tokens", "cost_usd")


def row_from(data: Mapping[str, Any], where: str) -> Row:
    """Build a row from JSON data. Raises RowsError on a missing, unknown or mistyped field."""
    missing = {"id", "suite", "correct"} - data.keys()
    if missing:
        raise RowsError(f"{where}: the row lacks {', '.join(sorted(missing))}")
    unknown = data.keys() - set(_NAMES)
    if unknown:
        raise RowsError(f"{where}: unknown field {', '.join(sorted(unknown))}")
    if not isinstance(data["id"], str) or not isinstance(data["suite"], str):
        raise RowsError(f"{where}: id and suite must be text")
    if not isinstance(data["correct"], bool):
        raise RowsError(f"{where}: correct must be true or false, not {data['correct']!r}")
    for name in ("tokens", "cost_usd", "latency_ms"):
        value = data.get(name, 0)
        if value is None and name == "latency_ms":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
            raise RowsError(f"{where}: {name} must be a number of zero or more, not {value!r}")
    values = dict(data)
    values["reasons"] = tuple(data.get("reasons", ()))
    return Row(**values)


def rows_from(document: Mapping[str, Any], where: str) -> list[Row]:
    """Read `rows` written as objects, or as lists under `columns` (the compact form).

    Raises RowsError when a row is malformed or two rows share an id.
    """
    raw = document.get("rows")
    if not isinstance(raw, list):
        raise RowsError(f"{where}: there is no list called rows")
    columns = document.get("columns")
    rows = []
    for number, item in enumerate(raw, start=1):
        place = f"{where}, row {number}"
        if columns is not None:
            if not isinstance(item, list) or len(item) != len(columns):
                raise RowsError(f"{place}: expected {len(columns)} values, one per column")
            item = dict(zip(columns, item, strict=True))
            item["correct"] = bool(item.get("correct"))
            if item.get("small_correct") is not None:
                item["small_correct"] = bool(item["small_correct"])
        if not isinstance(item, Mapping):
            raise RowsError(f"{place}: expected an object")
        rows.append(row_from(item, place))
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise RowsError(f"{where}: two rows are called {row.id}")
        seen.add(row.id)
    return rows


def mapping_in(document: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    """The object called `name`, empty when absent. Raises RowsError when it is something else."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RowsError(f"{where}: {name} must be an object, not {value!r}")
    return value


def read_document(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises RowsError naming the file when it is absent or malformed."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RowsError(f"{path} does not exist") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RowsError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise RowsError(f"{path}: expected a JSON object with provenance and rows")
    return document


def row_to(row: Row) -> dict[str, Any]:
    """The row as JSON data, without the fields that say nothing."""
    data: dict[str, Any] = {
        name: value for name, value in asdict(row).items() if value not in (None, ())
    }
    if "reasons" in data:
        data["reasons"] = list(row.reasons)
    return data


def compact(rows: Iterable[Row]) -> dict[str, Any]:
    """The columns the gate compares, sorted by id: what a baseline keeps of a run."""
    return {
        "columns": list(COMPACT),
        "rows": [
            [
                row.id,
                row.suite,
                int(row.passed),
                None if row.small_correct is None else int(row.small_correct),
                row.tokens,
                round(row.cost_usd, 9),
            ]
            for row in sorted(rows, key=lambda row: row.id)
        ],
    }
