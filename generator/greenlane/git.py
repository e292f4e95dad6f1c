"""Running git, independent of how the user's git is set up; the first commit of a repository."""

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenlane.tree import Tree

# What git sets for the hooks it runs, and `-c` on its command line: inherited from an outer git,
# they would make the first commit land in the outer repository.
_LOCAL = re.compile(
    "GIT_(ALTERNATE_OBJECT_DIRECTORIES|ATTR_SOURCE|CEILING_DIRECTORIES|COMMON_DIR|CONFIG|CONFIG_COUNT"
    "|CONFIG_PARAMETERS|DEFAULT_HASH|DIR|GLOB_PATHSPECS|GRAFT_FILE|ICASE_PATHSPECS"
    "|IMPLICIT_WORK_TREE|INDEX_FILE|LITERAL_PATHSPECS|NAMESPACE|NOGLOB_PATHSPECS"
    "|NO_REPLACE_OBJECTS|OBJECT_DIRECTORY|PREFIX|QUARANTINE_PATH|REPLACE_REF_BASE|SHALLOW_FILE"
    "|TEMPLATE_DIR|WORK_TREE)"
)
# Filters and monitors are for the user's other repositories; a name made up from the machine's is
# worse than a neutral one.
_SETTINGS = {
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.fsync": "none",  # for the reason that disk.py gives
    "fastimport.unpackLimit": "1",
    "pack.compression": "1",
    "user.useConfigOnly": "true",
}
_NEUTRAL = "greenlane <greenlane@localhost>"
_SECONDS = 120


class GitError(Exception):
    """git is missing, too old, or refused; the text is the line that says why."""


def import_commit(folder: Path, tree: "Tree", message: str) -> str:
    """Make `folder` a repository on the branch main with `tree` committed; returns the commit's id.

    The files themselves need not be there yet; when they are, `fill_index` ends the work. The
    user's name and address are used when git knows them, otherwise a neutral author. Raises
    GitError.

    One `git fast-import` takes the tree from memory into one pack: a third of the time of `git
    add` and `git commit`, which write each object to a file of its own. It runs no hook and no
    filter and signs nothing, so the commit holds the very bytes that were rendered.
    """
    _git(folder, "init", "--quiet", "--initial-branch=main", "--template=")
    stream = _commit_stream(tree, person(folder, "AUTHOR"), person(folder, "COMMITTER"), message)
    _git(folder, "fast-import", "--quiet", "--done", "--depth=0", stdin=stream)
    return _git(folder, "rev-parse", "HEAD").strip()


def fill_index(folder: Path) -> None:
    """Let git know the files of `folder` as those of its commit. Raises GitError."""
    _git(folder, "reset", "--quiet")


def person(folder: Path, role: str) -> str:
    """`Name <address> seconds zone`, as git would write it into a commit now.

    `role` is AUTHOR or COMMITTER. Where git knows nobody, it is a neutral name.
    """
    try:
        return _git(folder, "var", f"GIT_{role}_IDENT").strip()
    except GitError:
        return f"{_NEUTRAL} {int(time.time())} +0000"


def _commit_stream(tree: "Tree", author: str, committer: str, message: str) -> bytes:
    from greenlane.record import git_mode

    text = message.encode()
    lines = [
        b"commit refs/heads/main",
        b"author " + author.encode(),
        b"committer " + committer.encode(),
    ]
    lines += [b"data %d" % len(text), text]
    for path, file in tree.items():
        mode = git_mode(file).encode()
        lines += [b"M %s inline %s" % (mode, _name(path)), b"data %d" % len(file.content)]
        lines.append(file.content)
    return b"\n".join([*lines, b"done", b""])


def _name(path: str) -> bytes:
    """A path as fast-import reads it: one that starts with a quote is taken for a quoted one."""
    name = path.encode()
    return b'"' + name.replace(b'"', b'\\"') + b'"' if path.startswith('"') else name


def outer_work_tree(dest: Path) -> Path | None:
    """The git work tree that `dest` would be part of; None when there is none or it ignores it."""
    for folder in dest.absolute().parents:
        if (folder / ".git").exists():
            return None if _is_ignored(folder, dest) else folder
    return None


def _is_ignored(work_tree: Path, dest: Path) -> bool:
    try:
        _git(work_tree, "check-ignore", "--quiet", f"{dest.absolute()}/")
    except GitError:
        return False
    return True


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    return run_git(folder, *arguments, stdin=stdin, settings=_SETTINGS).decode(errors="replace")


def run_git(
    folder: Path,
    *arguments: str,
    stdin: bytes = b"",
    settings: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    accepted: Sequence[int] = (0,),
) -> bytes:
    """What git prints when it is run in `folder`; `settings` win over the user's own.

    Raises GitError when it is missing or ends with a status that is not `accepted`.
    """
    try:
        done = subprocess.run(
            git_command(*arguments, settings=settings),
            cwd=folder,
            env=git_environment(env),
            input=stdin,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise GitError(f"git {arguments[0]} took more than {_SECONDS} s") from None
    if done.returncode not in accepted:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        # The first that is fatal: consequences and advice follow it.
        last = lines[-1] if lines else f"git {arguments[0]} ended with {done.returncode}"
        raise GitError(next((line for line in lines if line.startswith("fatal: ")), last))
    return done.stdout


def git_command(*arguments: str, settings: Mapping[str, str] | None = None) -> list[str]:
    """The command line of git with these settings."""
    options = [word for key, value in (settings or {}).items() for word in ("-c", f"{key}={value}")]
    return ["git", *options, *arguments]


def git_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what ties git to another repository, plus `env`."""
    kept = {key: value for key, value in os.environ.items() if not _LOCAL.fullmatch(key)}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(env or {})}


def installed_version() -> tuple[int, ...]:
    """The version of git, such as (2, 39, 5)."""
    found = re.search(rb"[0-9]+(\.[0-9]+)+", run_git(Path("/"), "version"))
    return tuple(int(part) for part in found[0].split(b".")) if found else ()
