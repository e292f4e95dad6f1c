"""Creating a repository: render, record, write, commit."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from greenlane.answers import Answers
from greenlane.kit import Kit

if TYPE_CHECKING:
    from greenlane.tree import Tree


@dataclass(frozen=True, slots=True)
class Created:
    """A new repository. `skipped` are the steps that are left to the user, as instructions."""

    path: Path
    files: int
    commit_id: str | None
    skipped: list[str]


def create(kit: Kit, answers: Answers, dest: Path, *, commit: bool = True) -> Created:
    """Render into the new folder `dest` and make the first commit there.

    Either everything is there at the end, or GreenlaneError is raised and nothing is. Without git,
    or inside another repository, the folder is complete all the same and `skipped` says what to do.
    """
    from greenlane.disk import check_free
    from greenlane.record import with_record
    from greenlane.render import render

    dest = Path(os.path.abspath(dest))  # noqa: PTH100 - resolve() would follow a link at dest
    check_free(dest)
    tree = with_record(render(kit, answers), kit, answers)
    replaces_cwd = dest == Path.cwd()
    skipped: list[str] = []
    commit_id: str | None = None

    def first_commit(folder: Path) -> None:
        nonlocal commit_id
        message = f"Create the project with {kit.name} {kit.version}"
        commit_id = _commit(folder, tree, dest, message, skipped)

    tree.write_new(dest, before_rename=first_commit if commit else None)
    if replaces_cwd:
        skipped.append("The folder that you are in was replaced: run `cd .` to see the files.")
    return Created(dest, len(tree), commit_id, skipped)


def _commit(folder: Path, tree: "Tree", dest: Path, message: str, skipped: list[str]) -> str | None:
    from greenlane.git import GitError, first_commit, outer_work_tree

    quoted = shlex.quote(str(dest))
    if outer := outer_work_tree(dest):
        skipped.append(
            f"{dest} is part of the repository {outer}, so it got none of its own. "
            f"Commit it there: `git -C {shlex.quote(str(outer))} add {quoted}`."
        )
        return None
    try:
        return first_commit(folder, tree, message)
    except GitError as error:
        skipped.append(
            f"No first commit was made ({error}). Make it: `cd {quoted} && git init -b main && "
            "git add -A && git commit -m 'First commit'`."
        )
        return None
