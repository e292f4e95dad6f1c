"""A project inside a git repository, as its last commit has it."""

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from greenlane.errors import GreenlaneError
from greenlane.git import GitError, git_command, git_environment, installed_version, run_git

NEEDED = (2, 38)
"""The first git with `merge-tree --write-tree`."""

# The user's own settings decide on line ends and filters; hooks and housekeeping are left out.
SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.safecrlf": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A path in a tree of git: mode as git writes it (`100644`) and the id of the object."""

    mode: str
    id: str


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a project lies and what its last commit holds.

    `prefix` is the project's folder inside the work tree: empty, or ending with `/`. `tree` is the
    id of the project's tree, `root_tree` of the whole repository's; `entries` are its files,
    relative to the project.
    """

    work_tree: Path
    prefix: str
    git_dir: Path
    objects: Path
    index: Path
    object_format: str
    head: str
    root_tree: str
    tree: str
    entries: Mapping[str, Entry]

    @property
    def folder(self) -> Path:
        return self.work_tree / self.prefix

    def git(
        self,
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        accepted: Sequence[int] = (0,),
    ) -> bytes:
        """Run git at the top of the work tree, with the user's settings but no hooks."""
        return run_git(
            self.work_tree, *arguments, stdin=stdin, settings=SETTINGS, env=env, accepted=accepted
        )

    def blob_id(self, content: bytes) -> str:
        """The id that this repository gives to a file's content."""
        return object_id(content, self.object_format)


def object_id(content: bytes, object_format: str = "sha1") -> str:
    """The id that git gives to a file's content, in repositories of this format."""
    digest = hashlib.new(object_format, b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


_ASKED = (
    *("--show-toplevel", "--git-dir", "--git-path", "objects", "--git-path", "index"),
    *("--show-prefix", "--show-object-format"),
)
_ANSWERS = 9


def open_repository(folder: Path, at: str = "HEAD") -> Repository:
    """The repository that `folder`, a project, is in, as the commit `at` has it.

    Raises GreenlaneError when there is none, nothing is committed, or git is missing or too old.
    """
    with explained():
        try:
            commit = (f"{at}^{{commit}}", f"{at}^{{tree}}", f"{at}:./")
            told = run_git(folder, "rev-parse", "--path-format=absolute", *_ASKED, *commit)
        except GitError as error:
            raise _unusable(folder, str(error)) from None
        lines = os.fsdecode(told).removesuffix("\n").split("\n")
        if len(lines) != _ANSWERS:
            _check_version()
            raise GreenlaneError(
                f"git does not say where {folder} is.", "Is there a line end in its path?"
            )
        top, git_dir, objects, index, prefix, object_format, head, root_tree, tree = lines
        entries = list_tree(Path(top), tree)
    return Repository(
        *(Path(top), prefix, Path(git_dir), Path(objects), Path(index)),
        *(object_format, head, root_tree, tree, entries),
    )


def _unusable(folder: Path, said: str) -> GreenlaneError:
    _check_version()
    try:
        run_git(folder, "rev-parse", "--show-toplevel")
    except GitError as error:
        if "dubious ownership" in str(error) or "safe.directory" in str(error):
            return GreenlaneError(
                f"{folder} belongs to somebody else, so git does not work there.",
                f"If you trust it: `git config --global --add safe.directory {folder}`.",
            )
        return GreenlaneError(
            f"{folder} is not in a git repository.",
            "Updates need one: `git init && git add -A && git commit -m 'First commit'`.",
        )
    try:
        run_git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    except GitError:
        return GreenlaneError(
            f"Nothing is committed in {folder} yet.",
            "Commit it first: `git add -A && git commit -m 'First commit'`.",
        )
    if said.endswith("not in 'HEAD'") or "does not exist" in said or "exists on disk" in said:
        return GreenlaneError(f"{folder} is not committed yet.", f"`git add {folder}` and commit.")
    return GreenlaneError(f"git cannot read {folder}: {said}.", "`git fsck` may tell more.")


@contextmanager
def explained() -> Iterator[None]:
    """Turn a failure of git into an error for people; a git that is too old is named as such."""
    try:
        yield
    except GitError as error:
        _check_version()
        text = str(error)
        if "No space left" in text:
            hint = "Free some space and run the command again."
        else:
            hint = "Nothing was changed. `git status` and `git fsck` may tell more."
        raise GreenlaneError(f"git failed: {text}", hint) from error


def _check_version() -> None:
    try:
        version = installed_version()
    except GitError as error:
        raise GreenlaneError(
            f"{str(error).capitalize()}.", "Updates are merges by git: install git 2.38 or newer."
        ) from None
    if version < NEEDED:
        raise GreenlaneError(
            f"git {'.'.join(map(str, version))} is too old: updates need 2.38 or newer.",
            "Install a newer git.",
        )


def list_tree(folder: Path, tree: str) -> dict[str, Entry]:
    """Path -> entry of every file below a tree, in git's order."""
    listed = run_git(folder, "ls-tree", "-r", "-z", "--full-tree", tree)
    entries = {}
    for line in listed.split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, _, blob = head.decode().split(" ")
        entries[os.fsdecode(path)] = Entry(mode, blob)
    return entries


class Objects:
    """Reads objects by name through one git process; use it as a context."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            git_command("cat-file", "--batch"),
            cwd=folder,
            env=git_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "Objects":
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe(self._process.stdin).close()
        self._pipe(self._process.stdout).close()
        self._process.wait()

    def read(self, name: str) -> bytes | None:
        """The content of the object; None when there is no such object."""
        if "\n" in name:
            return None
        asked, answers = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
        try:
            asked.write(os.fsencode(name) + b"\n")
            asked.flush()
            head = answers.readline().split()
            if len(head) < 3 or head[-1] in {b"missing", b"ambiguous"}:
                if not head:
                    raise GitError("git cat-file ended early")
                return None
            content = answers.read(int(head[-1]))
            answers.read(1)
        except (BrokenPipeError, ValueError):
            raise GitError("git cat-file ended early") from None
        return content

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None  # noqa: S101 - both were asked for
        return pipe
