"""What an update did to each file, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from greenlane.repository import Entry
from greenlane.scratch import Stage

KINDS = {
    "conflict": "both sides changed it; yours to decide",
    "updated": "the kit changed it, you had not",
    "merged": "both changed it, without contradiction",
    "added": "new",
    "moved": "the kit moved it; your changes went along",
    "removed": "the kit no longer has it, you had not changed it",
    "kept": "only you changed it",
    "declined": "you deleted it; the kit's change to it was left out",
}
"""Every outcome and what it means, in the order of the report."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to a path; `source` is the path it had before, `note` says more."""

    path: str
    kind: str
    source: str = ""
    note: str = ""


@dataclass(slots=True)
class Facts:
    """The three sides and the result. `result` has only what differs from the last commit.

    `moves` and the renames are target -> source, `held` files that were not merged -> how to renew.
    """

    base: Mapping[str, Entry]
    ours: Mapping[str, Entry]
    theirs: Mapping[str, Entry]
    result: Mapping[str, Entry | None]
    stages: Mapping[str, Sequence[Stage]]
    declined: set[str]
    moves: Mapping[str, str]
    held: Mapping[str, str] = field(default_factory=dict)
    renamed_by_kit: dict[str, str] = field(default_factory=dict)
    renamed_by_user: dict[str, str] = field(default_factory=dict)

    def after(self, path: str) -> Entry | None:
        return self.result[path] if path in self.result else self.ours.get(path)


def classify(facts: Facts) -> Iterator[Outcome]:
    """The outcome of every path that either side touched, in the order of paths."""
    paths = {*facts.base, *facts.theirs, *facts.stages, *facts.declined}
    paths |= {path for path, entry in facts.result.items() if entry is not None}
    sources = {**facts.renamed_by_user, **moves_made(facts)}
    for path in sorted(paths):
        if outcome := _outcome(facts, path, sources):
            yield outcome


def moves_made(facts: Facts) -> dict[str, str]:
    """Target -> source of what the kit moved and the project has at its new place."""
    made = {t: s for t, s in facts.renamed_by_kit.items() if s in facts.ours and facts.after(t)}
    return {**made, **facts.moves}


def _outcome(facts: Facts, path: str, sources: Mapping[str, str]) -> Outcome | None:
    """`sources` are the path that each file had before, by the path it has now."""
    base, ours, theirs = facts.base.get(path), facts.ours.get(path), facts.theirs.get(path)
    after = facts.after(path)
    source = sources.get(path, "")
    if path in facts.stages:
        # Git leaves a file that it cannot merge by lines as the project has it.
        untouched = ours is not None and after is not None and after.id == ours.id
        return Outcome(path, "conflict", source, _conflict(facts.stages[path], untouched))
    if path in facts.declined:
        return Outcome(path, "declined")
    if command := facts.held.get(path):
        return Outcome(path, "kept", note=f"never merged; renew it with `{command}`")
    if base is None and theirs is None:
        return Outcome(path, "merged", source) if after != ours else None
    if source and path not in facts.renamed_by_user:
        return Outcome(path, "moved", source)
    if after is None:
        if ours is not None:
            return None if path in sources.values() else Outcome(path, "removed")
        # Gone before: either renamed by the user, or deleted and the kit did not change it.
        return None
    if theirs == base or ours == theirs:
        return None if ours == base else Outcome(path, "kept")
    if ours is None:
        return Outcome(path, "added")
    if ours == base:
        return Outcome(path, "updated" if after == theirs else "merged")
    return Outcome(path, "kept" if after == ours else "merged")


def _conflict(stages: Sequence[Stage], untouched: bool) -> str:
    numbers = {stage.number for stage in stages}
    if {2, 3} <= numbers and untouched:
        return "cannot be merged by lines; yours stays, the kit's is stage 3 (`git show :3:PATH`)"
    match sorted(numbers):
        case [1, 2]:
            return "the kit deleted it, you changed it; it stays until you decide"
        case [2, 3]:
            return "both have a different file here"
        case [1, 2, 3]:
            return "both changed the same place"
        case [1]:
            return "both moved it, to different places"
        case [2] | [3]:
            return "moved here by one side"
        case _:
            return ""
