"""The commands for authors of kits. Each parses, calls one function and prints."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenlane.console import Console, seconds
from greenlane.errors import GreenlaneError
from greenlane.options import common

if TYPE_CHECKING:
    from greenlane.authoring import Begun
    from greenlane.kit import Kit
    from greenlane.lint import Finding
    from greenlane.trials import Trial


def register(group: click.Group) -> None:
    """Add the commands to the program."""
    group.add_command(kit)


@click.group(
    short_help="For authors of kits: check, try, begin.",
    epilog="""\b
Examples:
  greenlane kit new acme-kit            a kit of your own, beside the built-in one
  greenlane kit new-module badge        a module, with its test
  greenlane kit lint                    every rule of a kit
  greenlane kit test                    what the kit renders, and updates to it""",
)
def kit() -> None:
    """For authors of kits: check every rule, try what it renders, begin a kit or a module."""


def folder_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument(
        "folder", required=False, type=click.Path(file_okay=False, path_type=Path)
    )(command)


@kit.command(
    epilog="""\b
Exit status: 0 nothing was found; 1 something was.""",
)
@folder_argument
@common
def lint(console: Console, folder: Path | None) -> int:
    """Check every rule of the kit in FOLDER (default: here, or templates/ here)."""
    from greenlane.lint import lint as findings_of

    root = kit_folder(folder)
    findings = findings_of(root)
    if console.as_json:
        console.document({"kit": str(root), "findings": [item.to_dict() for item in findings]})
    else:
        _show_findings(findings, console)
    return int(bool(findings))


@kit.command(
    epilog="""\b
Examples:
  greenlane kit test                    render, compare, update from the last releases
  greenlane kit test --checks           and run the rendered repositories' own gates
  greenlane kit test --ci github > .github/workflows/kit.yml

\b
Exit status: 0 all went well; 1 something failed.""",
)
@folder_argument
@click.option("--random", "count", type=click.IntRange(0, 10_000), default=24, show_default=True,
              help="So many combinations are drawn, always the same ones.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Render every combination of modules.")
@click.option("--releases", "latest", type=click.IntRange(0, 100), default=3, show_default=True,
              help="Update from so many of the latest tags v*.")  # fmt: skip
@click.option("--since", metavar="REF", help="Update from this commit or tag instead.")
@click.option("--checks", is_flag=True, help="Install each preset and run its own gates.")
@click.option("--ci", "service", type=click.Choice(["github", "gitlab"]),
              help="Only print the pipeline that does all this on every change.")  # fmt: skip
@common
def test(
    console: Console,
    folder: Path | None,
    count: int,
    every: bool,
    latest: int,
    since: str | None,
    checks: bool,
    service: str | None,
) -> int:
    """Try the kit in FOLDER (default: here, or templates/ here).

    Each preset, each module alone, everything together and drawn combinations are rendered twice,
    compared and looked through; projects of the last releases, edited by a user, are updated.
    """
    from greenlane import trials
    from greenlane.kit import load_kit

    root = kit_folder(folder)
    loaded = load_kit(root)
    if service:
        return _print_pipeline(console, loaded, service)
    renderings = trials.try_renderings(loaded, count, every=every)
    done = _run("Render everything wanted, twice", renderings, console)
    earlier = [since] if since else trials.releases(loaded.root, latest)
    if earlier:
        title = f"Update from {', '.join(earlier)}"
        done += _run(title, trials.try_updates(loaded, earlier), console)
    if checks:
        done += trials.try_checks(loaded, console)
    if console.as_json:
        console.document({"kit": loaded.name, "trials": [trial.to_dict() for trial in done]})
    else:
        _show_trials(done, console)
    return int(any(trial.outcome == "failed" for trial in done))


@kit.command("new-module")
@click.argument("name")
@folder_argument
@click.option("--category", metavar="NAME", default="", help="One of kit.yml; default: the first.")
@common
def new_module(console: Console, name: str, folder: Path | None, category: str) -> None:
    """Begin the module NAME in the kit in FOLDER (default: here, or templates/ here).

    It works as it is: a feature with a setting, a test that the rendered repository runs, and its
    part of the README.
    """
    from greenlane.authoring import new_module as begin

    begun = begin(kit_folder(folder), name, category)
    _show_begun(begun, console, "greenlane kit lint", "greenlane kit test")


@kit.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--extends", metavar="KIT", default="greenlane", show_default=True,
              help="The kit that it adds to: greenlane, or a path from FOLDER.")  # fmt: skip
@common
def new(console: Console, folder: Path, extends: str) -> None:
    """Begin a kit of your own in FOLDER, which adds modules and presets to another one.

    A repository with a first module, a preset, a pipeline and a first commit.
    """
    from greenlane.authoring import new_kit

    begun = new_kit(folder, extends)
    place = shlex.quote(str(folder))
    _show_begun(begun, console, f"greenlane kit test {place}", f"greenlane list --kit {place}")


def kit_folder(given: Path | None) -> Path:
    """The folder of the kit that is worked on."""
    if given is not None:
        return given
    for folder in (Path(), Path("templates")):
        if (folder / "kit.yml").is_file():
            return folder
    raise GreenlaneError(
        "There is no kit here: neither kit.yml nor templates/kit.yml.",
        "Go to the kit's folder, or name it.",
    )


def _run(title: str, trials: Iterator[Trial], console: Console) -> list[Trial]:
    with console.step(title) as line:
        done = list(trials)
        failed = sum(trial.outcome == "failed" for trial in done)
        line.outcome = "failed" if failed else "ok"
        line.note = f"{failed} of {len(done)} failed" if failed else f"{len(done)} times"
    return done


def _show_trials(done: list[Trial], console: Console) -> None:
    for trial in done:
        if trial.notes:
            console.heading(f"{trial.name}: {trial.outcome}")
            for note in trial.notes:
                console.paragraph(note, indent=2, hang=4)
    console.line()
    rows: list[tuple[str, ...]] = [("", "ok", "failed", "skipped", "time")]
    for kind in dict.fromkeys(trial.kind for trial in done):
        trials = [trial for trial in done if trial.kind == kind]
        counts = [str(sum(trial.outcome == name for trial in trials)) for name in rows[0][1:4]]
        rows.append((kind, *counts, seconds(sum(trial.seconds for trial in trials))))
    console.table(rows, right=4)


def _print_pipeline(console: Console, kit: Kit, service: str) -> int:
    from greenlane.pipelines import pipeline
    from greenlane.trials import folder_in_repository

    path, text = pipeline(kit, service, folder_in_repository(kit.root))
    if console.as_json:
        console.document({"path": path, "text": text})
    else:
        console.line(text.removesuffix("\n"))
    return 0


def _show_begun(begun: Begun, console: Console, *commands: str) -> None:
    if console.as_json:
        console.document(
            {"folder": str(begun.folder), "files": begun.files, "skipped": begun.skipped}
        )
        return
    console.line(console.style(f"{begun.folder} is begun", "bold"))
    for path in begun.files:
        console.line(f"  {path}")
    for text in begun.skipped:
        console.paragraph(text)
    console.heading("Next")
    for command in commands:
        console.command(command)


def _show_findings(findings: list[Finding], console: Console) -> None:
    for item in findings:
        place = f"{item.file}:{item.line}" if item.line else item.file
        rule = console.style(f"({item.rule})", "dim")
        console.line(f"{console.style(place, 'bold')}: {item.message} {rule}")
        if item.hint:
            console.paragraph(item.hint, indent=2)
    if not findings:
        console.line("Every rule holds.")
        return
    console.line()
    files = len({item.file for item in findings})
    console.line(f"{len(findings)} found in {files} file{'s' if files > 1 else ''}.")
