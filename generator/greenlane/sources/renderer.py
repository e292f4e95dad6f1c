"""The parent's side of the process that renders: starting it, asking it, stopping it."""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from greenlane.errors import GreenlaneError
from greenlane.git import GitError
from greenlane.sources.collect import collected, folder_size, too_much
from greenlane.sources.fetch import beside
from greenlane.tree import Tree

SECONDS = 120
_LOOK_SECONDS = 0.5
_CHILD = "from greenlane.sources.child import main; main()"
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "PYTHONHOME", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Job:
    """One rendering: a checkout of the template in `template`, and what it is rendered with.

    `last` are recorded answers, which give way where they no longer fit; `given` are new ones, of
    which an unfit one is an error. `folder` is the name of the folder that is rendered into.
    """

    template: Path
    source: str
    folder: str
    ref: str = ""
    commit: str = ""
    version: str = ""
    directory: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What came of a job.

    `made` is the name of the folder that it made, `place` where that is for now.
    `questions` are the names of all, `new` of those that were answered with their defaults.
    `skipped` is code of the template that was not run, `ran` that was.
    """

    tree: Tree
    made: str
    place: Path
    questions: tuple[str, ...]
    answers: Mapping[str, Any]
    data: Mapping[str, Any]
    secret: tuple[str, ...]
    new: tuple[str, ...]
    skipped: tuple[str, ...]
    ran: tuple[str, ...]
    migrations: int

    def ignored(self) -> frozenset[str]:
        """The paths that git is to ignore, by the template's own .gitignore."""
        if not any(path.rpartition("/")[2] == ".gitignore" for path in self.tree):
            return frozenset()
        names = b"".join(path.encode() + b"\0" for path in self.tree)
        arguments = ("check-ignore", "--no-index", "-z", "--stdin")
        try:
            told = beside(self.place, *arguments, stdin=names, accepted=(0, 1))
        except GitError as error:
            raise GreenlaneError(
                f"git cannot read the template's .gitignore: {error}.", ""
            ) from None
        return frozenset(told.decode().split("\0")[:-1])


class Renderer:
    """A process with one library loaded. Use it as a context: folder and process go at the end."""

    def __init__(self, kind: str, *, trusted: bool) -> None:
        check_installed(kind)
        self.kind, self.trusted = kind, trusted
        self.folder = Path(tempfile.mkdtemp(prefix="greenlane-render-"))
        self._jobs = 0
        # -P: nothing from the folder that the person is in is imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, json.dumps([kind, trusted, str(self.folder)])],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if trusted else subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, job: Job) -> dict[str, Any]:
        """The next question that `job.given` leaves open; empty when there is none.

        Raises GreenlaneError when an answer is unfit.
        """
        told = self._request({"do": "ask", "job": self._data(job)})
        if problem := told.get("problem") or told.get("error"):
            raise GreenlaneError(_first_lines(str(problem)), "")
        return told

    def render(self, *jobs: Job) -> list[Rendered]:
        """Render all jobs side by side. Raises GreenlaneError when one fails."""
        data = [self._data(job) for job in jobs]
        results = self._request({"do": "render", "jobs": data})
        return [self._taken(job, told) for job, told in zip(data, results, strict=True)]

    def _environment(self) -> dict[str, str]:
        if self.trusted:
            return dict(os.environ)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def _data(self, job: Job) -> dict[str, Any]:
        self._jobs += 1
        place = self.folder / f"job{self._jobs}"
        place.mkdir()
        out = place / job.folder if self.kind == "copier" else place / "out"
        return {
            **{name: getattr(job, name) for name in ("source", "ref", "commit", "version")},
            "directory": job.directory,
            "template": str(job.template),
            "given": dict(job.given),
            "last": dict(job.last),
            "out": str(out),
            "result": str(place / "result.json"),
        }

    def _taken(self, job: dict[str, Any], told: dict[str, Any]) -> Rendered:
        if "error" in told:
            raise self._failed(told)
        out = Path(job["out"])
        made = told.get("made", "")
        strays = sorted({path.name for path in out.iterdir()} - {made}) if made else []
        if "/" in made or made in {".", ".."} or strays:
            raise GreenlaneError(
                f"The template writes outside its project: {', '.join(strays) or made!r}.",
                "Nothing was written. Are there slashes in a name?",
            )
        tree = collected(out / made, trusted=self.trusted)
        return Rendered(
            tree=tree,
            made=made or out.name,
            place=out / made,
            answers=told["answers"],
            data=told["data"],
            migrations=told["migrations"],
            **{
                name: tuple(told[name]) for name in ("questions", "secret", "new", "skipped", "ran")
            },
        )

    def _failed(self, told: Mapping[str, Any]) -> GreenlaneError:
        hint = "Nothing was written."
        kind = str(told.get("type", ""))
        if not self.trusted and kind in _NEEDS_CODE:
            hint += (
                " It may need its own code, which is run with --trust if you trust the template."
            )
        return GreenlaneError(f"The template failed: {_first_lines(str(told['error']))}", hint)

    def _request(self, request: dict[str, Any]) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: S101, PT018 - both were asked for
        try:
            stdin.write(json.dumps(request, default=str).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        line = self._line(stdout.fileno())
        try:
            return json.loads(line)
        except ValueError:
            raise self._ended() from None

    def _line(self, descriptor: int) -> bytes:
        """One line of the child's, watching the clock and how much it writes."""
        started, line = time.monotonic(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if selector.select(_LOOK_SECONDS):
                    if not (part := os.read(descriptor, 1 << 16)):
                        break
                    line += part
                    continue
                self._check(time.monotonic() - started)
        return bytes(line)

    def _check(self, seconds: float) -> None:
        problem = ""
        if not self.trusted:
            problem = too_much(*folder_size(self.folder))
            if seconds > SECONDS:
                problem = f"for more than {SECONDS} s"
        if problem:
            self._stop()
            raise GreenlaneError(f"The template writes {problem}.", "Nothing was written.")

    def _ended(self) -> GreenlaneError:
        status = self._process.wait()
        why = f"ended with status {status}"
        if status == -signal.SIGXCPU or status == -signal.SIGKILL:
            why = "took too much time or memory"
        return GreenlaneError(f"The template {why}.", "Nothing was written.")

    def _stop(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


_NEEDS_CODE = frozenset(
    """
    TemplateAssertionError TemplateSyntaxError TemplateRuntimeError UndefinedError UserMessageError
    UndefinedVariableInTemplate UnknownExtension
    """.split()  # noqa: SIM905
)


def check_installed(kind: str) -> None:
    """Raise GreenlaneError when the library is missing."""
    if find_spec(kind) is None:
        raise GreenlaneError(
            f"Templates of {kind.capitalize()} are rendered by its library, which is not here.",
            "`uv tool install 'greenlane[templates]'`, or `pip install 'greenlane[templates]'`.",
        )


def _first_lines(text: str) -> str:
    """At most a few lines, without what a terminal would obey."""
    lines = ["".join(c for c in line if c.isprintable()) for line in text.splitlines()]
    return " ".join(line for line in lines if line)[:600]
