"""A rendered repository as a value: paths, bytes and modes. Nothing here touches the disk."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenlane.errors import GreenlaneError
from greenlane.paths import clashes, path_problem

REGULAR = 0o644
EXECUTABLE = 0o755
LINK = 0o120000


@dataclass(frozen=True, slots=True)
class File:
    """The bytes of a file, and its mode: 0o644 or 0o755, as git distinguishes them."""

    content: bytes
    mode: int = REGULAR

    def __post_init__(self) -> None:
        if self.mode not in {REGULAR, EXECUTABLE}:
            raise ValueError(f"mode {self.mode:o} is neither 644 nor 755")


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link to `content`; templates of others have them, and they merge like files."""

    content: bytes

    @property
    def mode(self) -> int:
        return LINK


class Tree(Mapping[str, File | Link]):
    """An immutable mapping of path (relative, `/`) to File or Link, in the order of paths.

    Every path is safe to write: inside the repository, and possible on Linux, macOS and Windows.
    """

    __slots__ = ("_files",)

    def __init__(
        self,
        files: Mapping[str, File | Link],
        problem_of: Callable[[str], str] = path_problem,
    ) -> None:
        """`problem_of` says why a path must not be written; empty when it may be."""
        for path in files:
            if problem := problem_of(path):
                raise GreenlaneError(f"The path {path!r} {problem}.", "Nothing was written.")
        for one, other in clashes(files):
            raise GreenlaneError(
                f"The paths {one} and {other} cannot exist together: equal but for case, or one "
                "is a folder in the other.",
                "Nothing was written.",
            )
        self._files = {path: files[path] for path in sorted(files)}

    def __getitem__(self, path: str) -> File | Link:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"<Tree of {len(self)} files>"

    def digest(self) -> str:
        """SHA-256 over every path, mode and content, in hexadecimal."""
        import hashlib

        digest = hashlib.sha256()
        for path, file in self._files.items():
            name = path.encode()
            digest.update(b"%d %o %d\n" % (len(name), file.mode, len(file.content)))
            digest.update(name)
            digest.update(file.content)
        return digest.hexdigest()

    def outline(self, depth: int | None = None) -> list[str]:
        """The lines of a picture of the tree, folders first.

        Folders below `depth` levels are one line each, with the number of files in them.
        """
        nested: dict = {}
        for path in self._files:
            folder = nested
            *parents, name = path.split("/")
            for parent in parents:
                folder = folder.setdefault(parent, {})
            folder[name] = None
        return list(_drawn(nested, "", depth))

    def write_new(
        self,
        dest: Path,
        alongside: Callable[[Path], None] | None = None,
        before_rename: Callable[[Path], None] | None = None,
    ) -> None:
        """Write the tree to `dest`, which must be missing or an empty folder: all or nothing.

        Both functions get the temporary folder: `alongside` in a thread, while the files are
        written; `before_rename` when all are there. What they do in it becomes part of the one
        rename, and if one raises, nothing is left.
        """
        from greenlane.disk import write_new

        write_new(self, dest, alongside, before_rename)


def _drawn(folder: dict, indent: str, depth: int | None) -> Iterator[str]:
    entries = sorted(folder.items(), key=lambda entry: (entry[1] is None, entry[0]))
    for index, (name, inside) in enumerate(entries):
        last = index == len(entries) - 1
        mark, below = ("└── ", "    ") if last else ("├── ", "│   ")
        if inside is None:
            yield f"{indent}{mark}{name}"
        elif depth is not None and depth <= 1:
            count = _count(inside)
            yield f"{indent}{mark}{name}/ ({count} file{'s' if count > 1 else ''})"
        else:
            yield f"{indent}{mark}{name}/"
            yield from _drawn(inside, indent + below, None if depth is None else depth - 1)


def _count(folder: dict) -> int:
    return sum(1 if inside is None else _count(inside) for inside in folder.values())
