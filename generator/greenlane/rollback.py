"""Taking a change back, from the command itself, after a crash, or because the user wants it."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from greenlane.errors import GreenlaneError
from greenlane.git import GitError, run_git
from greenlane.journal import ABORTING, APPLIED, APPLYING, Desk, Journal
from greenlane.repository import SETTINGS, Entry, Objects, Repository


def recover(repository: Repository, desk: Desk) -> str:
    """Finish or undo what a killed command left. Returns a sentence about it, or nothing."""
    journal = desk.read()
    if journal is None:
        desk.unlock_index(repository.index)
        desk.sweep()
        return ""
    if journal.state == ABORTING or (journal.state == APPLYING and desk.work.exists()):
        saved = roll_back(repository, desk, journal)
        said = f"An interrupted {journal.command} was undone."
        return said + (f" Files edited since then are in {saved}." if saved else "")
    if journal.state == APPLYING:
        # The index is in place, so everything before it is, too.
        journal = replace(journal, state=APPLIED)
        desk.write(journal)
    desk.unlock_index(repository.index)
    if journal.head != repository.head or not _is_staged(repository):
        desk.clear()  # committed, or given up with `git reset`
    return ""


def _is_staged(repository: Repository) -> bool:
    told = repository.git("diff-index", "--cached", "--raw", "-z", repository.head)
    return told != b""


def in_progress(desk: Desk) -> Journal | None:
    """The change that is applied and neither committed nor aborted."""
    journal = desk.read()
    return journal if journal is not None and journal.state == APPLIED else None


def abort(repository: Repository, desk: Desk) -> Journal:
    """Undo the applied change: work tree and index as they were.

    Refuses when files outside the conflicts were edited since, for that work would be lost.
    """
    journal = in_progress(desk)
    if journal is None:
        raise GreenlaneError(
            "There is no update to abort.",
            "One that is committed is undone as any commit: `git revert`.",
        )
    if edited := _edited_since(repository, journal):
        raise GreenlaneError(
            f"Edited since the {journal.command}, so aborting would lose it: {', '.join(edited)}.",
            "Put these edits aside (`git stash push -- PATH`), then abort.",
        )
    desk.write(replace(journal, state=ABORTING))
    roll_back(repository, desk, journal, rescue=False)
    return journal


def roll_back(
    repository: Repository, desk: Desk, journal: Journal, *, rescue: bool = True
) -> Path | None:
    """Put files and index back as they were. May be interrupted and run again.

    With `rescue`, files that are neither as before nor as after are saved; returns where.
    """
    desk.lock_index(repository.index)
    saved = _rescue(repository, desk, journal) if rescue else None
    for path, (before, _) in sorted(journal.changes.items(), reverse=True):
        if before is None:
            _remove(repository.work_tree, path)
    wanted = _not_as_before(repository, journal)
    for path in wanted:
        # All go before the first comes back: on a full disk their room is needed.
        _remove(repository.work_tree, path)
    try:
        _restore(repository, desk, wanted)
        _leave_branch(repository, journal)
    except (OSError, GitError) as error:
        raise GreenlaneError(
            f"The {journal.command} cannot be undone yet: {error}.",
            "Put that right, then run `greenlane update --abort`; nothing is lost.",
        ) from None
    _remove_message(repository, journal)
    desk.unlock_index(repository.index)
    desk.clear()
    return saved


def _restore(repository: Repository, desk: Desk, paths: list[str]) -> None:
    """Write the files and put the index back, with fresh stat data if there is room for it."""
    if not desk.before.exists():
        return  # interrupted after the last step
    names = b"".join(os.fsencode(path) + b"\0" for path in paths)
    back = desk.folder / "index.back"

    def check_out(index: Path, *options: str) -> None:
        if paths:
            repository.git(
                *("checkout-index", "-f", *options, "-z", "--stdin"),
                stdin=names,
                env={"GIT_INDEX_FILE": str(index)},
            )

    try:
        (desk.folder / "index.back.lock").unlink(missing_ok=True)
        back.write_bytes(desk.before.read_bytes())
        check_out(back, "-u")
    except (OSError, GitError):
        back.unlink(missing_ok=True)
        check_out(desk.before)
        back = desk.before
    back.replace(repository.index)


def _not_as_before(repository: Repository, journal: Journal) -> list[str]:
    """The paths whose file differs from what it was; so as not to touch the others."""
    wanted = {path: before for path, (before, _) in journal.changes.items() if before is not None}
    present = _present(repository.work_tree, wanted)
    return [path for path, before in wanted.items() if present.get(path) != before]


def _present(work_tree: Path, paths: Iterable[str]) -> dict[str, Entry]:
    """The entries that git would make of the files in the work tree, where there are files."""
    present: dict[str, Entry] = {}
    regular = []
    for path in paths:
        file = work_tree / path
        if file.is_symlink():
            told = run_git(work_tree, "hash-object", "--stdin", stdin=os.fsencode(file.readlink()))
            present[path] = Entry("120000", told.decode().strip())
        elif file.is_file() and not _through_link(work_tree, path) and "\n" not in path:
            regular.append(path)
    if regular:
        names = b"".join(os.fsencode(path) + b"\n" for path in regular)
        told = run_git(work_tree, "hash-object", "--stdin-paths", stdin=names, settings=SETTINGS)
        for path, blob in zip(regular, told.decode().split(), strict=True):
            executable = (work_tree / path).stat().st_mode & 0o100
            present[path] = Entry("100755" if executable else "100644", blob)
    return present


def _through_link(work_tree: Path, path: str) -> bool:
    folder = work_tree
    for part in path.split("/")[:-1]:
        folder /= part
        if folder.is_symlink():
            return True
    return False


def _rescue(repository: Repository, desk: Desk, journal: Journal) -> Path | None:
    """Save files that somebody edited after the crash; half-written ones are ours."""
    present = _present(repository.work_tree, journal.changes)
    strange = [p for p, entry in present.items() if entry.id not in _ids(journal.changes[p])]
    if not strange:
        return None
    folder = desk.folder / f"saved-{time.strftime('%Y%m%d-%H%M%S')}"
    with Objects(repository.work_tree) as objects:
        for path in strange:
            content = (repository.work_tree / path).read_bytes()
            after = journal.changes[path][1]
            written = objects.read(after.id) if after else None
            if written is not None and written.startswith(content):
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return folder if folder.exists() else None


def _ids(change: tuple[Entry | None, Entry | None]) -> set[str]:
    return {entry.id for entry in change if entry is not None}


def _remove(work_tree: Path, path: str) -> None:
    """Remove a file and the folders that it leaves empty."""
    if _through_link(work_tree, path):
        return
    file = work_tree / path
    try:
        file.unlink()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (IsADirectoryError, PermissionError):
        if not file.is_dir():
            raise
    for folder in file.parents:
        if folder == work_tree:
            break
        try:
            folder.rmdir()
        except OSError:
            break


def _leave_branch(repository: Repository, journal: Journal) -> None:
    if not journal.branch:
        return
    head = repository.git_dir / "HEAD"
    if head.read_text().strip() == f"ref: refs/heads/{journal.branch}":
        if journal.left.startswith("ref: "):
            repository.git("symbolic-ref", "HEAD", journal.left.removeprefix("ref: "))
        else:
            repository.git("update-ref", "--no-deref", "HEAD", journal.left)
    repository.git(
        *("update-ref", "-d", f"refs/heads/{journal.branch}", journal.head), accepted=(0, 1, 128)
    )


def _remove_message(repository: Repository, journal: Journal) -> None:
    message = repository.git_dir / "MERGE_MSG"
    try:
        if message.read_text() == journal.message:
            message.unlink()
    except (FileNotFoundError, UnicodeDecodeError):
        pass


def _edited_since(repository: Repository, journal: Journal) -> list[str]:
    """Changed paths, conflicts aside, that are no longer as the change left them."""
    after = {
        path: entry for path, (_, entry) in journal.changes.items() if path not in journal.conflicts
    }
    present = _present(repository.work_tree, after)
    return sorted(path for path, entry in after.items() if _id(present, path) != _id(after, path))


def _id(entries: Mapping[str, Entry | None], path: str) -> str:
    entry = entries.get(path)
    return entry.id if entry is not None else ""
