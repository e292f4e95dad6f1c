"""How a command ends: every error as a message, a hint and an exit status, never a traceback."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import click

from greenlane.console import Console
from greenlane.errors import GreenlaneError

COMPLETION_VARIABLE = "_GREENLANE_COMPLETE"
PROGRAM = "greenlane"
USER_ERROR, BUG, INTERRUPTED, BROKEN_PIPE = 2, 70, 130, 141


class Left(Exception):  # noqa: N818 - a decision of the person, not an error
    """The person left; the text says what that means for them."""


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Runs `command` and returns its exit status; whatever goes wrong is printed."""
    # Most commands end before anything they made is garbage: looking for it was 4 % of `new`.
    gc.set_threshold(50_000)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = arguments[:end]
    console = Console(as_json="--json" in options)
    try:
        status = _invoke(command, list(arguments), console)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        return _broken_pipe()
    except Exception as error:
        if "--debug" in options and not isinstance(error, GreenlaneError | click.ClickException):
            raise
        return _say(console, *_explained(error))
    except KeyboardInterrupt:
        return _say(console, "\nStopped.", "", INTERRUPTED)


def _invoke(command: click.Command, arguments: list[str], console: Console) -> int:
    # Not command.main(): it turns Ctrl-C and a broken pipe into statuses and lines of its own.
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        from greenlane.completion import complete

        return complete(command, instruction)
    try:
        with command.make_context(PROGRAM, arguments or ["--help"], obj=console) as context:
            status = command.invoke(context)
    except click.exceptions.Exit as done:  # --help, --version
        status = done.exit_code
    return status if isinstance(status, int) else 0


def _explained(error: Exception) -> tuple[str, str, int]:
    """Message, hint and exit status."""
    if isinstance(error, GreenlaneError):
        return error.message, error.hint, USER_ERROR
    if isinstance(error, Left):
        return str(error), "", INTERRUPTED
    if isinstance(error, click.ClickException):
        where = getattr(error, "ctx", None)
        path = where.command_path if where else PROGRAM
        return error.format_message(), f"`{path} --help` shows what is possible.", USER_ERROR
    return (
        f"Unexpected {type(error).__name__}: {error}",
        "This is a bug in greenlane. Run the same command with --debug and report what it prints.",
        BUG,
    )


def _say(console: Console, message: str, hint: str, status: int) -> int:
    try:
        if status == INTERRUPTED and not console.as_json:
            sys.stderr.write(f"{message}\n")
        else:
            console.error(message.strip(), hint)
        sys.stdout.flush()
    except BrokenPipeError:
        return _broken_pipe()
    return status


def _broken_pipe() -> int:
    # Python flushes stdout once more at its end, and would complain.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    return BROKEN_PIPE
