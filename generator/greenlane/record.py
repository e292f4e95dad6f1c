"""What a project carries for its updates: .greenlane/project.yml, lock.json and baseline.tar."""

import hashlib
import io
import json
from collections.abc import Mapping

from greenlane.answers import Answers, asked_values
from greenlane.answers_file import write_answers
from greenlane.kit import Kit
from greenlane.location import FOLDER, PROJECT
from greenlane.quoting import quoted
from greenlane.tree import EXECUTABLE, LINK, File, Link, Tree

LOCK = f"{FOLDER}/lock.json"
BASELINE = f"{FOLDER}/baseline.tar"
LOCK_FORMAT = 1


def with_record(tree: Tree, kit: Kit, answers: Answers) -> Tree:
    """The pristine `tree` with the three files that remember how it came about."""
    owners = kit.owners(answers.app, answers.modules)
    project = _project(kit, answers)
    record = record_files(tree, project, _release(kit), owners)
    return Tree({**tree, **record})


def record_files(
    tree: Tree, project: bytes, release: Mapping[str, str], owners: Mapping[str, str]
) -> dict[str, File]:
    """The three files: `project` as it is, the lock and the archive of `tree`.

    `release` has name and version of the source, `owners` tell the part that each path is from.
    """
    lock = _lock(tree, release, owners)
    return {PROJECT: File(project), LOCK: File(lock), BASELINE: File(baseline(tree))}


def _project(kit: Kit, answers: Answers) -> bytes:
    text = write_answers(
        answers.app,
        answers.modules,
        asked_values(kit, answers),
        head={"kit": kit.name, "version": kit.version, **_extended(kit)},
    )
    return f"# The answers that this repository was made from; updates go by them.\n{text}".encode()


def _release(kit: Kit) -> dict[str, str]:
    return {"name": kit.name, "version": kit.version, **_extended(kit)}


def _extended(kit: Kit) -> dict[str, str]:
    return {"extends": f"{kit.extends.name} {kit.extends.version}"} if kit.extends else {}


def _lock(tree: Tree, release: Mapping[str, str], owners: Mapping[str, str]) -> bytes:
    """JSON with one line per file, so that git merges it by lines."""
    lines = [
        f"    {quoted(path)}: "
        + json.dumps({"mode": git_mode(file), "blob": blob_id(file.content), "part": owners[path]})
        for path, file in tree.items()
    ]
    written = ", ".join(f"{quoted(key)}: {quoted(value)}" for key, value in release.items())
    text = (
        "{\n"
        f'  "format": {LOCK_FORMAT},\n'
        f'  "kit": {{{written}}},\n'
        f'  "digest": "{tree.digest()}",\n'
        '  "files": {\n' + ",\n".join(lines) + "\n  }\n}\n"
    )
    return text.encode()


def blob_id(content: bytes) -> str:
    """The id that git gives to this content (SHA-1)."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def git_mode(file: File | Link) -> str:
    """The mode as git writes it in trees."""
    return {EXECUTABLE: "100755", LINK: "120000"}.get(file.mode, "100644")


def baseline(tree: Tree) -> bytes:
    """The pristine tree as a tar archive: sorted, uncompressed, no clock, no owner.

    POSIX (pax) format: plain headers as long as a path fits, an extended one for long or
    non-ASCII paths. Uncompressed, so that git stores only the difference between two versions.
    """
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, file in tree.items():
            entry = tarfile.TarInfo(path)
            if isinstance(file, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, file.content.decode()
                tar.addfile(entry)
                continue
            entry.size = len(file.content)
            entry.mode = file.mode
            tar.addfile(entry, io.BytesIO(file.content))
    return archive.getvalue()
