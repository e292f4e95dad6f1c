"""Writing a tree to a new folder: killed at any instant there is either nothing or everything.

The files go into a sibling of the destination, `.<name>.greenlane-<random>`, which one rename puts
in place. The sibling is locked while its owner lives, so a later run knows a leftover and removes
it. Nothing is flushed to the disk first: a rename is atomic for every process, and after a power
cut a repository that was created seconds ago can be created again; flushing 200 files would take
longer than all the rest.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from greenlane.errors import GreenlaneError
from greenlane.tree import LINK

if TYPE_CHECKING:
    from greenlane.tree import Tree

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME_BYTES = 200

_HINTS = {
    errno.ENOSPC: "Free some space there, or choose another folder.",
    errno.EDQUOT: "Free some space there, or choose another folder.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a folder on a disk that can be written.",
    errno.EBUSY: "It is a mount point: choose a folder inside it.",
    errno.EXDEV: "It is a mount point: choose a folder inside it.",
    errno.ENOTDIR: "Choose a destination whose parents are folders.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ELOOP: "Choose a destination that is no symbolic link.",
}


def write_new(
    tree: "Tree",
    dest: Path,
    alongside: Callable[[Path], None] | None = None,
    before_rename: Callable[[Path], None] | None = None,
) -> None:
    """Write `tree` to `dest`, a missing or empty folder. See `Tree.write_new`."""
    dest = Path(os.path.abspath(dest))  # noqa: PTH100 - resolve() would follow a link at dest
    check_free(dest)
    if len(os.fsencode(dest.name)) > _NAME_BYTES:
        raise GreenlaneError(f"The name {dest.name[:40]}... is too long.", "Choose a shorter name.")
    try:
        with _parent(dest) as parent, _staging(dest, parent) as (name, folder):
            with _in_a_thread(alongside, dest.parent / name):
                _write_files(tree, folder)
            if before_rename is not None:
                before_rename(dest.parent / name)
            _like_existing(dest, parent, folder)
            os.rename(name, dest.name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError as error:
        raise _explained(error, dest) from error


@contextmanager
def _in_a_thread(function: Callable[[Path], None] | None, folder: Path) -> Iterator[None]:
    """Run `function` beside the body; both have ended when this has. What it raises is raised."""
    if function is None:
        yield
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(function, folder)
        yield
        running.result()


def check_free(dest: Path) -> None:
    """Raise GreenlaneError unless `dest` is missing or an empty folder."""
    problem = ""
    try:
        status = dest.lstat()
        if stat.S_ISLNK(status.st_mode):
            problem = "is a symbolic link"
        elif not stat.S_ISDIR(status.st_mode):
            problem = "is a file"
        elif any(dest.iterdir()):
            problem = "exists already and is not empty"
        elif dest.is_mount():
            problem = "is a mount point, which cannot be replaced as a whole"
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise GreenlaneError(
            f"{str(dest)!r} cannot be used: {getattr(error, 'strerror', None) or error}.",
            "Choose another folder.",
        ) from None
    if problem:
        raise GreenlaneError(
            f"{dest} {problem}.", "Choose a folder that does not exist yet, or an empty one."
        )


@contextmanager
def _parent(dest: Path) -> Iterator[int]:
    """A descriptor of the destination's parent, created if it is missing.

    Parents that were created go again when nothing came of it.
    """
    missing = [folder for folder in (dest.parent, *dest.parent.parents) if not folder.exists()]
    made: list[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            made.append(folder)
        descriptor = os.open(dest.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except BaseException:
        for folder in reversed(made):
            try:
                folder.rmdir()
            except OSError:
                break  # somebody uses it by now
        raise


@contextmanager
def _staging(dest: Path, parent: int) -> Iterator[tuple[str, int]]:
    """Name and descriptor of a new locked folder beside the destination; removed on failure."""
    _remove_leftovers(dest.name, parent)
    name, descriptor = _make_staging(dest.name, parent)
    try:
        yield name, descriptor
    except BaseException:
        os.fchmod(descriptor, 0o700)  # it may have the mode of the folder that it was to replace
        _remove(name, parent)
        raise
    finally:
        os.close(descriptor)


def _make_staging(dest_name: str, parent: int) -> tuple[str, int]:
    while True:
        name = f".{dest_name}.greenlane-{secrets.token_hex(6)}"
        try:
            # The umask decides what others may read, as for any folder; it is never writable.
            os.mkdir(name, 0o755, dir_fd=parent)
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        except (FileExistsError, FileNotFoundError):
            continue  # taken, or removed as a leftover before it could be locked
        if _lock(descriptor) is not False and _same(name, parent, descriptor):
            return name, descriptor
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Whether this process holds the lock now; None where the file system has none."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _same(name: str, parent: int, descriptor: int) -> bool:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _remove_leftovers(dest_name: str, parent: int) -> None:
    """Remove what killed runs left for the same destination: ours, and no longer locked."""
    pattern = re.compile(re.escape(f".{dest_name}.greenlane-") + "[0-9a-f]{12}")
    for name in os.listdir(parent):
        if not pattern.fullmatch(name):
            continue
        try:
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        except OSError:
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid() and _lock(descriptor):
                _remove(name, parent)
        finally:
            os.close(descriptor)


def _remove(name: str, parent: int) -> None:
    import shutil

    # By descriptor: never follows a link. What cannot be removed is left; it is in nobody's way.
    shutil.rmtree(name, ignore_errors=True, dir_fd=parent)


def _write_files(tree: "Tree", root: int) -> None:
    """Create folders and files below the descriptor `root`; nothing may exist there yet.

    The paths come sorted, so the descriptors of the folders on the way to the present file are all
    that is open.
    """
    open_folders: list[tuple[str, int]] = []
    try:
        for path, file in tree.items():
            *parents, name = path.split("/")
            depth = 0
            while depth < min(len(parents), len(open_folders)):
                if open_folders[depth][0] != parents[depth]:
                    break
                depth += 1
            while len(open_folders) > depth:
                os.close(open_folders.pop()[1])
            for parent in parents[depth:]:
                above = open_folders[-1][1] if open_folders else root
                open_folders.append((parent, _make_folder(parent, above)))
            inside = open_folders[-1][1] if parents else root
            if file.mode == LINK:
                os.symlink(file.content, os.fsencode(name), dir_fd=inside)
            else:
                _write_file(name, file.content, file.mode, inside)
    finally:
        for _, descriptor in open_folders:
            os.close(descriptor)


def _make_folder(name: str, inside: int) -> int:
    # Paths below one folder are neighbours when sorted, so each folder is made once; one that
    # exists, or a link, was planted by somebody else.
    os.mkdir(name, 0o755, dir_fd=inside)
    return os.open(name, _FOLDER, dir_fd=inside)


def _write_file(name: str, content: bytes, mode: int, inside: int) -> None:
    descriptor = os.open(name, _NEW_FILE, mode, dir_fd=inside)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _like_existing(dest: Path, parent: int, folder: int) -> None:
    """Give the new folder the mode of the empty one that it replaces."""
    try:
        status = os.stat(dest.name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(status.st_mode):
        os.fchmod(folder, stat.S_IMODE(status.st_mode))


def _explained(error: OSError, dest: Path) -> GreenlaneError:
    if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
        return GreenlaneError(
            f"{dest} was filled by somebody else in the meantime.", "Choose another folder."
        )
    hint = _HINTS.get(error.errno or 0, "Choose another folder.")
    return GreenlaneError(f"{dest} could not be written: {error.strerror}.", hint)
