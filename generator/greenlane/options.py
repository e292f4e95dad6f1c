"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


def completes(function_name: str) -> Callable[..., list[CompletionItem[str]]]:
    """A completer from greenlane.completion, imported only when Tab is pressed."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        from greenlane import completion

        return getattr(completion, function_name)(ctx, incomplete)

    return complete


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """--json and --debug. `exits.run` reads them first, so that click's own errors obey them."""
    for name, text in (
        ("--debug", "Show the traceback of an unexpected error."),
        ("--json", "Print one JSON document on stdout; progress goes to stderr."),
    ):
        command = click.option(name, is_flag=True, expose_value=False, help=text)(command)
    return click.pass_obj(command)


def _separated(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """`--with a,b` is `--with a --with b`."""
    return tuple(name.strip() for value in values for name in value.split(","))


def answers_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that answer the questions."""
    options = [
        click.option("--preset", metavar="NAME", shell_complete=completes("presets"),
                     help="Start from this preset."),
        click.option("--answers", "file", metavar="FILE",
                     type=click.Path(dir_okay=False, path_type=Path),
                     help="Take the answers from a file, such as another project's "
                          ".greenlane/project.yml."),
        click.option("--set", "sets", multiple=True, metavar="KEY=VALUE",
                     shell_complete=completes("settings"), help="Answer one question; repeatable."),
        click.option("--with", "with_parts", multiple=True, metavar="MODULE,...",
                     callback=_separated, shell_complete=completes("modules"),
                     help="Add modules, such as where it runs and its CI; "
                          "`greenlane list modules` shows them."),
        click.option("--without", "without_parts", multiple=True, metavar="MODULE,...",
                     callback=_separated, shell_complete=completes("modules"),
                     help="Leave modules of the preset out."),
    ]  # fmt: skip
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def kit_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--kit",
        "kit_root",
        metavar="KIT",
        type=click.Path(file_okay=False, path_type=Path),
        help="Another kit: a folder with a kit.yml, or the name of an installed one.",
    )(command)


def from_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--from and what goes with it; all but the source arrive as one mapping, `origin`."""

    @functools.wraps(command)
    def gathered(
        *arguments: Any, ref: str, kind: str, directory: str, trust: bool, **options: Any
    ) -> Any:
        origin = {"ref": ref, "kind": kind, "directory": directory, "trusted": trust}
        return command(*arguments, origin=origin, **options)

    options = [
        click.option("--from", "source", metavar="SOURCE",
                     help="A Copier or Cookiecutter template: folder, URL, gh:owner/name[@ref]."),
        click.option("--ref", metavar="REF", default="",
                     help="Its tag, branch or commit; default: the newest release."),
        click.option("--kind", default="", type=click.Choice(["", "copier", "cookiecutter", "kit"]),
                     metavar="KIND", help="copier, cookiecutter or kit, where it is several."),
        click.option("--directory", metavar="FOLDER", default="",
                     help="The Cookiecutter template's folder in its repository."),
        click.option("--trust", is_flag=True,
                     help="Run the template's own code: tasks, hooks, Jinja extensions."),
    ]  # fmt: skip
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), gathered)
