"""Finding what was rendered before, blob by blob, each checked against the lock.

The archive in the record is the usual place. Where it is missing or damaged: the project's own
files, the new rendering, the history of git, and the old version rendered once more.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from greenlane.reading import Record
from greenlane.record import BASELINE, blob_id
from greenlane.repository import Objects, Repository
from greenlane.tree import EXECUTABLE, REGULAR, File, Link

_ARCHIVE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Base:
    """The files of the last rendering; `lost` are the paths whose content nobody has."""

    files: Mapping[str, File | Link]
    lost: tuple[str, ...]


def find_base(
    record: Record,
    repository: Repository,
    objects: Objects,
    theirs: Mapping[str, File | Link],
    render_again: Callable[[], Mapping[str, File | Link]],
) -> Base:
    """The content of every file in the lock. `render_again` is called only when all else fails."""
    wanted = {locked.blob for locked in record.files.values()}
    found: dict[str, bytes] = {}

    def take(contents: Iterator[bytes]) -> bool:
        """Keep what the lock asks for; True when nothing is missing any more."""
        for content in contents:
            blob = blob_id(content)
            if blob in wanted:
                wanted.discard(blob)
                found[blob] = content
        return not wanted

    archive = repository.entries.get(BASELINE)
    if not (wanted and archive and take(_from_archive(objects.read(archive.id) or b""))):
        # Ids of git in a SHA-1 repository are those of the lock; HEAD and history alike.
        _ = (
            (not wanted)
            or take(file.content for file in theirs.values())
            or (repository.object_format == "sha1" and take(_from_git(objects, set(wanted))))
            or take(file.content for file in render_again().values())
        )
    files = {
        path: _as_locked(locked.mode, found[locked.blob])
        for path, locked in record.files.items()
        if locked.blob in found
    }
    return Base(files, tuple(path for path in record.files if path not in files))


def _as_locked(mode: str, content: bytes) -> File | Link:
    if mode == "120000":
        return Link(content)
    return File(content, EXECUTABLE if mode == "100755" else REGULAR)


def _from_archive(content: bytes) -> Iterator[bytes]:
    """The files of the archive, as far as it can be read."""
    import tarfile

    left = len(content)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for entry in tar:
                if entry.issym():
                    yield entry.linkname.encode(errors="surrogateescape")
                # Sparse entries could claim more in all than the archive holds.
                if entry.isreg() and entry.size <= left and len(content) <= _ARCHIVE_BYTES:
                    left -= entry.size
                    file = tar.extractfile(entry)
                    if file is not None:
                        yield file.read()
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError):
        return


def _from_git(objects: Objects, blobs: set[str]) -> Iterator[bytes]:
    for blob in blobs:
        content = objects.read(blob)
        if content is not None:
            yield content
