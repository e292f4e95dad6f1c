"""Taking in what a template wrote: plain files and links inside its folder, nothing else."""

import os
import stat
from pathlib import Path

from greenlane.errors import GreenlaneError
from greenlane.paths import path_danger
from greenlane.tree import EXECUTABLE, REGULAR, File, Link, Tree

MOST_FILES = 20_000
MOST_BYTES = 256 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def collected(folder: Path, *, trusted: bool) -> Tree:
    """The files below `folder`. Raises GreenlaneError for what must not be in a project.

    Trusted code may make a repository there, which is left out, and install as much as it likes,
    with links to the interpreter.
    """
    files: dict[str, File | Link] = {}
    root = os.path.realpath(folder)
    try:
        descriptor = os.open(folder, _FOLDER)
    except OSError as error:
        raise GreenlaneError(f"The template wrote nothing: {error.strerror}.", "") from None
    _collect(descriptor, "", None if trusted else root, files, [0])
    if not files:
        raise GreenlaneError("The template wrote no files.", "Is it the right template?")
    return Tree(files, path_danger)


def folder_size(folder: Path) -> tuple[int, int]:
    """How many files there are below `folder`, and their bytes; without following links."""
    count = size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            count += 1
            try:
                size += os.lstat(f"{parent}/{name}").st_size
            except OSError:
                continue
    return count, size


def too_much(count: int, size: int) -> str:
    """Why that is more than a template may write; empty when it is not."""
    if count > MOST_FILES:
        return f"more than {MOST_FILES:,} files"
    return f"more than {MOST_BYTES >> 20} MiB" if size > MOST_BYTES else ""


def _collect(
    descriptor: int,
    prefix: str,
    root: str | None,
    files: dict[str, File | Link],
    size: list[int],
) -> None:
    """Add what is in the open folder; `root` is what links must not lead out of, if anything."""
    try:
        for name in sorted(os.listdir(descriptor)):
            path = prefix + name
            if path == ".git" and root is None:
                continue
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if problem := path_danger(path):
                    raise _refused(path, problem)
                below = os.open(name, _FOLDER, dir_fd=descriptor)
                _collect(below, f"{path}/", root, files, size)
            elif stat.S_ISLNK(status.st_mode):
                files[path] = _link(os.readlink(name, dir_fd=descriptor), path, root)
            elif stat.S_ISREG(status.st_mode):
                size[0] += status.st_size
                if root and (problem := too_much(len(files) + 1, size[0])):
                    raise GreenlaneError(f"The template writes {problem}.", "Nothing was written.")
                files[path] = _file(name, descriptor, status.st_mode)
            else:
                raise _refused(path, "is neither a file nor a folder")
    finally:
        os.close(descriptor)


def _file(name: str, inside: int, mode: int) -> File:
    with os.fdopen(os.open(name, _FILE, dir_fd=inside), "rb") as file:
        return File(file.read(), EXECUTABLE if mode & 0o100 else REGULAR)


def _link(target: str, path: str, root: str | None) -> Link:
    if root is not None:
        real = os.path.realpath(Path(root, path).parent / target)
        if target.startswith("/") or (real != root and not real.startswith(root + os.sep)):
            raise _refused(path, f"is a symbolic link to {target!r}, out of the project")
    try:
        return Link(target.encode())
    except UnicodeEncodeError:
        raise _refused(path, "is a symbolic link whose target is not UTF-8") from None


def _refused(path: str, problem: str) -> GreenlaneError:
    return GreenlaneError(
        f"The template writes {path!r}, which {problem}.",
        "Nothing was written. Tell the template's author.",
    )
