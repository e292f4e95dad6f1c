"""Three trees into one, by git: what was rendered before, the project, what is rendered now.

Nothing is written to the project: `Merge` holds the ids of objects in a throw-away repository,
from where `apply` fetches them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from greenlane import scratch as stream
from greenlane.guard import as_conflict, overlooked
from greenlane.keyed import is_keyed, merge_keyed
from greenlane.outcomes import Facts, Outcome, classify
from greenlane.repository import Entry, Objects, Repository
from greenlane.scratch import Scratch, Stage
from greenlane.sides import Side, Sides, is_record, moved, prepare

BASE, OURS = "greenlane-base", "your-project"
_RESULT = "greenlane-result"

Changes = Mapping[str, tuple[Entry | None, Entry | None]]
Edit = tuple[str, bytes] | Entry | None
"""What becomes of a path: mode and content, an entry as it is, or nothing."""
Edits = Mapping[str, Edit]


@dataclass(frozen=True, slots=True)
class Merge:
    """The merged state of a whole repository.

    `tree` is the id of its tree; `changes` and `stages` are relative to the top of the work tree:
    path -> (entry before, entry after), and the sides of every path in conflict. `outcomes` are
    relative to the project. `refresh` are lock files that were left alone, and the command
    that renews each.
    """

    tree: str
    changes: Changes
    stages: tuple[Stage, ...]
    outcomes: tuple[Outcome, ...]
    refresh: Mapping[str, str]

    @property
    def conflicts(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.kind == "conflict"]


def merge(
    repository: Repository,
    scratch: Scratch,
    objects: Objects,
    base: Side,
    theirs: Side,
    *,
    label: str,
    moves: Iterable[tuple[str, str]] = (),
    unknown: Iterable[str] = (),
) -> Merge:
    """Merge `theirs`, rendered from the same source as `base`, into the project.

    `label` names theirs in conflict markers. See `sides.prepare` for `moves` and `unknown`.
    """
    label = _as_branch(label)
    sides = prepare(repository, objects, base, theirs, moves=moves, unknown=unknown)
    scratch.write(_three_commits(repository, sides, label))
    tree, stages = scratch.merge(OURS, label)
    edits = _settle(objects, sides, stages)
    stages = [stage for stage in stages if stage.path not in edits]
    result = _finish(repository, scratch, tree, edits)
    changes = scratch.changes(repository.root_tree, result)
    facts = _facts(repository, scratch, sides, changes, stages, edits, label)

    def read(blob: str) -> bytes:
        return sides.contents.get(blob) or objects.read(blob) or scratch.read(blob)

    if lost := list(overlooked(facts, read)):
        for path in lost:
            if mine := facts.ours.get(path):
                edits[path] = mine
                stages += as_conflict(facts, path)
            else:
                sides.declined.add(path)  # deleted by the user, and so it stays
        result = _finish(repository, scratch, tree, edits)
        changes = scratch.changes(repository.root_tree, result)
        facts = _facts(repository, scratch, sides, changes, stages, edits, label)
    return Merge(
        tree=result,
        changes=changes,
        stages=tuple(Stage(s.mode, s.id, s.number, repository.prefix + s.path) for s in stages),
        outcomes=tuple(classify(facts)),
        refresh=sides.refresh,
    )


def _facts(
    repository: Repository,
    scratch: Scratch,
    sides: Sides,
    changes: Changes,
    stages: Iterable[Stage],
    edits: Edits,
    label: str,
) -> Facts:
    here = {path.removeprefix(repository.prefix): after for path, (_, after) in changes.items()}
    facts = Facts(
        base=_without_record(sides.base),
        ours=_without_record(moved(repository.entries, sides.moves)),
        theirs=_without_record(sides.theirs),
        result={path: after for path, after in here.items() if not is_record(path)},
        stages=_grouped(stages),
        declined=sides.declined | {path for path, edit in edits.items() if edit is None},
        moves=sides.moves,
        held=sides.refresh,
    )
    return _with_renames(facts, scratch, label)


def _as_branch(label: str) -> str:
    return re.sub(r"[^0-9A-Za-z+-]+", ".", label).strip(".-").removesuffix(".lock") or "greenlane"


def _three_commits(repository: Repository, sides: Sides, label: str) -> Iterable[bytes]:
    """Base, ours and theirs. Only what the project's objects do not hold is sent."""
    known = {entry.id for entry in repository.entries.values()}

    def put(path: str, entry: Entry) -> bytes:
        if entry.id in known:
            return stream.put_id(path, entry)
        known.add(entry.id)
        return stream.put(path, entry.mode, sides.contents[entry.id])

    yield stream.commit(BASE)
    for path, entry in sides.base.items():
        yield put(path, entry)
    yield stream.commit(OURS, parent=BASE)
    yield stream.put_tree("", repository.tree)
    for target, source in sides.moves.items():
        yield stream.move(source, target)
    yield stream.commit(label, parent=BASE)
    for path in sides.base:
        if path not in sides.theirs and not is_record(path):
            yield stream.drop(path)
    for path, entry in sides.theirs.items():
        if sides.base.get(path) != entry:
            yield put(path, entry)


def _settle(objects: Objects, sides: Sides, stages: list[Stage]) -> dict[str, Edit]:
    """Conflicts with an answer: path -> mode and content, or None where the path goes away."""
    edits: dict[str, Edit] = {}
    for path, found in _grouped(stages).items():
        numbers = {stage.number for stage in found}
        if numbers == {1, 3}:
            edits[path] = None  # deleted by the user, who was not asked for it back
        elif {2, 3} <= numbers and is_keyed(path):
            by_number = {stage.number: stage for stage in found}
            mode = _merged_mode(by_number)
            texts = {
                number: sides.contents.get(stage.id) or objects.read(stage.id)
                for number, stage in by_number.items()
            }
            merged = merge_keyed(path, texts.get(1), texts.get(2) or b"", texts.get(3) or b"")
            if merged is not None and mode is not None:
                edits[path] = (mode, merged)
    return edits


def _merged_mode(stages: Mapping[int, Stage]) -> str | None:
    base, ours, theirs = (stages[n].mode if n in stages else None for n in (1, 2, 3))
    if ours == theirs or theirs == base:
        return ours
    return theirs if ours == base else None


def _finish(repository: Repository, scratch: Scratch, tree: str, edits: Edits) -> str:
    """The id of the whole repository's tree, with `edits` made and the project in its folder."""
    if not edits and not repository.prefix:
        return tree
    told = scratch.write(_result(repository, tree, edits))
    return stream.tree_of(told)


def _result(repository: Repository, tree: str, edits: Edits) -> Iterable[bytes]:
    yield stream.commit(_RESULT)
    prefix = repository.prefix
    if prefix:
        yield stream.put_tree("", repository.root_tree)
    yield stream.put_tree(prefix.removesuffix("/"), tree)
    for path, edit in edits.items():
        if edit is None:
            yield stream.drop(prefix + path)
        elif isinstance(edit, Entry):
            yield stream.put_id(prefix + path, edit)
        else:
            yield stream.put(prefix + path, *edit)
    yield stream.LIST_ROOT


def _grouped(stages: Iterable[Stage]) -> dict[str, list[Stage]]:
    grouped: dict[str, list[Stage]] = {}
    for stage in stages:
        grouped.setdefault(stage.path, []).append(stage)
    return grouped


def _without_record(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return {path: entry for path, entry in entries.items() if not is_record(path)}


def _with_renames(facts: Facts, scratch: Scratch, label: str) -> Facts:
    """Ask git for renames on either side, where there can be any."""
    if facts.theirs.keys() - facts.base.keys() and facts.base.keys() - facts.theirs.keys():
        found = scratch.renames(BASE, label)
        facts.renamed_by_kit.update({t: s for t, s in found.items() if not is_record(t)})
    gone = facts.base.keys() - facts.ours.keys()
    if any(facts.theirs.get(path) not in {None, facts.base[path]} for path in gone):
        facts.renamed_by_user.update(scratch.renames(BASE, OURS))
    return facts
