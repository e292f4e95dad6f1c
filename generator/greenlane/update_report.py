"""What is said about a change to an existing project, as text and as data for --json."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from greenlane.console import Console
from greenlane.outcomes import KINDS, Outcome
from greenlane.status import Status
from greenlane.update import Plan

CHECK = "uv run just check"
_COLOURS = {"conflict": "red", "added": "green", "removed": "yellow", "declined": "yellow"}
_QUIET = frozenset(["kept"])


def show_plan(plan: Plan, console: Console, *, applied: bool, branch: str = "") -> None:
    """Every file and what happened to it, what to know, and what to do next."""
    if plan.recovered:
        console.paragraph(f"{console.symbol('skipped')} {plan.recovered}", hang=2)
    console.line(console.style(_title(plan), "bold"))
    if not plan.changes_anything:
        console.paragraph("Nothing to do: the project is as its source would have it.")
        _show_notes(plan, console)
        return
    show_outcomes(plan.merge.outcomes, console)
    _show_answers(plan, console)
    _show_notes(plan, console)
    if plan.news:
        console.heading("To know")
        for item in plan.news:
            console.paragraph(f"{item.version}: {' '.join(item.text.split())}", indent=2, hang=4)
    console.line()
    if not applied:
        console.paragraph("Nothing was written. Run it without --dry-run to apply it.")
        return
    place = f"on the new branch {branch}" if branch else "in the work tree and the index"
    console.paragraph(f"All of it is {place}, ready to be committed.")
    console.heading("Next")
    for command, purpose in next_steps(plan):
        console.command(f"{command:<32}  # {purpose}" if len(command) <= 32 else command)


def show_outcomes(outcomes: tuple[Outcome, ...], console: Console) -> None:
    """A table of files, the most urgent first; files that only the user changed are counted."""
    order = list(KINDS)
    shown = sorted(
        (outcome for outcome in outcomes if outcome.kind not in _QUIET or outcome.note),
        key=lambda outcome: (order.index(outcome.kind), outcome.path),
    )
    width = max((len(outcome.kind) for outcome in shown), default=0)
    for outcome in shown:
        kind = console.style(outcome.kind.ljust(width), _COLOURS.get(outcome.kind, "cyan"))
        source = f"  from {outcome.source}" if outcome.source else ""
        console.line(f"  {kind}  {outcome.path}{source}")
        if outcome.note:
            console.paragraph(outcome.note, indent=width + 4)
    counts = Counter(outcome.kind for outcome in outcomes)
    parts = [f"{counts[kind]} {kind}" for kind in order if counts[kind]]
    if parts:
        console.line()
        console.paragraph(", ".join(parts) + ".")


def next_steps(plan: Plan) -> list[tuple[str, str]]:
    """Commands and what each is for."""
    steps = []
    if plan.merge.conflicts:
        steps += [
            ("git mergetool", "or edit the files; then `git add` them"),
            ("git status", "what is still open"),
        ]
    steps += [(command, f"renew {path}") for path, command in plan.merge.refresh.items()]
    if "justfile" in plan.repository.entries:
        steps.append((CHECK, "a clean merge can still be a broken program"))
    message = plan.message if plan.message.isprintable() else plan.command
    steps.append((shlex.join(["git", "commit", "-m", message]), "keep it"))
    steps.append(("greenlane update --abort", "or undo it all"))
    return steps


def plan_data(plan: Plan, *, applied: bool, branch: str = "", patch: str = "") -> dict[str, Any]:
    """The document of --json for a change; paths are relative to the project."""
    evolved = plan.evolved
    return {
        "command": plan.command,
        "project": str(plan.repository.folder),
        "from": plan.old_version,
        "to": plan.new_version,
        "changed": plan.changes_anything,
        "applied": applied,
        "branch": branch,
        "message": plan.message,
        "files": [outcome_data(outcome) for outcome in plan.merge.outcomes],
        "conflicts": [outcome.path for outcome in plan.merge.conflicts],
        "news": [{"version": item.version, "text": item.text} for item in plan.news],
        "new_answers": dict(evolved.new) if evolved else {},
        "dropped_answers": list(evolved.dropped) if evolved else [],
        "notes": list(plan.notes),
        "refresh": dict(plan.merge.refresh),
        "recovered": plan.recovered,
        "next": [command for command, _ in next_steps(plan)] if applied else [],
        **({"patch": patch} if patch else {}),
    }


def outcome_data(outcome: Outcome) -> dict[str, str]:
    return {
        "path": outcome.path,
        "outcome": outcome.kind,
        **({"from": outcome.source} if outcome.source else {}),
        "note": outcome.note or KINDS[outcome.kind],
    }


def show_status(state: Status, console: Console) -> None:
    """Version, what an update would change, and what is not as it was rendered."""
    version = state.version
    newest = "the template's newest version" if state.source else "the installed kit"
    if state.installed != state.version:
        what = f"{state.installed} is there" if state.source else f"{state.installed} is installed"
        version += f" {console.symbol('arrow')} {what}"
    if state.source:
        rows = [("template", f"{state.kit} {version}"), ("from", state.source)]
        if state.volatile:
            rows.append(("drawn anew", f"{', '.join(state.volatile)} (the project keeps its own)"))
    else:
        rows = [
            ("kit", f"{state.kit} {version}"),
            ("application", state.app),
            ("parts", ", ".join(state.modules) or "none"),
        ]
    console.pairs(rows, indent=0)
    if state.in_progress:
        console.heading(f"The last {state.in_progress} is not committed yet")
        for path in state.unresolved:
            console.line(f"  {console.style('conflict', 'red')}  {path}")
        console.paragraph("Commit it, or undo it: `greenlane update --abort`.", indent=2)
    console.heading("Behind" if state.behind else f"Up to date with {newest}")
    if state.blocked:
        console.paragraph(f"An update needs something first: {state.blocked}", indent=2)
    elif state.behind:
        counts = Counter(state.pending.values())
        told = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
        subject = newest[0].upper() + newest[1:]
        console.paragraph(f"{subject} renders differently: {told or 'nothing'}.", indent=2)
        console.command("greenlane update --dry-run")
    title = f"Drifted since {state.version}: {len(state.drift)} of {state.files} files"
    console.heading(title if state.drift else f"As rendered by {state.version}")
    for drift in state.drift:
        console.line(f"  {drift.kind:<8} {drift.path}")
    if state.drift:
        console.command("greenlane diff")


def status_data(state: Status) -> dict[str, Any]:
    return {
        "kit": state.kit,
        "version": state.version,
        "installed": state.installed,
        "app": state.app,
        "modules": list(state.modules),
        "source": state.source,
        "volatile": list(state.volatile),
        "behind": state.behind,
        "drifted": state.drifted,
        "files": state.files,
        "pending": [{"path": path, "change": kind} for path, kind in state.pending.items()],
        "blocked": state.blocked,
        "drift": [{"path": d.path, "change": d.kind, "part": d.part} for d in state.drift],
        "since": state.version,
        "news": state.news,
        "in_progress": state.in_progress,
        "unresolved": list(state.unresolved),
    }


def _show_notes(plan: Plan, console: Console) -> None:
    for note in plan.notes:
        console.paragraph(f"{console.symbol('skipped')} {note}", hang=2)


def _title(plan: Plan) -> str:
    if not plan.old_version or plan.old_version == plan.new_version:
        return plan.message
    if plan.command == "update":
        return f"{plan.message} (from {plan.old_version})"
    return f"{plan.message}, and update from {plan.old_version} to {plan.new_version}"


def _show_answers(plan: Plan, console: Console) -> None:
    if plan.evolved is None:
        return
    if plan.evolved.new:
        console.heading("New questions, answered with their defaults")
        console.pairs([(name, str(value)) for name, value in plan.evolved.new])
        console.paragraph("`greenlane set NAME=VALUE` changes one.", indent=2)
    if plan.evolved.dropped:
        console.heading("No longer asked for")
        console.paragraph(", ".join(plan.evolved.dropped), indent=2)
