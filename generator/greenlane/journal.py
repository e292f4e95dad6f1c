"""What is being done to a project right now, on disk: read by the next command after a crash.

Everything lies in `<git dir>/greenlane/`. While the journal says `applying`, `index.before` is a
copy of the index as it was, and the files named in `changes` may be in either state. `applied`
means that all is done; the journal then serves `--abort`, during which it
says `aborting`.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from greenlane.errors import GreenlaneError
from greenlane.repository import Entry, Repository

APPLYING, APPLIED, ABORTING = "applying", "applied", "aborting"
_FORMAT = 1
_FOLDER = "greenlane"
_MARK = b"greenlane\n"
_PATIENCE = 1.0  # seconds: a child of a killed command can hold the lock a moment longer


@dataclass(frozen=True, slots=True)
class Journal:
    """One change to a project. Paths are relative to the top of the work tree.

    `changes` are path -> (before, after), `conflicts` the paths left to the user. `branch` is a
    branch made for the change and `left` what HEAD said before.
    """

    state: str
    command: str
    head: str
    tree: str
    changes: Mapping[str, tuple[Entry | None, Entry | None]]
    conflicts: tuple[str, ...]
    message: str
    branch: str = ""
    left: str = ""


class Desk:
    """The folder of the journal, for one command at a time."""

    def __init__(self, git_dir: Path) -> None:
        self.folder = git_dir / _FOLDER
        self._git_dir = git_dir

    @property
    def before(self) -> Path:
        """The index as it was."""
        return self.folder / "index.before"

    @property
    def work(self) -> Path:
        """The index that is being made; gone when it became the index."""
        return self.folder / "index.new"

    @property
    def incoming(self) -> Path:
        """New objects before they are moved to the others."""
        return self.folder / "objects"

    @property
    def file(self) -> Path:
        return self.folder / "journal.json"

    def read(self) -> Journal | None:
        """The journal; None when nothing is going on."""
        try:
            data = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _unreadable(self.file, error) from None
        return _from_data(data, self.file)

    def write(self, journal: Journal) -> None:
        """Replace the journal; it is on the disk when this returns."""
        content = json.dumps({"format": _FORMAT, **asdict(journal)}).encode()
        new = self.file.with_suffix(".new")
        write_synced(new, content)
        new.replace(self.file)
        sync_folder(self.folder)

    def clear(self) -> None:
        """Forget the change: the journal first, then what it refers to."""
        self.file.unlink(missing_ok=True)
        sync_folder(self.folder)
        self.sweep()

    def sweep(self) -> None:
        """Remove what no journal refers to any more."""
        for name in (
            "index.before",
            "index.new",
            "index.new.lock",
            "index.back",
            "journal.new",
            "index.lock",
        ):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "index.back.lock").unlink(missing_ok=True)
        shutil.rmtree(self.incoming, ignore_errors=True)

    def lock_index(self, index: Path) -> None:
        """Keep git from changing the index. What a crash left of our own locks counts as ours."""
        lock = _lock_of(index)
        mine = self.folder / "index.lock"
        mine.write_bytes(_MARK)
        try:
            # A link is there with its content or not at all, so a crash leaves no nameless lock.
            os.link(mine, lock)
        except FileExistsError:
            if not is_locked_by_us(index):
                raise GreenlaneError(
                    f"Another git command is at work here: {lock} exists.",
                    "Wait for it to end. If none is running, remove that file.",
                ) from None
        except OSError:
            with lock.open("xb") as file:  # a file system without links
                file.write(_MARK)
        finally:
            mine.unlink(missing_ok=True)

    @staticmethod
    def unlock_index(index: Path) -> None:
        if is_locked_by_us(index):
            _lock_of(index).unlink(missing_ok=True)


def is_locked_by_us(index: Path) -> bool:
    """Whether git's lock on the index is greenlane's: held now, or left by a crash."""
    try:
        return _lock_of(index).read_bytes() == _MARK
    except FileNotFoundError:
        return False


def has_journal(repository: Repository) -> bool:
    """Whether a change is under way or not committed yet; asked without a lock."""
    return Desk(repository.git_dir).file.exists()


def is_interrupted(repository: Repository) -> bool:
    """Whether a change is half-done: the work tree must be tidied up, see `rollback.recover`."""
    journal = Desk(repository.git_dir).read()
    return journal is not None and journal.state != APPLIED


@contextmanager
def desk_of(repository: Repository) -> Iterator[Desk]:
    """The project's desk, locked against other greenlane commands."""
    desk = Desk(repository.git_dir)
    try:
        desk.folder.mkdir(exist_ok=True)
        descriptor = os.open(desk.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise GreenlaneError(
            f"{desk.folder} cannot be written: {error.strerror}.", "Nothing was changed."
        ) from None
    try:
        _lock(descriptor)
        yield desk
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    import fcntl

    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            raise GreenlaneError(
                "Another greenlane command is changing this project.", "Wait for it to end."
            ) from None
        except OSError:
            pass  # a file system without locks
        return


def write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock_of(index: Path) -> Path:
    return index.with_name(index.name + ".lock")


def _from_data(data: Any, file: Path) -> Journal:
    try:
        if data.pop("format") != _FORMAT:
            raise ValueError("written by another version of greenlane")
        changes = {
            path: (_entry(before), _entry(after))
            for path, (before, after) in data.pop("changes").items()
        }
        return Journal(changes=changes, conflicts=tuple(data.pop("conflicts")), **data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(file, error) from None


def _entry(data: Any) -> Entry | None:
    return Entry(**data) if data else None


def _unreadable(file: Path, error: Exception) -> GreenlaneError:
    return GreenlaneError(
        f"{file} cannot be read: {error}.",
        "It notes an update in progress. `git status` shows the state; if all is well, remove it.",
    )
