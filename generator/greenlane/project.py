"""Creating a repository: render, record, write, commit."""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from greenlane.answers import Answers
from greenlane.kit import Kit

if TYPE_CHECKING:
    from greenlane.tree import Tree


FIRST_COMMIT = "git init -b main && git add -A && git commit -m 'First commit'"


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

    check_free(Path(os.path.abspath(dest)))  # noqa: PTH100 - resolve() would follow a link at dest
    tree = with_record(render(kit, answers), kit, answers)
    message = f"Create the project with {kit.name} {kit.edition}"
    return write_repository(tree, dest, message, commit=commit)


def write_repository(
    tree: "Tree", dest: Path, message: str, *, tracked: "Tree | None" = None, commit: bool = True
) -> Created:
    """Write `tree` into the new folder `dest` as a repository with one commit.

    Only `tracked` of it is committed, if that is given. All or nothing, and `skipped`, as `create`
    says.
    """
    dest = Path(os.path.abspath(dest))  # noqa: PTH100 - resolve() would follow a link at dest
    replaces_cwd = dest == Path.cwd()
    first = _FirstCommit(tracked or tree, dest, message)
    if commit:
        tree.write_new(dest, alongside=first.import_tree, before_rename=first.fill_index)
    else:
        tree.write_new(dest)
    if replaces_cwd:
        first.skipped.append(
            "The folder that you are in was replaced: run `cd .` to see the files."
        )
    return Created(dest, len(tree), first.commit_id, first.skipped)


@dataclass(slots=True)
class _FirstCommit:
    """The first commit: made while the files are written, its index filled when they are there.

    What git cannot do becomes an instruction in `skipped`, and no half-made .git is left.
    """

    tree: "Tree"
    dest: Path
    message: str
    commit_id: str | None = None
    skipped: list[str] = field(default_factory=list)

    def import_tree(self, folder: Path) -> None:
        from greenlane.git import GitError, import_commit, outer_work_tree

        if outer := outer_work_tree(self.dest):
            self.skipped.append(
                f"{self.dest} is part of the repository {outer}, so it got none of its own. Commit "
                f"it there: `git -C {shlex.quote(str(outer))} add {shlex.quote(str(self.dest))}`."
            )
            return
        try:
            self.commit_id = import_commit(folder, self.tree, self.message)
        except GitError as error:
            self._give_up(folder, error)

    def fill_index(self, folder: Path) -> None:
        from greenlane.git import GitError, fill_index

        if self.commit_id is None:
            return
        try:
            fill_index(folder)
        except GitError as error:
            self._give_up(folder, error)

    def _give_up(self, folder: Path, reason: Exception) -> None:
        import shutil

        shutil.rmtree(folder / ".git", ignore_errors=True)
        self.commit_id = None
        self.skipped.append(
            f"No first commit was made ({reason}). Make it: "
            f"`cd {shlex.quote(str(self.dest))} && {FIRST_COMMIT}`."
        )
