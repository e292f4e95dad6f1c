"""The process that a template is rendered in: limits, a guard, and the library that renders.

Started as `python -c`, it reads one request (JSON) per line and answers each with one line. It
imports the library once; a second rendering of the same request is done by a fork.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Protocol

from greenlane.sources import fence

CPU_SECONDS = 60
MEMORY_BYTES = 3 << 30
FILE_BYTES = 64 << 20


class Library(Protocol):
    """What `by_copier` and `by_cookiecutter` do for a job."""

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The next question that `given` leaves open, or {}; {"problem": ...} if one is unfit."""

    def render(self, job: dict[str, Any]) -> dict[str, Any]:
        """Write the files into `out`; what was answered, and what was skipped."""


def main() -> None:
    """Serve requests until the input ends."""
    kind, trusted, folder = json.loads(sys.argv[1])
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    # The template's own code reads nothing, and what it prints is for people.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    if not trusted:
        _limit()
    library = _library(kind, trusted)
    fence.put_up(folder, trusted=trusted)
    for line in requests:
        request = json.loads(line)
        print(json.dumps(_served(library, request, trusted)), file=answers, flush=True)


def _library(kind: str, trusted: bool) -> Library:
    if kind == "copier":
        from greenlane.sources.by_copier import Copier

        return Copier(trusted)
    from greenlane.sources.by_cookiecutter import Cookiecutter

    return Cookiecutter(trusted)


def _limit() -> None:
    import resource

    for what, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(what, (most, most))


def _served(library: Library, request: dict[str, Any], trusted: bool) -> Any:
    if request["do"] == "ask":
        return _told(library.ask, request["job"])

    def render(job: dict[str, Any]) -> dict[str, Any]:
        if not trusted:
            fence.only(job["out"])
        return library.render(job)

    *others, last = request["jobs"]
    forks = [(_fork(render, job), job) for job in others]
    results = [_told(render, last)]
    for child, job in reversed(forks):
        _, status = os.waitpid(child, 0)
        results.insert(0, _result_of(status, job))
    return results


def _fork(render: Any, job: dict[str, Any]) -> int:
    with fence.opened():
        child = os.fork()
    if child == 0:
        try:
            told = json.dumps(_told(render, job))
            with fence.opened():
                Path(job["result"]).write_text(told)
        finally:
            os._exit(0)
    return child


def _result_of(status: int, job: dict[str, Any]) -> Any:
    if status:
        return {"error": f"it was stopped (status {status})"}
    return json.loads(Path(job["result"]).read_text())


def _told(work: Any, job: dict[str, Any]) -> Any:
    """What `work` gives, or its failure: nothing of the template's ends this process."""
    try:
        return work(job)
    except MemoryError:
        return {"error": "it needs too much memory"}
    except RecursionError:
        return {"error": "it is nested too deeply"}
    except BaseException as error:
        text = str(error) or type(error).__name__
        return {"error": text, "type": type(error).__name__}
