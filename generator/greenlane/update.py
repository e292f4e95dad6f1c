"""The recipes that change an existing project: update, add, remove, set, restore, adopt.

Each is one three-way merge with other answers, and gives a Plan: look at it, then `apply` it, or do
not. Nothing is written before that, except that a change cut short by a crash is tidied up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from greenlane.answers import Answers
from greenlane.baseline import find_base
from greenlane.errors import GreenlaneError, did_you_mean
from greenlane.evolution import Carried
from greenlane.journal import Journal, desk_of, has_journal, is_locked_by_us
from greenlane.kit import Kit, News, edition_of
from greenlane.location import FOLDER, PROJECT
from greenlane.merge import Merge, merge
from greenlane.reading import Record, read_record
from greenlane.record import with_record
from greenlane.repository import Objects, Repository, explained, open_repository
from greenlane.scratch import Scratch
from greenlane.sources.protocol import Change, Files, Source
from greenlane.tree import File, Link


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe would do. `apply` does it; `recovered` says what was tidied up before.

    `old_version` is empty for a repository that is adopted. `new_questions` were answered with
    their defaults, `dropped` answers are no longer asked for.
    """

    command: str
    message: str
    repository: Repository
    merge: Merge
    old_version: str
    new_version: str
    news: tuple[News, ...] = ()
    notes: tuple[str, ...] = ()
    evolved: Carried | None = None
    recovered: str = ""
    _scratch: Scratch | None = None

    @property
    def changes_anything(self) -> bool:
        return bool(self.merge.changes or self.merge.stages)

    def patch(self) -> str:
        """The difference between the last commit and the result, as git prints it.

        Without the record, which is a copy of all the rest.
        """
        assert self._scratch is not None  # noqa: S101 - made so by the recipes
        folder = f":(exclude,top,literal){self.repository.prefix}{FOLDER}"
        told = self._scratch.git(
            *("diff-tree", "-p", "-M", "--no-color", self.repository.root_tree, self.merge.tree),
            *("--", ".", folder),
        )
        return told.decode(errors="replace")

    def check(self) -> None:
        """Raise GreenlaneError when files of the user are in the way."""
        from greenlane.apply import check_free

        check_free(self.repository, self.merge)

    def apply(self, branch: str = "") -> None:
        """Bring the result into work tree and index, ready to be committed; all or nothing."""
        from greenlane.apply import apply

        assert self._scratch is not None  # noqa: S101
        if branch:
            _check_branch(self.repository, branch)
        if not self.changes_anything:
            return
        with desk_of(self.repository) as desk:
            apply(
                self.repository,
                self._scratch,
                self.merge,
                desk,
                command=self.command,
                message=_with_conflicts(self.message, self.merge),
                branch=branch,
            )

    def commit(self, branch: str, message: str, *, replacing: str = "") -> str:
        """Commit the result to `branch`; work tree, index and HEAD stay as they are.

        Returns the id of the commit. With `replacing`, the branch is at that commit now and
        loses it; otherwise it is new. Raises GreenlaneError where there are conflicts.
        """
        from greenlane.committing import commit_to_branch

        assert self._scratch is not None  # noqa: S101
        check_branch_name(self.repository, branch)
        with desk_of(self.repository) as desk:
            return commit_to_branch(
                *(self.repository, self._scratch, self.merge, desk),
                branch=branch,
                message=message,
                replacing=replacing,
            )

    def is_in(self, commit: str) -> bool:
        """Whether this update was brought to an end there, by whomever.

        That is so when the commit grew from the one that was merged, and its record is the new one.
        """
        assert self._scratch is not None  # noqa: S101
        record = f":{self.repository.prefix}{FOLDER}"
        grown = self.repository.git(
            "rev-list", "--max-count=1", self.repository.head, f"^{commit}", "--"
        )
        theirs = self._scratch.git("rev-parse", self.merge.tree + record)
        return not grown and theirs == self.repository.git(
            "rev-parse", "--quiet", "--verify", commit + record, accepted=(0, 1)
        )


@contextmanager
def update(
    folder: Path, source: Source | Kit, *, sets: Iterable[str] = (), at: str = "HEAD"
) -> Iterator[Plan]:
    """Bring the project to the source's version.

    One made from a commit `at` can only be committed.
    """
    with _evolution(folder, source, "update", Change(sets=tuple(sets)), at=at) as plan:
        yield plan


@contextmanager
def add(
    folder: Path, source: Source | Kit, names: Sequence[str], *, sets: Iterable[str] = ()
) -> Iterator[Plan]:
    """Add modules, and those that they require."""
    change = Change(sets=tuple(sets), add=tuple(names))
    with _evolution(folder, source, "add", change, f"Add {', '.join(names)}") as plan:
        yield plan


@contextmanager
def remove(folder: Path, source: Source | Kit, names: Sequence[str]) -> Iterator[Plan]:
    """Take modules out; files of theirs that the project changed become conflicts."""
    change = Change(remove=tuple(names))
    with _evolution(folder, source, "remove", change, f"Remove {', '.join(names)}") as plan:
        yield plan


@contextmanager
def set_answers(folder: Path, source: Source | Kit, sets: Sequence[str]) -> Iterator[Plan]:
    """Change answers: `key=value` texts."""
    change = Change(sets=tuple(sets))
    with _evolution(folder, source, "set", change, f"Set {', '.join(sets)}") as plan:
        yield plan


@contextmanager
def _evolution(
    folder: Path,
    source: Source | Kit,
    command: str,
    change: Change,
    message: str = "",
    *,
    at: str = "HEAD",
) -> Iterator[Plan]:
    source = as_source(source)
    with _opened(folder, at) as (repository, objects, recovered):
        record = record_of(repository, objects)
        source.check(record)
        new = source.render(record, change)
        again = partial(source.again, record)
        base = find_base(record, repository, objects, new.files, again)
        with Scratch(repository) as scratch, explained():
            merged = merge(
                *(repository, scratch, objects, base.files, new.settled(base.files)),
                label=new.label,
                moves=new.moves,
                unknown=base.lost,
            )
            yield Plan(
                command=command,
                message=message or f"Update to {source.name} {new.version}",
                repository=repository,
                merge=merged,
                old_version=edition_of(record.releases),
                new_version=new.version,
                news=tuple(_used(list(new.news), repository, scratch, merged)),
                notes=new.notes,
                evolved=new.evolved,
                recovered=recovered,
                _scratch=scratch,
            )


@contextmanager
def restore(folder: Path, source: Source | Kit, paths: Sequence[str]) -> Iterator[Plan]:
    """Bring back files of the source that the project deleted. A folder stands for all in it."""
    source = as_source(source)
    with _opened(folder) as (repository, objects, recovered):
        record = record_of(repository, objects)
        wanted = _deleted(record, repository, paths)
        base = find_base(record, repository, objects, {}, partial(source.again, record))
        if lost := [path for path in wanted if path not in base.files]:
            raise GreenlaneError(
                f"Nobody has the content of {', '.join(lost)} any more.",
                "`greenlane update` brings the record up to date; then try again.",
            )
        kept = {path: file for path, file in base.files.items() if path not in wanted}
        with Scratch(repository) as scratch, explained():
            merged = merge(
                *(repository, scratch, objects, kept, base.files),
                label=f"{record.kit}-{record.version}",
            )
            yield Plan(
                command="restore",
                message=f"Restore {', '.join(paths)}",
                repository=repository,
                merge=merged,
                old_version=edition_of(record.releases),
                new_version=edition_of(record.releases),
                recovered=recovered,
                _scratch=scratch,
            )


@contextmanager
def adopt(folder: Path, kit: Kit, answers: Answers) -> Iterator[Plan]:
    """Put an existing repository under the kit: what is there stays as it is, the rest is added."""
    from greenlane.render import render

    def sides(repository: Repository) -> tuple[Files, Files]:
        theirs = with_record(render(kit, answers), kit, answers)
        return _as_if_edited(theirs, repository), theirs

    with adopted(folder, f"{kit.name} {kit.edition}", kit.edition, sides) as plan:
        yield plan


@contextmanager
def adopted(
    folder: Path,
    name: str,
    version: str,
    sides: Callable[[Repository], tuple[Files, Files]],
    notes: tuple[str, ...] = (),
) -> Iterator[Plan]:
    """The plan of an adoption; `sides` gives base and theirs for a project without a record."""
    with _opened(folder) as (repository, objects, recovered):
        if PROJECT in repository.entries:
            raise GreenlaneError(f"{folder} is a greenlane project already.", "Try `update`.")
        base, theirs = sides(repository)
        with Scratch(repository) as scratch, explained():
            merged = merge(
                *(repository, scratch, objects, base, theirs), label=name.replace(" ", "-")
            )
            yield Plan(
                command="adopt",
                message=f"Adopt {name}",
                repository=repository,
                merge=merged,
                old_version="",
                new_version=version,
                notes=notes,
                recovered=recovered,
                _scratch=scratch,
            )


def as_source(source: Source | Kit) -> Source:
    """A kit is a source, too."""
    if isinstance(source, Kit):
        from greenlane.sources.from_kit import KitSource

        return KitSource(source)
    return source


def abort(folder: Path) -> Journal:
    """Undo what was applied and not committed yet: tree and index as they were."""
    from greenlane.rollback import abort, recover

    repository = open_repository(folder)
    with desk_of(repository) as desk, explained():
        recover(repository, desk)
        return abort(repository, desk)


@contextmanager
def _opened(folder: Path, at: str = "HEAD") -> Iterator[tuple[Repository, Objects, str]]:
    """The project's repository with nothing half-done in it."""
    repository = open_repository(folder, at)
    recovered = ""
    if has_journal(repository) or is_locked_by_us(repository.index):
        recovered = _tidy(open_repository(folder))
        repository = open_repository(folder, at)
    with Objects(repository.work_tree) as objects, explained():
        yield repository, objects, recovered


def _tidy(repository: Repository) -> str:
    from greenlane.rollback import in_progress, recover

    with desk_of(repository) as desk, explained():
        recovered = recover(repository, desk)
        if journal := in_progress(desk):
            raise GreenlaneError(
                f"The last {journal.command} is not committed yet.",
                "Commit it (after resolving what is open), or `greenlane update --abort`.",
            )
    return recovered


def record_of(repository: Repository, objects: Objects) -> Record:
    """The record in the project's last commit."""

    def read(path: str) -> bytes | None:
        entry = repository.entries.get(path)
        return objects.read(entry.id) if entry else None

    return read_record(read)


def _deleted(record: Record, repository: Repository, paths: Sequence[str]) -> set[str]:
    wanted = set()
    for path in paths:
        path = path.removeprefix("./").removesuffix("/")
        inside = [p for p in record.files if p == path or p.startswith(f"{path}/")]
        if not inside:
            raise GreenlaneError(
                f"{path} is not a file of the kit.", did_you_mean(path, record.files)
            )
        missing = [p for p in inside if p not in repository.entries]
        if not missing:
            raise GreenlaneError(
                f"{path} is there already.",
                f"`greenlane diff {path}` shows how it differs from the kit's.",
            )
        wanted.update(missing)
    return wanted


def _as_if_edited(theirs: Files, repository: Repository) -> dict[str, File | Link]:
    """As base: the rendering of the paths that exist, so that the project's files are its edits."""
    taken = {path.casefold() for path in repository.entries}
    return {path: file for path, file in theirs.items() if path.casefold() in taken}


def _used(
    news: list[News], repository: Repository, scratch: Scratch, merged: Merge
) -> Iterator[News]:
    """The news that concern this repository: general ones, and those about what it holds."""
    asked = sorted({item.uses for item in news if item.uses})
    held: set[str] = set()
    if asked:
        patterns = [word for text in asked for word in ("-e", text)]
        told = scratch.git(
            *("grep", "-h", "-o", "-I", "-F", *patterns, merged.tree, "--"),
            *(
                f":(top,literal){repository.prefix}",
                f":(exclude,top,literal){repository.prefix}{FOLDER}",
            ),
            accepted=(0, 1),
        )
        held = {line for line in told.decode(errors="replace").splitlines() if line}
    # One match may stand for several texts: REDIS in REDIS_URL.
    yield from (x for x in news if not x.uses or any(x.uses in text for text in held))


def check_branch_name(repository: Repository, branch: str) -> None:
    """Raise GreenlaneError unless git takes it as the name of a branch."""
    from greenlane.git import GitError

    try:
        repository.git("check-ref-format", "--branch", branch)
    except GitError:
        raise GreenlaneError(f"{branch!r} is no name for a branch.", "Try kit-update.") from None


def _check_branch(repository: Repository, branch: str) -> None:
    check_branch_name(repository, branch)
    told = repository.git("for-each-ref", "--format=x", f"refs/heads/{branch}")
    if told.strip():
        raise GreenlaneError(f"The branch {branch} exists already.", "Choose another name.")


def _with_conflicts(message: str, merged: Merge) -> str:
    """The text that git offers for the commit."""
    paths = sorted({stage.path for stage in merged.stages})
    listed = "".join(f"#\t{path}\n" for path in paths)
    return f"{message}\n" + (f"\n# Conflicts:\n{listed}" if paths else "")
