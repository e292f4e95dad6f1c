"""A last look at a merge: is the work of either side missing, though git reported no conflict?

It happens: when both sides move a file to the same place and one puts something new in the old one,
git 2.39 drops the new file. Whatever is found here becomes a conflict.
"""

from collections.abc import Callable, Iterator

from greenlane.outcomes import Facts, moves_made
from greenlane.repository import Entry
from greenlane.scratch import Stage
from greenlane.sides import is_binary

Read = Callable[[str], bytes]


def overlooked(facts: Facts, read: Read) -> Iterator[str]:
    """Paths at which a side's change is neither in the result nor in a conflict.

    `read` gives the content of a blob by its id.
    """
    sources = {**facts.renamed_by_user, **moves_made(facts)}
    targets: dict[str, list[str]] = {}
    for target, source in sources.items():
        targets.setdefault(source, []).append(target)
    for path in facts.stages:
        if "~" in path:
            # Where a folder stands in the way, git writes the file beside it.
            targets.setdefault(path.rpartition("~")[0], []).append(path)
    for path in sorted({*facts.ours, *facts.theirs}):
        if path in facts.stages or path in facts.declined or path in facts.held:
            continue
        ours, theirs = facts.ours.get(path), facts.theirs.get(path)
        base = facts.base.get(path) or facts.base.get(sources.get(path, ""))
        after = facts.after(path)
        for side, other in ((ours, theirs), (theirs, ours)):
            if side is None or _id(side) in {_id(base), _id(other), _id(after)}:
                continue
            goals = [path, *targets.get(path, ())]
            if any(goal in facts.stages for goal in goals):
                continue
            found = [entry for goal in goals if (entry := facts.after(goal)) is not None]
            if not _is_within(side, base, found, read):
                yield path
                break


def _id(entry: Entry | None) -> str | None:
    return entry.id if entry is not None else None


def _is_within(side: Entry, base: Entry | None, found: list[Entry], read: Read) -> bool:
    """Whether one of the files found has every line that `side` added to `base`."""
    if side.id in {entry.id for entry in found}:
        return True
    added = _lines(side, read) - (_lines(base, read) if base is not None else set())
    return any(added <= _lines(entry, read) for entry in found)


def _lines(entry: Entry, read: Read) -> set[bytes]:
    if entry.mode == "160000":
        return {entry.id.encode()}
    content = read(entry.id)
    if is_binary(content):
        return {content}
    return {line.strip() for line in content.splitlines()} - {b""}


def as_conflict(facts: Facts, path: str) -> list[Stage]:
    """The stages of a conflict at `path`, from what each side has there."""
    sides = (facts.base.get(path), facts.ours.get(path), facts.theirs.get(path))
    return [
        Stage(entry.mode, entry.id, number, path)
        for number, entry in enumerate(sides, start=1)
        if entry is not None
    ]
