"""A throw-away bare repository that sees the objects of a project, for merging without a trace.

The user's settings, attributes and hooks do not reach it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from greenlane.git import run_git
from greenlane.repository import Entry, Repository

_ISOLATED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_CONFIG = """\
[core]
	repositoryformatversion = {version}
	bare = true
	compression = 1
{extension}[merge]
	conflictStyle = zdiff3
	directoryRenames = false
	renameLimit = 30000
[diff]
	renameLimit = 30000
[fastimport]
	unpackLimit = 0
[pack]
	window = 0
	threads = 1
[gc]
	auto = 0
"""
_WHO = b"committer greenlane <greenlane@localhost> 946684800 +0000\n"


@dataclass(frozen=True, slots=True)
class Stage:
    """One side of an unresolved path: 1 is the base, 2 ours, 3 theirs."""

    mode: str
    id: str
    number: int
    path: str


class Scratch:
    """Use it as a context: the folder goes at the end."""

    def __init__(self, repository: Repository) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="greenlane-merge-"))
        sha256 = repository.object_format != "sha1"
        extension = f"[extensions]\n\tobjectFormat = {repository.object_format}\n" if sha256 else ""
        for name in ("objects/info", "refs/heads", "info"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "HEAD").write_text("ref: refs/heads/none\n")
        (self._folder / "config").write_text(
            _CONFIG.format(version=int(sha256), extension=extension)
        )
        (self._folder / "objects/info/alternates").write_bytes(
            _quoted(os.fsencode(repository.objects)) + b"\n"
        )

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def quoted_objects(self) -> str:
        """Where the objects lie, for GIT_ALTERNATE_OBJECT_DIRECTORIES."""
        return os.fsdecode(_quoted(os.fsencode(self._folder / "objects")))

    def git(
        self,
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        accepted: Sequence[int] = (0,),
    ) -> bytes:
        env = {**_ISOLATED, "GIT_DIR": str(self._folder), **(env or {})}
        return run_git(self._folder, *arguments, stdin=stdin, env=env, accepted=accepted)

    def write(self, stream: Iterable[bytes]) -> bytes:
        """Feed `git fast-import`; returns what its `ls` commands print."""
        # --force: a branch may be replaced by a commit that does not contain the old one.
        return self.git("fast-import", "--quiet", "--force", "--depth=0", stdin=b"".join(stream))

    def merge(self, ours: str, theirs: str) -> tuple[str, list[Stage]]:
        """Merge two branches. Returns the id of the tree and the stages of what is unresolved."""
        told = self.git("merge-tree", "--write-tree", "-z", ours, theirs, accepted=(0, 1))
        tree, *rest = told.split(b"\0")
        stages = []
        for line in rest:
            if not line:
                break  # messages for people follow
            head, _, path = line.partition(b"\t")
            mode, blob, number = head.decode().split(" ")
            stages.append(Stage(mode, blob, int(number), os.fsdecode(path)))
        return tree.decode(), stages

    def read(self, blob: str) -> bytes:
        """The content of a blob that the merge made."""
        return self.git("cat-file", "blob", blob)

    def renames(self, old: str, new: str) -> dict[str, str]:
        """Path in `new` -> path in `old` of the files that git takes for renamed."""
        told = self.git("diff-tree", "-r", "-M", "-z", "--name-status", "--diff-filter=R", old, new)
        parts = [os.fsdecode(part) for part in told.split(b"\0")]
        return {parts[n + 2]: parts[n + 1] for n in range(0, len(parts) - 2, 3)}

    def changes(self, old: str, new: str) -> dict[str, tuple[Entry | None, Entry | None]]:
        """Path -> (entry in `old`, entry in `new`) of every path where the two trees differ."""
        told = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new)
        return parse_raw(told)


def parse_raw(told: bytes) -> dict[str, tuple[Entry | None, Entry | None]]:
    """What `--raw -z` without renames prints; None where there is no file."""
    parts = told.split(b"\0")
    changes = {}
    for head, path in zip(parts[:-1:2], parts[1::2], strict=True):
        old_mode, new_mode, old, new, _ = head[1:].decode().split(" ")
        changes[os.fsdecode(path)] = (
            None if old_mode == "000000" else Entry(old_mode, old),
            None if new_mode == "000000" else Entry(new_mode, new),
        )
    return changes


def commit(branch: str, parent: str | None = None) -> bytes:
    """The start of a commit in fast-import's language; the lines of its files follow."""
    start = b"commit refs/heads/" + branch.encode() + b"\n" + _WHO + b"data 0\n"
    if parent is not None:
        start += b"from refs/heads/" + parent.encode() + b"\n"
    return start


def put(path: str, mode: str, content: bytes) -> bytes:
    return b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), _path(path), len(content), content)


def put_id(path: str, entry: Entry) -> bytes:
    return b"M %s %s %s\n" % (entry.mode.encode(), entry.id.encode(), _path(path))


def put_tree(path: str, tree: str) -> bytes:
    """`path` becomes the folder `tree`; an empty path is the root."""
    return b"M 040000 %s %s\n" % (tree.encode(), _path(path))


def move(source: str, target: str) -> bytes:
    return b"R %s %s\n" % (_path(source), _path(target))


def drop(path: str) -> bytes:
    return b"D " + _path(path) + b"\n"


LIST_ROOT = b'ls ""\n'
"""As the last line of a commit: makes fast-import print the id of its tree, see `tree_of`."""


def tree_of(told: bytes) -> str:
    return told.split()[2].decode()


def _path(path: str) -> bytes:
    return _quoted(os.fsencode(path))


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'
