"""The commands and their options. Each parses, calls one function and prints; rules live elsewhere.

Imports are inside the commands: `--help`, `--version` and completion of options must not wait for
templates, YAML or prompts.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenlane import __version__, kit_cli
from greenlane.console import Console
from greenlane.fleet.cli import fleet
from greenlane.options import answers_options, common, completes, from_options, kit_option
from greenlane.update_cli import register

if TYPE_CHECKING:
    from greenlane.answers import Answers
    from greenlane.kit import Kit

START_PRESET = "freelancer"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  greenlane new                  ask, show what will be written, write
  greenlane start my-shop        from nothing to a running, checked application
  greenlane new my-shop --preset team --set license=Apache-2.0
  greenlane describe triage

\b
Exit status: 0 done; 1 the project's set-up or a gate failed; 2 a mistake,
nothing was written; 70 a bug in greenlane; 130 left with Ctrl-C.""",
)
@click.version_option(__version__, prog_name="greenlane", message="%(prog)s %(version)s")
@common
def cli(console: Console) -> None:
    """Complete AI applications from a questionnaire, green from the first commit."""


@cli.command(
    short_help="Write a new repository, by questions or options.",
    epilog="""\b
Examples:
  greenlane new                                   ask about everything
  greenlane new my-shop --preset freelancer       ask nothing
  greenlane new my-shop --answers old-shop/.greenlane/project.yml
  greenlane new my-shop --preset minimal --with containers --set license=MIT
  greenlane new my-shop --preset team --with infra-aws,ci-gitlab
  greenlane new my-shop --preset team --dry-run   show the files only
  greenlane new my-lib --from gh:pawamoy/copier-uv@1.13.0   a Copier template""",
)
@click.argument("dest", required=False, type=click.Path(path_type=Path))
@from_options
@answers_options
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: take the defaults.")
@click.option("--dry-run", is_flag=True, help="Show the tree and write nothing.")
@click.option("--git/--no-git", default=None,
              help="Make a git repository with a first commit; the default, but with --from: what "
                   "its template leaves to do belongs into that commit.")  # fmt: skip
@click.option("--setup", "set_up", is_flag=True, help="Also install, set up and run the gates.")
@kit_option
@common
def new(
    console: Console,
    dest: Path | None,
    yes: bool,
    dry_run: bool,
    git: bool | None,
    set_up: bool,
    kit_root: Path | None,
    source: str | None,
    origin: dict[str, Any],
    **given: Any,
) -> int:
    """Write a new repository into DEST (default: a folder with the project's name).

    At a terminal the wizard asks, with a way back to the previous question. With any option that
    answers questions, or without a terminal, it asks nothing.
    """
    from greenlane.kits import chosen_kit

    ask = not (yes or any(given.values()) or console.as_json) and _at_terminal()
    if source is not None and (Path(source) / "kit.yml").is_file():
        source, kit_root = None, Path(source)  # a kit is a source, too
    if source is not None:
        from greenlane.sources.new import new as new_from

        return new_from(
            console,
            dest,
            source,
            origin,
            given,
            ask=ask,
            dry_run=dry_run,
            commit=bool(git),
        )

    commit = git is not False
    kit = chosen_kit(kit_root)
    again = ["--kit", str(kit_root)] if kit_root else []
    again += [] if commit else ["--no-git"]
    if not ask:
        answers = _resolve(kit, dest, **given)
    else:
        from greenlane.report import what_it_does
        from greenlane.wizard import ask as ask_all

        action = "Show the tree" if dry_run else "Write it"
        doing = "" if dry_run else what_it_does(commit=commit, set_up=set_up)
        answers = ask_all(kit, console, dest, action=action, doing=doing)
    dest = Path(
        dest or str(answers.values["project_name"])
    ).absolute()  # a link at DEST stays a link
    if dry_run:
        return _dry_run(console, kit, answers, dest, again)
    return _create(console, kit, answers, dest, again, commit=commit, set_up=set_up)


@cli.command(
    short_help="From a name to a running, checked application.",
    epilog="""\b
Examples:
  greenlane start my-shop                then open the address that it prints
  greenlane start my-shop --no-serve     stop after the gates
  greenlane start my-shop --dest ~/work/shop --preset team

\b
A step that this machine cannot do (no uv, no network) is printed as an
instruction at the end; the exit status is 0 then. It is 1 when the set-up
of the project or one of its gates fails.""",
)
@click.argument("name", required=False)
@click.option(
    "--dest",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="The project's folder; default: NAME.",
)
@click.option(
    "--in",
    "parent",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default=".",
    help="Where to make the project's folder; default: here.",
)
@click.option("--preset", metavar="NAME", default=START_PRESET, show_default=True,
              shell_complete=completes("presets"), help="Start from this preset.")  # fmt: skip
@click.option("--serve/--no-serve", default=True, show_default=True,
              help="Serve the application at the end; never with --json.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535),
              help="Port to serve on; default: the first free one from 8000.")  # fmt: skip
@kit_option
@common
def start(
    console: Console,
    name: str | None,
    dest: Path | None,
    parent: Path,
    preset: str,
    serve: bool,
    port: int | None,
    kit_root: Path | None,
) -> int:
    """From a name to a running application: write, set up, run every gate, serve.

    Asks nothing, needs no account, key or container, and installs nothing system-wide. Without a
    NAME it is the last part of --dest, or else the first of my-app, my-app-2, ... that is free.
    """
    from greenlane.answers import resolve
    from greenlane.environment import free_folder, free_port
    from greenlane.kits import chosen_kit

    kit = chosen_kit(kit_root)
    if dest is None:
        dest = parent / name if name else free_folder(parent)
    dest = _absolute(dest.expanduser())
    answers = resolve(kit, preset=preset, name=name or dest.name)
    serve = serve and not console.as_json
    free = (
        free_port(port) if serve else None
    )  # a port in use is an error before anything is written
    again = ["--kit", str(kit_root)] if kit_root else []
    return _create(console, kit, answers, dest, again, commit=True, set_up=True, port=free)


@cli.command(
    name="list",
    epilog="""\b
Examples:
  greenlane list
  greenlane list modules
  greenlane list presets --json""",
)
@click.argument("kind", required=False, type=click.Choice(["apps", "modules", "presets"]))
@kit_option
@common
def list_(console: Console, kind: str | None, kit_root: Path | None) -> None:
    """Show the archetypes, modules and presets."""
    from greenlane.describe import KINDS, listing, show_listing
    from greenlane.kits import chosen_kit

    kit = chosen_kit(kit_root)
    found = listing(kit, (kind,) if kind else KINDS)
    if console.as_json:
        console.document(found)
    else:
        show_listing(found, kit, console)


@cli.command(
    short_help="Show what an archetype, module or preset adds.",
    epilog="""\b
Examples:
  greenlane describe triage
  greenlane describe freelancer
  greenlane describe base --json""",
)
@click.argument("name", shell_complete=completes("names"))
@kit_option
@common
def describe(console: Console, name: str, kit_root: Path | None) -> None:
    """Show what an archetype, a module or a preset adds: files, settings, packages, checks."""
    from greenlane.describe import describe as describe_part
    from greenlane.describe import show_description
    from greenlane.kits import chosen_kit

    data = describe_part(chosen_kit(kit_root), name)
    if console.as_json:
        console.document(data)
    else:
        show_description(data, console)


@cli.command(
    short_help="Print the completion script of a shell.",
    epilog="""\b
Examples:
  greenlane completion bash >> ~/.bash_completion
  greenlane completion zsh > "${fpath[1]}/_greenlane"
  greenlane completion fish > ~/.config/fish/completions/greenlane.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common
def completion(console: Console, shell: str) -> None:
    """Print the script that completes commands, options, presets, parts and answers."""
    from greenlane.completion import script

    text = script(cli, shell)
    if console.as_json:
        console.document({"shell": shell, "script": text})
    else:
        console.line(text.rstrip("\n"))


register(cli)
kit_cli.register(cli)
cli.add_command(fleet)


# -- shared by the commands -----------------------------------------------------------------------


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link there


def _resolve(kit: Kit, dest: Path | None, *, sets: Sequence[str], **given: Any) -> Answers:
    from greenlane.answers import resolve

    named = any(item.partition("=")[0].strip() == "project_name" for item in sets)
    name = None if named or dest is None else _absolute(dest).name
    return resolve(kit, name=name, sets=sets, **given)


def _dry_run(console: Console, kit: Kit, answers: Answers, dest: Path, again: Sequence[str]) -> int:
    from greenlane.disk import check_free
    from greenlane.record import with_record
    from greenlane.render import render
    from greenlane.report import command_line, plan_data, show_dry_run

    check_free(dest)
    tree = with_record(render(kit, answers), kit, answers)
    command = command_line(kit, answers, dest, again)
    if console.as_json:
        console.document(plan_data(kit, answers, tree, dest, command))
    else:
        show_dry_run(tree, dest, command, console)
    return 0


def _create(
    console: Console,
    kit: Kit,
    answers: Answers,
    dest: Path,
    again: Sequence[str],
    *,
    commit: bool,
    set_up: bool,
    port: int | None = None,
) -> int:
    """Writes, optionally sets up and runs the gates; with a `port`, serves when they are green."""
    from greenlane import report
    from greenlane.project import create

    started = time.monotonic()
    created = create(kit, answers, dest, commit=commit)
    command = report.command_line(kit, answers, dest, again)
    if not console.as_json:
        report.show_created(created, console, seconds=time.monotonic() - started)
    if not set_up:
        if console.as_json:
            console.document(report.created_data(kit, answers, created, command, None))
        else:
            report.show_next_steps(created, command, console)
            report.show_afterwards(kit, answers, console)
        return 0
    from greenlane.setup import serve, set_up_project

    done = set_up_project(created.path, console)
    if console.as_json:
        console.document(report.created_data(kit, answers, created, command, done))
        return done.exit_status
    report.show_set_up(done, console)
    if done.green:
        title = "Next time" if port else "Next"
        report.show_next_steps(created, command, console, set_up=True, title=title)
        report.show_afterwards(kit, answers, console)
        if port:
            console.heading(f"Serving on http://localhost:{port} (Ctrl-C ends it)")
            return serve(created.path, port)
    return done.exit_status


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: runs a command and exits with its status."""
    from greenlane.exits import run

    sys.exit(run(cli, list(sys.argv[1:] if arguments is None else arguments)))
