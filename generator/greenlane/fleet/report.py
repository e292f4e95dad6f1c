"""What is said about a fleet: a table, the document of --json, and a page for each pull request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from greenlane.console import Console

_COLOURS = {"conflicts": "red", "failed": "red", "updated": "green", "behind": "yellow"}
_ORDER = ("up to date", "behind", "updated", "conflicts", "failed", "skipped")
_SHOWN = 5
_BAR = 24


def progress(results: Sequence[dict[str, Any]], total: int) -> str:
    """One line: how far it is, and what went wrong so far."""
    done = _BAR * len(results) // total
    counts = Counter(result["state"] for result in results)
    told = [f"{counts[state]} {state}" for state in ("conflicts", "failed") if counts[state]]
    last = results[-1]["name"] if results else ""
    bar = "#" * done + "." * (_BAR - done)
    return "  ".join([f"[{bar}] {len(results)}/{total}", *told, last])


def fleet_data(
    command: str, results: Sequence[dict[str, Any]], seconds: float, **more: Any
) -> dict[str, Any]:
    """The document of --json."""
    return {
        "command": f"fleet {command}",
        **more,
        "counts": _counts(results),
        "seconds": round(seconds, 3),
        "repositories": list(results),
    }


def show_fleet(results: Sequence[dict[str, Any]], console: Console, *, applied: bool) -> None:
    """A row for each repository, and how many there are of each kind."""
    if not results:
        return
    names = max(len(result["name"]) for result in results)
    states = max(len(result["state"]) for result in results)
    for result in results:
        state = console.style(result["state"].ljust(states), _COLOURS.get(result["state"], "dim"))
        row = f"{result['name'].ljust(names)}  {state}  {_detail(result, applied)}"
        console.line(row.rstrip())
        if result["hint"]:
            console.paragraph(result["hint"], indent=names + states + 4)
    told = ", ".join(f"{number} {state}" for state, number in _counts(results).items())
    console.line()
    console.line(f"{len(results)} repositories: {told}.")
    if not applied:
        console.line("Nothing was written. Run it without --dry-run to make the branches.")


def write_summaries(results: Sequence[dict[str, Any]], folder: Path) -> None:
    """A page NAME.md for every repository that has one."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        if text := result.get("summary"):
            (folder / f"{result['name']}.md").write_text(text)


def summary(result: dict[str, Any]) -> str:
    """Markdown for the pull request: versions, what happened to files, what to know and to do."""
    lines = [f"# Update from {result['from']} to {result['to']}", ""]
    if result["conflicts"]:
        lines += ["Nothing was committed: both sides changed the same place in these files.", ""]
        lines += [f"- {_code(path)}" for path in result["conflicts"]]
        lines += ["", "`greenlane update --branch NAME` in a clone leaves them to `git mergetool`."]
        lines += [""]
    lines += ["| outcome | files |", "|---|---|"]
    lines += [f"| {kind} | {number} |" for kind, number in sorted(result["counts"].items())]
    for title, rows in (
        ("To know", [f"- {x['version']}: {' '.join(x['text'].split())}" for x in result["news"]]),
        (
            "New questions, answered with their defaults",
            [f"- {_code(name)}: {_code(value)}" for name, value in result["new_answers"].items()],
        ),
        (
            "To renew on the branch",
            [f"- {_code(path)}: {_code(command)}" for path, command in result["refresh"].items()],
        ),
    ):
        if rows:
            lines += ["", f"## {title}", "", *rows]
    files = [f"- {file['outcome']}: {_code(file['path'])}" for file in result["files"]]
    if files:
        lines += ["", "<details><summary>Every file</summary>", "", *files, "", "</details>"]
    return "\n".join(lines) + "\n"


def _counts(results: Sequence[dict[str, Any]]) -> dict[str, int]:
    counts = Counter(result["state"] for result in results)
    return {state: counts[state] for state in _ORDER if counts[state]}


def _detail(result: dict[str, Any], applied: bool) -> str:
    match result["state"]:
        case "failed" | "skipped":
            return result["reason"]
        case "conflicts":
            paths = result["conflicts"]
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            return ", ".join(paths[:_SHOWN]) + more
        case "updated":
            pushed = ", pushed" if result.get("pushed") else ""
            return f"{'on' if applied else 'would be, on'} branch {result['branch']}{pushed}"
        case "behind":
            told = ", ".join(f"{n} {kind}" for kind, n in sorted(result["pending"].items()))
            return result["reason"] or f"{result['from']}, installed {result['to']}: {told or '-'}"
    return ""


def _code(text: object) -> str:
    """As code in Markdown, whatever backticks it holds."""
    plain = " ".join(str(text).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    pad = " " if "`" in plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
