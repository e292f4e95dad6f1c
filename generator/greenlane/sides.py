"""The two sides of an update that greenlane knows: what was rendered before, and what is now.

They are fitted to the project before git merges: line ends like the project's, moves that the kit
declares, files that are not merged at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from greenlane.record import FOLDER, git_mode
from greenlane.repository import Entry, Objects, Repository
from greenlane.tree import File, Link

# Written by a tool from another file: merged by lines they would be nonsense.
LOCK_FILES: Mapping[str, str] = {
    "uv.lock": "uv lock",
    "poetry.lock": "poetry lock",
    "pdm.lock": "pdm lock",
    "pixi.lock": "pixi lock",
    "Pipfile.lock": "pipenv lock",
    "package-lock.json": "npm install --package-lock-only",
    "pnpm-lock.yaml": "pnpm install --lockfile-only",
    "yarn.lock": "yarn install",
    "bun.lock": "bun install --lockfile-only",
    "bun.lockb": "bun install --lockfile-only",
    "deno.lock": "deno install",
    "Cargo.lock": "cargo generate-lockfile",
    "go.sum": "go mod tidy",
    "Gemfile.lock": "bundle lock",
    "composer.lock": "composer update --lock",
    "mix.lock": "mix deps.get",
    "flake.lock": "nix flake lock",
    ".terraform.lock.hcl": "tofu providers lock",
}
_BINARY_PROBE = 8000


Side = Mapping[str, File] | Mapping[str, File | Link]


@dataclass(slots=True)
class Sides:
    """Base and theirs as entries of git, with the content of each blob that they name.

    `moves` are the declared moves that were made, target -> source; base is already moved.
    `declined` are files that the project deleted and theirs would bring back. `refresh` are lock
    files that stay as the project has them, and the command that renews each.
    """

    base: dict[str, Entry]
    theirs: dict[str, Entry]
    contents: dict[str, bytes]
    moves: dict[str, str] = field(default_factory=dict)
    declined: set[str] = field(default_factory=set)
    refresh: dict[str, str] = field(default_factory=dict)


def is_record(path: str) -> bool:
    return path.startswith(f"{FOLDER}/")


def prepare(
    repository: Repository,
    objects: Objects,
    base: Side,
    theirs: Side,
    *,
    moves: Iterable[tuple[str, str]] = (),
    unknown: Iterable[str] = (),
) -> Sides:
    """Fit both sides to the project.

    `moves` are (source, target) in order. `unknown` are paths that were rendered before, with
    content that nobody has any more. The record's own files always become theirs.
    """
    contents: dict[str, bytes] = {}
    sides = Sides(
        _entries(repository, base, contents), _entries(repository, theirs, contents), contents
    )
    ours = {path: entry for path, entry in repository.entries.items() if not is_record(path)}
    _without_base(repository, sides, ours, unknown)
    _move(sides, ours, moves)
    _keep_lock_files(sides, ours)
    _fit_line_ends(repository, objects, sides, ours)
    for path, entry in repository.entries.items():
        if is_record(path):
            sides.base[path] = entry
    return sides


def moved(entries: Mapping[str, Entry], moves: Mapping[str, str]) -> dict[str, Entry]:
    """The project's entries after the declared moves (target -> source)."""
    targets = {source: target for target, source in moves.items()}
    return {targets.get(path, path): entry for path, entry in entries.items()}


def _entries(repository: Repository, files: Side, contents: dict[str, bytes]) -> dict[str, Entry]:
    entries = {}
    for path, file in files.items():
        blob = repository.blob_id(file.content)
        contents[blob] = file.content
        entries[path] = Entry(git_mode(file), blob)
    return entries


def _without_base(
    repository: Repository, sides: Sides, ours: Mapping[str, Entry], unknown: Iterable[str]
) -> None:
    """A file whose base is lost: never brought back, never overwritten, both sides shown."""
    for path in unknown:
        if path not in ours and path in sides.theirs:
            del sides.theirs[path]
            sides.declined.add(path)
        elif path in ours and path not in sides.theirs:
            # The kit dropped it: an empty base makes git ask instead of keeping or dropping it.
            empty = repository.blob_id(b"")
            sides.contents[empty] = b""
            sides.base[path] = Entry("100644", empty)


def _move(sides: Sides, ours: dict[str, Entry], moves: Iterable[tuple[str, str]]) -> None:
    """Apply declared moves of files and folders to base and ours."""
    for source, target in moves:
        for path in [p for p in sides.base if p == source or p.startswith(f"{source}/")]:
            goal = target + path[len(source) :]
            # Where the project has a file of its own in the way, git finds out and asks.
            if goal in ours or goal in sides.base or path in sides.theirs:
                continue
            if goal not in sides.theirs:
                continue
            sides.base[goal] = sides.base.pop(path)
            if path in ours:
                ours[goal] = ours.pop(path)
                sides.moves[goal] = sides.moves.pop(path, path)


def _keep_lock_files(sides: Sides, ours: Mapping[str, Entry]) -> None:
    for path, theirs in list(sides.theirs.items()):
        if path.rpartition("/")[2] not in LOCK_FILES or path not in ours:
            continue
        base = sides.base.get(path)
        if ours[path] in {base, theirs} or theirs == base:
            continue
        sides.refresh[path] = LOCK_FILES[path.rpartition("/")[2]]
        sides.theirs[path] = sides.base[path] = ours[path]


def _fit_line_ends(
    repository: Repository, objects: Objects, sides: Sides, ours: Mapping[str, Entry]
) -> None:
    """Where the project's file has CRLF and base has not, base and theirs get it, too."""
    read = converted = 0
    for path, entry in ours.items():
        base, theirs = sides.base.get(path), sides.theirs.get(path)
        if base == theirs or entry in {base, theirs} or not entry.mode.startswith("100"):
            continue
        read += 1
        if _has_crlf(objects.read(entry.id) or b""):
            converted += 1
            for side in (sides.base, sides.theirs):
                _convert(repository, sides, side, path)
    if converted * 2 > read:
        # New files in a project with CRLF: like their neighbours.
        for path in sides.theirs:
            if path not in sides.base and path not in ours and not is_record(path):
                _convert(repository, sides, sides.theirs, path)


def _convert(repository: Repository, sides: Sides, side: dict[str, Entry], path: str) -> None:
    entry = side.get(path)
    content = sides.contents.get(entry.id) if entry else None
    if entry is None or not entry.mode.startswith("100"):
        return
    if content is None or b"\r" in content or is_binary(content):
        return
    content = content.replace(b"\n", b"\r\n")
    blob = repository.blob_id(content)
    sides.contents[blob] = content
    side[path] = Entry(entry.mode, blob)


def _has_crlf(content: bytes) -> bool:
    """Whether every line ends with CRLF; one without, added by a tool, makes no difference."""
    ends = content.count(b"\n")
    return ends > 0 and content.count(b"\r\n") * 2 > ends and not is_binary(content)


def is_binary(content: bytes) -> bool:
    """Git's own test."""
    return b"\0" in content[:_BINARY_PROBE]
