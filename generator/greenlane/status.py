"""Where a project stands: behind the installed kit, and drifted from what was rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from greenlane import scratch as stream
from greenlane.baseline import find_base
from greenlane.errors import GreenlaneError
from greenlane.journal import desk_of, has_journal
from greenlane.kit import Kit, edition_of
from greenlane.merge import BASE, OURS
from greenlane.reading import Record
from greenlane.record import FOLDER, blob_id, git_mode
from greenlane.repository import Objects, Repository, explained, open_repository
from greenlane.scratch import Scratch
from greenlane.sides import is_record
from greenlane.sources.protocol import Change, Files, Source
from greenlane.update import as_source, record_of


@dataclass(frozen=True, slots=True)
class Drift:
    """A pristine file that is not as it was rendered: changed, mode, or deleted."""

    path: str
    kind: str
    part: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a project's last commit.

    `pending` are the files that the installed kit renders differently, path -> added, changed or
    removed; `blocked` says why that cannot be told. `in_progress` is the command that is applied
    and not committed, `unresolved` the paths it left to the user. `source` is the address of a
    template that is no kit; `volatile` are files into which it draws something anew each time.
    """

    kit: str
    version: str
    installed: str
    app: str
    modules: tuple[str, ...]
    files: int
    pending: Mapping[str, str]
    blocked: str
    drift: tuple[Drift, ...]
    news: int
    in_progress: str
    unresolved: tuple[str, ...]
    source: str = ""
    volatile: tuple[str, ...] = ()

    @property
    def behind(self) -> bool:
        return self.version != self.installed or bool(self.pending) or bool(self.blocked)

    @property
    def drifted(self) -> bool:
        return bool(self.drift)


def status(folder: Path, source: Source | Kit, *, at: str = "HEAD") -> Status:
    """Compare the project's last commit, or `at`, with its record, and that with the source."""
    source = as_source(source)
    repository = open_repository(folder, at)
    in_progress, unresolved = _in_progress(repository, folder)
    with Objects(repository.work_tree) as objects, explained():
        record = record_of(repository, objects)
        source.check(record)
        drift = _drift(record, repository, objects, source)
        pending: Mapping[str, str] = {}
        volatile: tuple[str, ...] = ()
        blocked, news, installed = "", 0, source.version or edition_of(record.releases)
        try:
            new = source.render(record, Change())
            files = new.files
            if record.origin is not None:
                again = partial(source.again, record)
                base = find_base(record, repository, objects, files, again).files
                files, volatile = new.settled(base), new.volatile(base)
            pending = _pending(record, files)
            news, installed = len(new.news), new.version
        except GreenlaneError as error:
            blocked = error.message
    return Status(
        kit=record.kit,
        version=edition_of(record.releases),
        installed=installed,
        source=record.origin.source if record.origin else "",
        volatile=volatile,
        app=record.answers.app or "",
        modules=record.answers.modules or (),
        files=len(record.files),
        pending=pending,
        blocked=blocked,
        drift=tuple(drift),
        news=news,
        in_progress=in_progress,
        unresolved=unresolved,
    )


def diff(folder: Path, source: Source | Kit, paths: Sequence[str] = ()) -> str:
    """The project's own changes to rendered files, as a patch against what was rendered.

    Of the last commit; files that the project added are not part of it.
    """
    repository = open_repository(folder)
    with Objects(repository.work_tree) as objects, Scratch(repository) as scratch, explained():
        record = record_of(repository, objects)
        again = partial(as_source(source).again, record)
        base = find_base(record, repository, objects, {}, again)
        scratch.write(_two_commits(repository, base.files))
        told = scratch.git(
            *("diff-tree", "-p", "-M", "--no-color", "--diff-filter=MDRT", BASE, OURS, "--"),
            *(f":(top,literal){path.removeprefix('./').removesuffix('/')}" for path in paths),
            f":(exclude,top,literal){FOLDER}",
        )
    return told.decode(errors="replace")


def _two_commits(repository: Repository, base: Files) -> list[bytes]:
    lines = [stream.commit(BASE)]
    lines += [stream.put(path, git_mode(file), file.content) for path, file in base.items()]
    return [*lines, stream.commit(OURS), stream.put_tree("", repository.tree)]


def _in_progress(repository: Repository, folder: Path) -> tuple[str, tuple[str, ...]]:
    if not has_journal(repository):
        return "", ()
    repository = open_repository(folder)
    from greenlane.rollback import in_progress, recover

    with desk_of(repository) as desk, explained():
        recover(repository, desk)
        journal = in_progress(desk)
        if journal is None:
            return "", ()
        told = repository.git("diff", "--name-only", "--diff-filter=U", "-z")
        return journal.command, tuple(told.decode(errors="replace").split("\0")[:-1])


def _drift(record: Record, repository: Repository, objects: Objects, source: Source) -> list[Drift]:
    pristine = _pristine(record, repository, objects, source)
    drift = []
    for path, locked in record.files.items():
        ours = repository.entries.get(path)
        if ours is None:
            drift.append(Drift(path, "deleted", locked.part))
        elif ours.id != pristine.get(path):
            drift.append(Drift(path, "changed", locked.part))
        elif ours.mode != locked.mode:
            drift.append(Drift(path, "mode", locked.part))
    return drift


def _pristine(
    record: Record, repository: Repository, objects: Objects, source: Source
) -> dict[str, str]:
    """Path -> the id that the pristine file has in this repository."""
    if repository.object_format == "sha1":
        return {path: locked.blob for path, locked in record.files.items()}
    base = find_base(record, repository, objects, {}, partial(source.again, record))
    return {path: repository.blob_id(file.content) for path, file in base.files.items()}


def _pending(record: Record, files: Files) -> dict[str, str]:
    tree = {path: file for path, file in files.items() if not is_record(path)}
    pending = {path: "removed" for path in record.files if path not in tree}
    for path, file in tree.items():
        locked = record.files.get(path)
        if locked is None:
            pending[path] = "added"
        elif (locked.mode, locked.blob) != (git_mode(file), blob_id(file.content)):
            pending[path] = "changed"
    return dict(sorted(pending.items()))
