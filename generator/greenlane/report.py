"""What is said before and after a repository is written, as text and as data for --json."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from greenlane.answers import Answers, applicable, equivalent_command, is_asked
from greenlane.console import Console, cell_width
from greenlane.environment import path_instruction
from greenlane.kit import Kit
from greenlane.project import Created
from greenlane.setup import Report, show_gates, show_instructions
from greenlane.tree import Tree

_NEXT = (
    ("uv run just setup", "install, create the database, train, seed"),
    ("uv run just check", "every gate, as CI runs them"),
    ("uv run just serve", "http://localhost:8000"),
)
# What the question takes that follows a summary.
_QUESTION_LINES = 5


def answered(kit: Kit, answers: Answers) -> list[tuple[str, str]]:
    """Name and answer of each question that these answers leave a point."""
    rows = []
    for question in applicable(kit, answers.app, answers.modules):
        if is_asked(question, answers.values):
            value = answers.values[question.name]
            shown = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            rows.append((question.name, shown))
    return rows


def command_line(kit: Kit, answers: Answers, dest: Path, extra: Iterable[str] = ()) -> str:
    """One shell-quoted line that gives the same repository again."""
    command = equivalent_command(kit, answers, shown_path(dest))
    if len(command) == len(("greenlane", "new", "DEST")):
        command.append("--yes")  # all defaults: without an option that answers, it would ask
    return shlex.join([*command, *extra])


def shown_path(path: Path) -> str:
    """`path` from where the person stands or in full, whichever is shorter."""
    relative = os.path.relpath(path)
    return min(relative, str(path), key=len)


def what_it_does(*, commit: bool, set_up: bool) -> str:
    """What follows a yes, in a sentence or two."""
    does = ["writes the files (all or none)"]
    if commit:
        does.append("makes a git repository with a first commit")
    if set_up:
        does.append("installs the dependencies inside it, sets it up and runs every gate")
    sentence = f"{', '.join(does[:-1])}{' and ' if does[1:] else ''}{does[-1]}."
    return sentence[0].upper() + sentence[1:] + ("" if set_up else " Nothing is installed.")


def show_plan(
    kit: Kit, answers: Answers, tree: Tree, dest: Path, doing: str, console: Console
) -> None:
    """The summary before writing: answers, folders, and `doing`, what will be done.

    Where the screen has no room for all of it, what was answered just above is not said again.
    """
    whole = StringIO()
    _show_summary(kit, answers, tree, dest, doing, Console(stdout=whole), is_whole=True)
    is_whole = whole.getvalue().count("\n") + _QUESTION_LINES <= console.height
    _show_summary(kit, answers, tree, dest, doing, console, is_whole=is_whole)


def _show_summary(
    kit: Kit,
    answers: Answers,
    tree: Tree,
    dest: Path,
    doing: str,
    console: Console,
    *,
    is_whole: bool,
) -> None:
    needed = {
        other for name in (answers.app, *answers.modules) for other in kit.parts[name].requires
    }
    chosen = [name for name in answers.modules if name not in needed]
    along = [name for name in answers.modules if name in needed]
    console.heading("Summary")
    rows = [
        ("folder", str(dest)),
        *([("application", kit.parts[answers.app].title)] if is_whole else []),
        ("parts", ", ".join(chosen) or "none"),
        *([("with them", ", ".join(along))] if along else []),
        *(answered(kit, answers) if is_whole else [("files", str(len(tree)))]),
    ]
    console.pairs([(name, value or "(nothing)") for name, value in rows])
    if is_whole:
        show_folders(tree, console)
    if doing:
        console.line()
        console.paragraph(doing)


def show_folders(tree: Tree, console: Console) -> None:
    """The folders at the top with the number of files in each, in columns."""
    counts = Counter(path.split("/", 1)[0] + "/" if "/" in path else "" for path in tree)
    beside = counts.pop("", 0)
    cells = [f"{name} {number}" for name, number in sorted(counts.items())]
    if beside:
        cells.append(f"and {beside} beside them")
    console.heading(f"{len(tree)} files")
    if not cells:
        return
    column = max(map(cell_width, cells)) + 3
    per_row = max(1, (console.width - 2) // column)
    for start in range(0, len(cells), per_row):
        row = cells[start : start + per_row]
        console.line(("  " + "".join(cell.ljust(column) for cell in row)).rstrip())


def show_dry_run(tree: Tree, dest: Path, command: str, console: Console) -> None:
    """Every file that would be written. Nothing is."""
    console.line(console.style(f"{shown_path(dest)}/", "bold"))
    for row in tree.outline():
        console.line(row)
    console.line()
    console.paragraph(f"{len(tree)} files; nothing was written. To write them:")
    console.command(command)


def show_created(created: Created, console: Console, *, seconds: float) -> None:
    """What was written, and what of it is left to the person."""
    console.line()
    mark = console.style(console.symbol("ok"), "green")
    commit = f", first commit {created.commit_id[:7]}" if created.commit_id else ""
    console.line(
        f"{mark} Wrote {created.files} files to {shown_path(created.path)}{commit}  "
        + console.style(f"{seconds:.1f} s", "dim")
    )
    for note in created.skipped:
        console.paragraph(f"{console.symbol('skipped')} {note}", hang=2)


def show_next_steps(
    created: Created, command: str, console: Console, *, set_up: bool = False, title: str = "Next"
) -> None:
    """The command that gives the same again, and those to run next, each on a line to copy."""
    console.heading("The same again")
    console.command(command)
    console.heading(title)
    console.command(f"cd {shlex.quote(shown_path(created.path))}")
    export = path_instruction(created.path)
    if export and set_up:
        console.command(export)
    steps = _NEXT[2:] if set_up else _NEXT
    longest = max(len(command) for command, _ in steps)
    for command, purpose in steps:
        comment = f"  # {purpose}"
        fits = longest + 2 + len(comment) <= console.width
        console.command(f"{command:<{longest}}{comment}" if fits else command)
    if export and not set_up:
        console.paragraph("uv is not on your PATH: see https://docs.astral.sh/uv/")


def show_afterwards(kit: Kit, answers: Answers, console: Console) -> None:
    """What to do with the modules of each category that is asked about, or how to add one."""
    for category in kit.categories.values():
        if not category.ask:
            continue
        console.heading(category.ask)
        members = kit.members(category.name)
        chosen = [kit.parts[name] for name in members if name in answers.modules]
        console.pairs([(part.title, " ".join(part.notes.split())) for part in chosen])
        if not chosen:
            others = ", ".join(members)
            console.paragraph(
                f"{category.none}. `greenlane add MODULE` there adds one of: {others}.", indent=2
            )


def show_set_up(report: Report, console: Console) -> None:
    """The gates with their times, and what is left to do."""
    if report.gates:
        console.heading("Gates")
        show_gates(report.gates, console)
    if report.instructions:
        console.heading("Left to do")
        show_instructions(report.instructions, console)


def plan_data(kit: Kit, answers: Answers, tree: Tree, dest: Path, command: str) -> dict[str, Any]:
    return {
        "path": str(dest),
        "app": answers.app,
        "modules": list(answers.modules),
        "answers": dict(answered_values(kit, answers)),
        "command": command,
        "files": [
            {"path": path, "bytes": len(tree[path].content), "mode": f"{tree[path].mode:04o}"}
            for path in tree
        ],
    }


def answered_values(kit: Kit, answers: Answers) -> Sequence[tuple[str, Any]]:
    names = [name for name, _ in answered(kit, answers)]
    return [(name, answers.values[name]) for name in names]


def created_data(
    kit: Kit, answers: Answers, created: Created, command: str, report: Report | None
) -> dict[str, Any]:
    return {
        "path": str(created.path),
        "app": answers.app,
        "modules": list(answers.modules),
        "answers": dict(answered_values(kit, answers)),
        "command": command,
        "files": created.files,
        "commit": created.commit_id,
        "skipped": list(created.skipped),
        **({"set_up": report.to_dict()} if report else {}),
    }
