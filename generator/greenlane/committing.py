"""A merge without conflicts as a commit on a branch: work tree, index and HEAD stay as they are.

Order: objects (unreachable, so harmless), then the branch, by one change of a reference. Killed at
any instant, the branch is as before or as after.
"""

import shutil

from greenlane.apply import bring_objects, check_space
from greenlane.errors import GreenlaneError
from greenlane.git import person
from greenlane.journal import Desk
from greenlane.merge import Merge
from greenlane.repository import Repository, explained
from greenlane.scratch import Scratch


def commit_to_branch(
    repository: Repository,
    scratch: Scratch,
    merge: Merge,
    desk: Desk,
    *,
    branch: str,
    message: str,
    replacing: str = "",
) -> str:
    """Commit the merge to `branch` and return the commit's id.

    Its parent is the commit that was merged. The branch must be at `replacing`; where that is
    empty, it must not exist. The identity is git's own, or a neutral one; no hook runs.
    """
    if merge.stages:
        raise GreenlaneError("There are conflicts, so there is nothing to commit.", "Resolve them.")
    if desk.read() is not None:
        raise GreenlaneError(
            "A change to this project is not committed yet.",
            "Commit it, or `greenlane update --abort`.",
        )
    check_space(repository, merge)
    desk.sweep()
    with explained():
        try:
            bring_objects(repository, scratch, merge, desk)
        finally:
            shutil.rmtree(desk.incoming, ignore_errors=True)
        commit = _write_commit(repository, merge.tree, message)
        repository.git(
            *("update-ref", "-m", "greenlane", f"refs/heads/{branch}", commit, replacing)
        )
    return commit


def _write_commit(repository: Repository, tree: str, message: str) -> str:
    lines = (
        f"tree {tree}",
        f"parent {repository.head}",
        f"author {person(repository.work_tree, 'AUTHOR')}",
        f"committer {person(repository.work_tree, 'COMMITTER')}",
        "",
        message.strip(),
    )
    content = "\n".join(lines).encode() + b"\n"
    told = repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=content)
    return told.decode().strip()
