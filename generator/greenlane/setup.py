"""Setting up a rendered repository: lock, install, `just setup`, its gates, and serving it.

A step that this machine cannot do (no uv, no network) becomes an instruction; the repository is
complete all the same. A step that the project itself fails is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from greenlane.console import Console
from greenlane.environment import LOGS, find_uv, path_instruction, project_environment
from greenlane.errors import GreenlaneError
from greenlane.exits import Left

Outcome = Literal["ok", "failed", "skipped"]

LOCK_MESSAGE = "Lock the dependencies"
GATES = ("uv", "run", "just", "check")
SERVE = ("uv", "run", "just", "serve")
_INSTALL = (
    ("lock", "Lock the dependencies", ("uv", "lock")),
    ("install", "Install the dependencies", ("uv", "sync")),
    ("setup", "Set up the project", ("uv", "run", "just", "setup")),
)
_TAIL_LINES = 15
_STOP_SECONDS = 10

# What uv and the operating system say when the machine, not the project, is in the way.
_ENVIRONMENT = {
    "the network could not be reached": re.compile(
        r"Request failed after|error sending request|Failed to (fetch|download)|dns error"
        r"|network was disabled|Connection (refused|reset)|timed out|Could not connect",
        re.IGNORECASE,
    ),
    "the disk is full": re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE),
    "no suitable Python was found": re.compile(r"No interpreter found", re.IGNORECASE),
}


@dataclass(frozen=True)
class Result:
    """How one command ended. `log`: its output, kept when it failed; relative to the project."""

    name: str
    title: str
    command: str
    outcome: Outcome
    seconds: float
    reason: str = ""
    log: str | None = None
    tail: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class Instruction:
    """Something left for a person: why, and the exact commands in order."""

    reason: str
    commands: tuple[str, ...]


@dataclass
class Report:
    """What was done in a project, gate by gate, and what is left to do."""

    steps: list[Result] = field(default_factory=list)
    gates: list[Result] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)

    @property
    def green(self) -> bool:
        """Every gate ran and passed."""
        return bool(self.gates) and all(gate.outcome == "ok" for gate in self.gates)

    @property
    def exit_status(self) -> int:
        """1 when the project failed a step or a gate; 0 also when the machine was in the way."""
        return int(any(result.outcome == "failed" for result in self.steps + self.gates))

    def to_dict(self) -> dict[str, Any]:
        return {
            "green": self.green,
            "steps": [result.to_dict() for result in self.steps],
            "gates": [result.to_dict() for result in self.gates],
            "instructions": [asdict(instruction) for instruction in self.instructions],
        }


def set_up_project(project: Path, console: Console) -> Report:
    """Locks, installs, sets up and runs every gate of the rendered repository at `project`."""
    report = Report()
    uv = find_uv()
    if uv is None:
        report.instructions.append(_without_uv(project))
        return report
    env = project_environment(project, uv)
    try:
        if _install(project, env, console, report):
            report.gates = _run_gates(project, env, console)
    except KeyboardInterrupt:
        where = shlex.quote(str(project))
        raise Left(f"Stopped. The repository {where} is complete; its set-up is not.") from None
    red = [gate for gate in report.gates if gate.outcome != "ok"]
    if red:
        report.instructions.append(_red_gates(project, red))
    return report


def _install(project: Path, env: dict[str, str], console: Console, report: Report) -> bool:
    """Whether every step before the gates was done; if not, the report says what is left."""
    for position, (name, title, command) in enumerate(_INSTALL):
        result = run(name, title, command, project, env, console)
        if result.outcome == "failed" and (reason := _environment_reason(project, result)):
            result = replace(result, outcome="skipped", reason=reason)
        report.steps.append(result)
        if result.outcome != "ok":
            _show_failure(result, project, console)
            rest: list[tuple[str, ...]] = [step[2] for step in _INSTALL[position:]]
            rest += [GATES, SERVE]
            report.instructions.append(_instruction(project, result, rest))
            return False
        if name == "lock":
            _commit_lock(project, env, report)
    return True


def run(
    name: str,
    title: str,
    command: tuple[str, ...],
    project: Path,
    env: Mapping[str, str],
    console: Console,
) -> Result:
    """Runs one command in the project; its output goes to a log that is kept when it fails."""
    log = project / LOGS / f"{name}.log"
    started = time.monotonic()
    shown = shlex.join(command)
    with console.step(title) as line:
        try:
            status = _call(command, project, _plain(env), log)
        except OSError as error:
            line.outcome = "failed"
            return Result(name, title, shown, "failed", time.monotonic() - started, str(error))
        elapsed = time.monotonic() - started
        if status == 0:
            log.unlink()
            return Result(name, title, shown, "ok", elapsed)
        line.outcome = "failed"
    tail = _tail(log)
    kept = str(log.relative_to(project))
    return Result(name, title, shown, "failed", elapsed, f"exit status {status}", kept, tail)


def serve(project: Path, port: int) -> int:
    """Runs the project's server until it ends; Ctrl-C ends it in good order, which is status 0."""
    uv = find_uv()
    if uv is None:
        raise GreenlaneError("uv was not found.", "Install uv, then run `uv run just serve`.")
    env = project_environment(project, uv)
    sys.stdout.flush()
    # Ctrl-C reaches every process of the terminal. Here it is only noted: the server ends by
    # itself, and just and uv with it.
    interrupted = False

    def note(*_: object) -> None:
        nonlocal interrupted
        interrupted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        command = [*SERVE, "--port", str(port)]
        with _child(command, cwd=project, env=env) as process:
            status = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return 0 if interrupted else status


def show_gates(gates: list[Result], console: Console) -> None:
    """The gates and their times in a small table."""
    rows = []
    for gate in gates:
        colour = "green" if gate.outcome == "ok" else "red"
        mark = console.style(console.symbol(gate.outcome), colour)
        rows.append((f"{mark} {gate.name}", f"{gate.seconds:.1f} s"))
    rows.append(("  total", f"{sum(gate.seconds for gate in gates):.1f} s"))
    console.table(rows, right=1)


def show_instructions(instructions: list[Instruction], console: Console) -> None:
    for instruction in instructions:
        console.paragraph(instruction.reason)
        for command in instruction.commands:
            console.command(command)


# -- pieces ---------------------------------------------------------------------------------------


def _plain(env: Mapping[str, str]) -> dict[str, str]:
    # Logs are read later and their tails are shown indented: no colour, no progress bars.
    plain = {name: value for name, value in env.items() if name != "FORCE_COLOR"}
    return {**plain, "NO_COLOR": "1", "UV_NO_PROGRESS": "1", "PYTHONUNBUFFERED": "1"}


def _call(command: tuple[str, ...], project: Path, env: dict[str, str], log: Path) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    program = shutil.which(command[0], path=env["PATH"]) or command[0]
    with (
        log.open("wb") as output,
        _child(
            (program, *command[1:]),
            cwd=project,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        return process.wait()


@contextmanager
def _child(command: Sequence[str], **options: Any) -> Generator[subprocess.Popen[bytes]]:
    """A running command that is left behind by nothing: Ctrl-C, SIGTERM or an error end it."""

    def stop(*_: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    # Before the start: a signal in between would leave the child to itself.
    before = signal.signal(signal.SIGTERM, stop)
    process: subprocess.Popen[bytes] | None = None
    try:
        process = subprocess.Popen(command, **options)
        yield process
    finally:
        signal.signal(signal.SIGTERM, before)
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _run_gates(project: Path, env: dict[str, str], console: Console) -> list[Result]:
    names = _gate_names(project, env)
    if not names:
        return [run("check", "Gates", GATES, project, env, console)]
    results = []
    for name in names:
        command = ("uv", "run", "just", name)
        result = run(name, f"Gate: {name}", command, project, env, console)
        if result.outcome != "ok":
            _show_failure(result, project, console)
        results.append(result)
    return results


def _gate_names(project: Path, env: dict[str, str]) -> list[str]:
    """The recipes that `just check` consists of, so that each gets its own time and verdict."""
    command = ("uv", "run", "just", "--dump", "--dump-format", "json")
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, check=False)
    try:
        recipe = json.loads(done.stdout)["recipes"]["check"]
        return [dependency["recipe"] for dependency in recipe["dependencies"]]
    except (ValueError, KeyError, TypeError):
        return []  # no such detail: `just check` as a whole is the gate


def _commit_lock(project: Path, env: dict[str, str], report: Report) -> None:
    """Commits uv.lock alone. A repository without a commit (--no-git) is left as it is."""
    if not (project / ".git").exists() or not shutil.which("git"):
        return

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ("git", *words), cwd=project, env=env, capture_output=True, text=True, check=False
        )

    author = git("log", "-1", "--format=%an%n%ae")
    if author.returncode:
        return
    name, email = author.stdout.splitlines()
    settings = (
        # The author of the first commit: git may know no other. Hooks and signing are for people.
        *("-c", f"user.name={name}", "-c", f"user.email={email}"),
        *("-c", f"core.hooksPath={os.devnull}", "-c", "commit.gpgSign=false"),
    )
    add, commit = ("add", "--", "uv.lock"), ("commit", "--message", LOCK_MESSAGE, "--", "uv.lock")
    for command in (add, commit):
        done = git(*settings, *command)
        if done.returncode:
            reason = f"uv.lock could not be committed: {(done.stderr or done.stdout).strip()}"
            shown = tuple(shlex.join(("git", *line)) for line in (add, commit))
            report.instructions.append(Instruction(reason, (*_enter(project), *shown)))
            return


def _environment_reason(project: Path, result: Result) -> str:
    if result.log is None:
        return ""
    output = (project / result.log).read_text(encoding="utf-8", errors="replace")
    for reason, pattern in _ENVIRONMENT.items():
        if pattern.search(output):
            return reason
    return ""


def _tail(log: Path) -> tuple[str, ...]:
    lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    return tuple(lines[-_TAIL_LINES:])


def _show_failure(result: Result, project: Path, console: Console) -> None:
    for row in result.tail:
        console.line("  " + console.style("| ", "dim") + row)
    if result.log:
        console.paragraph(f"Full output: {project / result.log}", indent=2)


def _enter(project: Path) -> list[str]:
    """The commands that bring a shell to where the project's own commands work."""
    export = path_instruction(project)
    return [f"cd {shlex.quote(str(project))}", *([export] if export else [])]


def _instruction(project: Path, result: Result, commands: list[tuple[str, ...]]) -> Instruction:
    reason = f"`{result.command}` failed ({result.reason}); when that is put right:"
    if result.outcome == "skipped":
        reason = f"`{result.command}` could not be done: {result.reason}. When it can:"
    return Instruction(reason, (*_enter(project), *map(shlex.join, commands)))


def _red_gates(project: Path, red: list[Result]) -> Instruction:
    subject = "One gate is red" if len(red) == 1 else f"{len(red)} gates are red"
    reason = f"{subject}; the output is in {LOGS}/. When that is put right, run again:"
    return Instruction(reason, (*_enter(project), *(gate.command for gate in red)))


def _without_uv(project: Path) -> Instruction:
    commands = [shlex.join(step[2]) for step in _INSTALL] + [shlex.join(GATES), shlex.join(SERVE)]
    return Instruction(
        "The project needs uv, which was not found on this machine. Install it "
        "(https://docs.astral.sh/uv/, or `pipx install uv`), then:",
        (*_enter(project), *commands),
    )
