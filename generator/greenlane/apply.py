"""Bringing a merge into the work tree and the index: all of it or nothing, killed at any instant.

Order: objects (unreachable, so harmless) - journal - files - index, by one rename. git only ever
writes to a copy of the index, and holds no lock that a crash would leave behind.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from greenlane.errors import GreenlaneError
from greenlane.git import GitError
from greenlane.journal import APPLIED, APPLYING, Desk, Journal, write_synced
from greenlane.merge import Merge
from greenlane.repository import Repository, explained
from greenlane.rollback import roll_back
from greenlane.scratch import Scratch, Stage

_SHOWN = 10


def check_free(repository: Repository, merge: Merge) -> None:
    """Raise GreenlaneError when files of the user are in the way of the merge.

    Looks at a copy of the index, so that nothing at all is written to the project.
    """
    import tempfile

    _check_no_operation(repository)
    with tempfile.TemporaryDirectory(prefix="greenlane-index-") as folder, explained():
        copy = Path(folder, "index")
        _copy_index(repository.index, copy)
        _check_clean(repository, merge, copy)


def apply(
    repository: Repository,
    scratch: Scratch,
    merge: Merge,
    desk: Desk,
    *,
    command: str,
    message: str,
    branch: str = "",
) -> None:
    """Write the merge to the project. On any failure the project is as before.

    `command` names the change in later messages, `message` is offered for the commit. With
    `branch`, a new branch of that name is made and checked out.
    """
    _check_no_operation(repository)
    check_space(repository, merge)
    desk.sweep()
    with explained():
        try:
            bring_objects(repository, scratch, merge, desk)
        finally:
            shutil.rmtree(desk.incoming, ignore_errors=True)
        journal = Journal(
            state=APPLYING,
            command=command,
            head=repository.head,
            tree=merge.tree,
            changes=merge.changes,
            conflicts=tuple(sorted({stage.path for stage in merge.stages})),
            message=message,
            branch=branch,
            left=(repository.git_dir / "HEAD").read_text().strip() if branch else "",
        )
        desk.lock_index(repository.index)
        try:
            _begin(repository, merge, desk, journal)
            try:
                _write(repository, merge, desk, journal)
            except BaseException as error:
                roll_back(repository, desk, journal)
                raise _no_space(error) if isinstance(error, OSError) else error from None
        finally:
            desk.unlock_index(repository.index)


def _begin(repository: Repository, merge: Merge, desk: Desk, journal: Journal) -> None:
    """Copies, checks and the journal: nothing of it is visible in the project."""
    try:
        _copy_index(repository.index, desk.before, synced=True)
        _copy_index(repository.index, desk.work)
        _check_clean(repository, merge, desk.work)
        desk.write(journal)
    except BaseException as error:
        desk.clear()
        raise _no_space(error) if isinstance(error, OSError) else error from None


def _write(repository: Repository, merge: Merge, desk: Desk, journal: Journal) -> None:
    env = {"GIT_INDEX_FILE": str(desk.work)}
    if journal.branch:
        _switch(repository, journal.branch)
    repository.git("read-tree", "-m", "-u", repository.head, merge.tree, env=env)
    if merge.stages:
        lines = _index_lines(merge.stages)
        repository.git("update-index", "-z", "--index-info", stdin=lines, env=env)
    write_synced(repository.git_dir / "MERGE_MSG", journal.message.encode())
    desk.work.replace(repository.index)
    desk.write(replace(journal, state=APPLIED))


def _switch(repository: Repository, branch: str) -> None:
    repository.git("update-ref", f"refs/heads/{branch}", repository.head, "")
    repository.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")


def _index_lines(stages: Sequence[Stage]) -> bytes:
    """Input of `update-index --index-info`: the plain entry goes, the stages come."""
    null = "0" * len(stages[0].id)
    gone = [f"0 {null}\t{path}" for path in {stage.path: None for stage in stages}]
    lines = [f"{stage.mode} {stage.id} {stage.number}\t{stage.path}" for stage in stages]
    return b"".join(os.fsencode(line) + b"\0" for line in gone + lines)


def _copy_index(index: Path, target: Path, *, synced: bool = False) -> None:
    try:
        content = index.read_bytes()
    except FileNotFoundError:
        raise GreenlaneError(
            "git's index is missing, so it looks as if every file were deleted.",
            "`git reset` makes a new one.",
        ) from None
    if synced:
        write_synced(target, content)
    else:
        target.write_bytes(content)


def bring_objects(repository: Repository, scratch: Scratch, merge: Merge, desk: Desk) -> None:
    """Pack what the project lacks, and move the pack in as git does when it receives one."""
    wanted = [merge.tree, *{stage.id for stage in merge.stages}, f"^{repository.root_tree}"]
    made = desk.incoming / "pack"
    made.mkdir(parents=True)
    name = scratch.git(
        *("pack-objects", "--revs", "-q", "--delta-base-offset", str(made / "pack")),
        stdin="".join(f"{name}\n" for name in wanted).encode(),
        env={
            "GIT_OBJECT_DIRECTORY": str(desk.incoming),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": scratch.quoted_objects,
        },
    ).decode()
    goal = repository.objects / "pack"
    goal.mkdir(exist_ok=True)
    # The index last: a pack counts as there when it has one.
    for suffix in (".pack", ".rev", ".idx"):
        file = made / f"pack-{name.strip()}{suffix}"
        if file.exists():
            file.replace(goal / file.name)


# -- what is in the way ---------------------------------------------------------------------------


def _check_no_operation(repository: Repository) -> None:
    for name, what in (
        ("MERGE_HEAD", "A merge"),
        ("CHERRY_PICK_HEAD", "A cherry-pick"),
        ("REVERT_HEAD", "A revert"),
        ("rebase-merge", "A rebase"),
        ("rebase-apply", "A rebase"),
    ):
        if (repository.git_dir / name).exists():
            raise GreenlaneError(
                f"{what} is in progress in this repository.", "Finish it or abort it first."
            )


def _check_clean(repository: Repository, merge: Merge, index: Path) -> None:
    """Refuse uncommitted changes and untracked files where the merge would write."""
    prefix = repository.prefix.removesuffix("/") or "."
    told = repository.git(
        *("status", "--porcelain=v2", "-z", "--untracked-files=no", "--no-renames"),
        *("--ignore-submodules=all", "--", prefix),
        env={"GIT_INDEX_FILE": str(index), "GIT_LITERAL_PATHSPECS": "1"},
    )
    changed, unmerged = _parse_status(told)
    if unmerged:
        raise _in_the_way(unmerged, "unresolved", "Resolve and commit them first.")
    if blocked := sorted(changed & merge.changes.keys()):
        raise _in_the_way(
            blocked, "changed and not committed", "Commit them, or put them aside: `git stash`."
        )
    if blocked := _untracked(repository, merge.changes):
        raise _in_the_way(blocked, "not tracked by git", "Move them away, or commit them.")


def _parse_status(told: bytes) -> tuple[set[str], list[str]]:
    changed: set[str] = set()
    unmerged = []
    for line in told.split(b"\0")[:-1]:
        match line[:1]:
            case b"1":
                changed.add(os.fsdecode(line.split(b" ", 8)[8]))
            case b"u":
                unmerged.append(os.fsdecode(line.split(b" ", 10)[10]))
    return changed, unmerged


def _untracked(repository: Repository, changes: Mapping[str, tuple]) -> list[str]:
    """Files that are no part of the last commit at paths that the merge needs."""
    gone = {path for path, (_, after) in changes.items() if after is None}
    found: dict[str, None] = {}
    for path, (before, after) in changes.items():
        if before is not None or after is None:
            continue
        folder = repository.work_tree
        for part in path.split("/")[:-1]:
            folder /= part
            inside = folder.relative_to(repository.work_tree).as_posix()
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                if inside not in gone:
                    found[inside] = None
                break
        else:
            for name in _occupants(repository.work_tree / path):
                inside = name.relative_to(repository.work_tree).as_posix()
                if inside not in gone:
                    found[inside] = None
    return list(found)


def _occupants(path: Path) -> Iterable[Path]:
    if path.is_symlink() or path.is_file() or (path.exists() and not path.is_dir()):
        yield path
    elif path.is_dir():
        yield from (name for name in path.rglob("*") if name.is_symlink() or not name.is_dir())


def _in_the_way(paths: Sequence[str], what: str, hint: str) -> GreenlaneError:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    are = "file is" if len(paths) == 1 else "files are"
    return GreenlaneError(
        f"{len(paths)} {are} in the way, {what}: {', '.join(paths[:_SHOWN])}{more}.",
        f"{hint} Nothing was changed.",
    )


def check_space(repository: Repository, merge: Merge) -> None:
    """An early word about a full disk; running out later is undone as well."""
    index = repository.index.stat().st_size if repository.index.exists() else 0
    free = shutil.disk_usage(repository.git_dir).free
    if free < 3 * index + 4096 * len(merge.changes):
        raise _no_space(OSError())


def _no_space(error: OSError) -> GreenlaneError | GitError:
    if isinstance(error, GreenlaneError | GitError):
        return error
    return GreenlaneError(
        f"The project cannot be written: {error.strerror or 'the disk is full'}.",
        "Free some space and run the command again. Nothing was changed.",
    )
