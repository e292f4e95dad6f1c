"""The commands for existing projects. Each parses, calls one recipe and prints."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenlane.console import Console
from greenlane.errors import GreenlaneError
from greenlane.location import find_project
from greenlane.options import answers_options, common, completes, from_options, kit_option

if TYPE_CHECKING:
    from greenlane.kit import Kit
    from greenlane.sources.protocol import Source
    from greenlane.update import Plan

_STATUS = """\b
Exit status: 0 done, 1 done and conflicts are left to you, 2 refused and
nothing was written."""


def register(group: click.Group) -> None:
    """Add the commands to the program."""
    for command in (update, add, remove, set_, status, diff, restore, adopt):
        group.add_command(command)


def project_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--project",
        "-C",
        "start",
        metavar="FOLDER",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="The project; default: the one that you are in.",
    )(command)


def set_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=completes("settings"),
        help="Answer a question; repeatable.",
    )(command)


def trust_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--trust", is_flag=True, help="Run the code of a Copier or Cookiecutter template."
    )(command)


@dataclass(frozen=True, slots=True)
class Change:
    """How a change of a project was asked for."""

    console: Console
    start: Path
    kit_root: Path | None
    dry_run: bool
    branch: str
    trust: bool

    def by(
        self,
        recipe: Callable[..., AbstractContextManager[Plan]],
        *arguments: Sequence[str],
        ref: str = "",
        **options: Sequence[str],
    ) -> int:
        """The exit status, when `recipe` has changed the project, or shown what it would change."""
        folder = find_project(self.start)
        with _source(folder, self.kit_root, trust=self.trust, ref=ref) as source:
            return self.make(recipe(folder, source, *arguments, **options))

    def make(self, planned: AbstractContextManager[Plan]) -> int:
        from greenlane.update_report import plan_data, show_plan

        applied, branch, patch = not self.dry_run, self.branch, ""
        with planned as plan:
            if applied:
                plan.apply(branch)
            else:
                plan.check()
                patch = plan.patch()
            if self.console.as_json:
                data = plan_data(plan, applied=applied, branch=branch, patch=patch)
                self.console.document(data)
            else:
                if patch:
                    self.console.line(patch)
                show_plan(plan, self.console, applied=applied, branch=branch)
            return int(bool(plan.merge.conflicts))


def change_options(command: Callable[..., int]) -> Callable[..., Any]:
    """What every command that changes a project has; the command gets it as a `Change`."""

    @functools.wraps(command)
    def gathered(
        console: Console,
        start: Path,
        kit_root: Path | None,
        dry_run: bool,
        branch: str,
        trust: bool = False,
        **given: Any,
    ) -> int:
        change = Change(console, start, kit_root, dry_run, branch, trust)
        return command(change, **given)

    for option in (
        click.option("--branch", metavar="NAME", default="", help="Do it on a new branch."),
        click.option("--dry-run", is_flag=True, help="Show the final diff and write nothing."),
        project_option,
        kit_option,
    ):
        gathered = option(gathered)
    return common(gathered)


@click.command(
    short_help="Bring the project to the installed kit, or to its template's newest version.",
    epilog=f"""\b
Examples:
  greenlane update --dry-run       the final diff, file by file
  greenlane update --branch kit    on a branch of its own
  greenlane update --abort         undo what is not committed yet

{_STATUS}""",
)
@click.option("--abort", is_flag=True, help="Undo the last change that is not committed yet.")
@click.option(
    "--to",
    "ref",
    metavar="REF",
    default="",
    help="A tag, branch or commit of the template; default: its newest release.",
)
@set_option
@change_options
@trust_option
def update(change: Change, abort: bool, ref: str, sets: tuple[str, ...]) -> int:
    """Merge what the installed kit, or a newer version of the template, renders into the project.

    Your edits, renames and deletions stay. Where both sides changed the same place, git's own
    conflict is left for you, and the commit waits until it is resolved.
    """
    if abort:
        return _abort(change.console, change.start)
    from greenlane.update import update as recipe

    return change.by(recipe, ref=ref, sets=sets)


@click.command(short_help="Add modules to the project.", epilog=_STATUS)
@click.argument("names", nargs=-1, required=True, shell_complete=completes("modules"))
@set_option
@change_options
@trust_option
def add(change: Change, names: tuple[str, ...], sets: tuple[str, ...]) -> int:
    """Add modules, and those that they require."""
    from greenlane.update import add as recipe

    return change.by(recipe, names, sets=sets)


@click.command(short_help="Take modules out of the project.", epilog=_STATUS)
@click.argument("names", nargs=-1, required=True, shell_complete=completes("modules"))
@change_options
@trust_option
def remove(change: Change, names: tuple[str, ...]) -> int:
    """Take modules out. Files of theirs that you edited are left to you as conflicts."""
    from greenlane.update import remove as recipe

    return change.by(recipe, names)


@click.command("set", short_help="Change answers of the project.", epilog=_STATUS)
@click.argument("sets", nargs=-1, required=True, metavar="KEY=VALUE...",
                shell_complete=completes("settings"))  # fmt: skip
@change_options
@trust_option
def set_(change: Change, sets: tuple[str, ...]) -> int:
    """Change answers: `greenlane set region=eu`."""
    from greenlane.update import set_answers as recipe

    return change.by(recipe, sets)


@click.command(short_help="Bring back files that you deleted.", epilog=_STATUS)
@click.argument("paths", nargs=-1, required=True)
@change_options
@trust_option
def restore(change: Change, paths: tuple[str, ...]) -> int:
    """Bring back files of the kit that were deleted; PATHS are relative to the project."""
    from greenlane.update import restore as recipe

    return change.by(recipe, paths)


@click.command(short_help="Put an existing repository under the kit.", epilog=_STATUS)
@from_options
@answers_options
@change_options
def adopt(
    change: Change,
    source: str | None,
    origin: dict[str, Any],
    **given: Any,
) -> int:
    """Add to an existing repository what the kit has and it has not. Its own files stay.

    In a project made by Copier or cruft the template and the version that they recorded become its
    source; no option is needed.
    """
    from greenlane import update as recipes
    from greenlane.answers import resolve
    from greenlane.kits import chosen_kit

    start, kit_root = change.start, change.kit_root
    kit_asked = kit_root is not None or any(given.values())
    if source is not None or (not kit_asked and _has_foreign_record(start)):
        from greenlane.sources.adopting import adopt as adopt_template
        from greenlane.sources.adopting import origin_for

        found = origin_for(start, source, origin, given)
        planned = adopt_template(start, found, ref=origin["ref"], trust=origin["trusted"])
        return change.make(planned)
    kit = chosen_kit(kit_root)
    answers = resolve(kit, **given)
    return change.make(recipes.adopt(start, kit, answers))


@click.command(
    short_help="What is behind, and what has drifted.",
    epilog="""\b
Exit status: 0, or with --check 1 when that is so; 2 on an error.
  greenlane status --check behind     in CI: is an update waiting?
  greenlane status --check drifted    in CI: were generated files edited?""",
)
@click.option("--check", "checks", multiple=True, type=click.Choice(["behind", "drifted"]),
              help="Exit with 1 when the project is so; repeatable.")  # fmt: skip
@trust_option
@project_option
@kit_option
@common
def status(
    console: Console, checks: tuple[str, ...], start: Path, kit_root: Path | None, trust: bool
) -> int:
    """Show the project's version, what an update would change, and which files were edited."""
    folder = find_project(start)
    with _source(folder, kit_root, trust=trust) as source:
        from greenlane.status import status as status_of

        state = status_of(folder, source)
    from greenlane.update_report import show_status, status_data

    if console.as_json:
        console.document(status_data(state))
    else:
        show_status(state, console)
    found = {"behind": state.behind, "drifted": state.drifted}
    return int(any(found[check] for check in checks))


@click.command(short_help="Your own changes to generated files.")
@click.argument("paths", nargs=-1)
@trust_option
@project_option
@kit_option
@common
def diff(
    console: Console, paths: tuple[str, ...], start: Path, kit_root: Path | None, trust: bool
) -> int:
    """Show the project's changes to generated files, as a patch; of the last commit."""
    folder = find_project(start)
    with _source(folder, kit_root, trust=trust) as source:
        from greenlane.status import diff as diff_of

        patch = diff_of(folder, source, paths)
    if console.as_json:
        console.document({"patch": patch})
    elif patch:
        console.line(patch.removesuffix("\n"))
    return 0


def _has_foreign_record(folder: Path) -> bool:
    from greenlane.sources.adopting import RECORDS

    return any((folder / name).is_file() for name in RECORDS)


@contextmanager
def _source(
    folder: Path, kit_root: Path | None, *, ref: str = "", trust: bool = False
) -> Iterator[Source | Kit]:
    """What the project was made from: the kit, or a template."""
    from greenlane.sources.origin import origin_of

    if (origin := origin_of(folder)) is None:
        if ref:
            raise GreenlaneError(
                "--to is for projects from a Copier or Cookiecutter template.",
                "A kit's version is that of the installed one, or of --kit FOLDER.",
            )
        from greenlane.kits import kit_of_project

        yield kit_of_project(folder, kit_root)
        return
    from greenlane.sources.opening import opened

    with opened(origin, ref=ref, trust=trust) as source:
        yield source


def _abort(console: Console, start: Path) -> int:
    from greenlane import update as recipes

    journal = recipes.abort(start)
    if console.as_json:
        console.document({"aborted": journal.command})
    else:
        console.line(f"The {journal.command} was undone; everything is as before.")
    return 0
