"""Random kits against random work of their users: what must hold whatever happens.

Every line is unique, so that one look over all files tells what became of it.
"""

import itertools
import os
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenlane.merge import Merge, merge
from greenlane.repository import Objects, open_repository
from greenlane.scratch import Scratch
from greenlane.tree import EXECUTABLE, REGULAR, File
from greenlane.update import Plan, abort

PATHS = ["a.py", "b.py", "d/c.txt", "d/e/f.md", ".gitignore", ".env.example", "blob.bin", "uv.lock"]
MORE = ["n.py", "d/n.txt", "x y/ü.md", "d/e/g", "a.py2"]

Files = dict[str, File]


@dataclass
class Side:
    """What one side did to the base: files, and the lines that it added and deleted."""

    files: Files
    added: set[bytes] = field(default_factory=set)
    deleted: set[bytes] = field(default_factory=set)


def content(draw: Any, fresh: Iterator[int], path: str, tag: str) -> bytes:
    if path.endswith(".bin"):
        return b"\0\1bin%s%d\n" % (tag.encode(), next(fresh))
    count = draw(st.integers(0, 12))
    return b"".join(line(path, tag, next(fresh)) for _ in range(count))


def line(path: str, tag: str, number: int) -> bytes:
    if path == ".env.example":
        return f"{tag.upper()}_{number}=1\n".encode()
    return f"{tag} {number} lorem ipsum\n".encode()


def edit(draw: Any, fresh: Iterator[int], path: str, tag: str, text: bytes) -> bytes:
    if b"\0" in text:
        return b"\0\1bin%s%d\n" % (tag.encode(), next(fresh))
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines)))
        kind = draw(st.sampled_from(["insert", "replace", "delete"]))
        if kind != "insert" and at < len(lines):
            del lines[at]
        if kind != "delete":
            lines.insert(at, line(path, tag, next(fresh)))
    return b"".join(lines)


def side(draw: Any, fresh: Iterator[int], base: Files, tag: str) -> Side:
    files = dict(base)
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["edit", "edit", "edit", "delete", "move", "mode", "add"]))
        present = sorted(files)
        if kind == "add" or not present:
            free = [path for path in PATHS + MORE if path not in files and fits(path, files)]
            if free:
                path = draw(st.sampled_from(free))
                mode = draw(st.sampled_from([REGULAR, EXECUTABLE]))
                files[path] = File(content(draw, fresh, path, tag), mode)
            continue
        path = draw(st.sampled_from(present))
        old = files.pop(path)
        match kind:
            case "edit":
                files[path] = File(edit(draw, fresh, path, tag, old.content), old.mode)
            case "mode":
                files[path] = File(old.content, REGULAR if old.mode == EXECUTABLE else EXECUTABLE)
            case "move":
                free = [p for p in PATHS + MORE if p not in files and p != path and fits(p, files)]
                files[draw(st.sampled_from(free)) if free else path] = old
    before, after = lines_of(base), lines_of(files)
    return Side(files, after - before, before - after)


def fits(path: str, files: Mapping[str, File]) -> bool:
    return not any(p.startswith(f"{path}/") or path.startswith(f"{p}/") for p in files)


def lines_of(files: Mapping[str, File]) -> set[bytes]:
    rows = (row.rstrip(b"\r") for file in files.values() for row in file.content.split(b"\n"))
    return {row for row in rows if row}


@st.composite
def histories(draw: Any) -> tuple[Files, Side, Side]:
    """Base, what the user made of it, what the kit made of it."""
    fresh = itertools.count(100)
    chosen = draw(st.lists(st.sampled_from(PATHS), unique=True, max_size=6))
    base = {
        path: File(content(draw, fresh, path, "base"), draw(st.sampled_from([REGULAR, EXECUTABLE])))
        for path in chosen
    }
    ours, theirs = side(draw, fresh, base, "mine"), side(draw, fresh, base, "kit")
    if draw(st.integers(0, 5)) == 0:
        ours.files = {
            path: file if b"\0" in file.content else File(crlf(file.content), file.mode)
            for path, file in ours.files.items()
        }
    return base, ours, theirs


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


class Playground:
    """One repository that becomes every example's project in turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main", "--template=")
        self.git("config", "gc.auto", "0")

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["git", *arguments], cwd=self.path, input=stdin, capture_output=True, check=True
        ).stdout

    def become(self, files: Files) -> None:
        parts = [b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 0\ndeleteall\n"]
        for path, file in files.items():
            head = f'M {100000 + int(oct(file.mode)[2:])} inline "{path}"\n'.encode()
            parts.append(head + b"data %d\n" % len(file.content) + file.content + b"\n")
        self.git("fast-import", "--quiet", "--force", stdin=b"".join(parts))
        self.git("clean", "-ffdxq")
        self.git("reset", "--hard", "--quiet")

    def files(self) -> Files:
        found = {}
        for folder, names, files in os.walk(self.path):
            if ".git" in names:
                names.remove(".git")
            for name in files:
                file = Path(folder, name)
                mode = EXECUTABLE if file.stat().st_mode & stat.S_IXUSR else REGULAR
                found[str(file.relative_to(self.path))] = File(file.read_bytes(), mode)
        return found

    def index(self) -> bytes:
        return self.git("ls-files", "--stage", "-z")


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    return Playground(tmp_path_factory.mktemp("random") / "project")


common = settings(
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@settings(common, max_examples=60)
@given(history=histories())
def test_nothing_is_lost(playground: Playground, history: tuple[Files, Side, Side]) -> None:
    check(playground, *history)


@pytest.mark.slow
@settings(common, max_examples=800)
@given(history=histories())
def test_nothing_is_lost_in_hundreds_of_histories(
    playground: Playground, history: tuple[Files, Side, Side]
) -> None:
    check(playground, *history)


@pytest.mark.slow
@pytest.mark.weekly
@settings(common, max_examples=3000)
@given(history=histories())
def test_nothing_is_lost_in_thousands_of_histories(
    playground: Playground, history: tuple[Files, Side, Side]
) -> None:
    check(playground, *history)


def check(playground: Playground, base: Files, ours: Side, theirs: Side) -> None:
    playground.become(ours.files)
    (playground.path / "untracked").write_bytes(b"untracked\n")
    before, index = playground.files(), playground.index()
    repository = open_repository(playground.path)
    with Objects(playground.path) as objects:
        with Scratch(repository) as scratch:
            again = merge(repository, scratch, objects, base, theirs.files, label="kit-2")
        with Scratch(repository) as scratch:
            merged = merge(repository, scratch, objects, base, theirs.files, label="kit-2")
            assert merged == again
            Plan("update", "Update", repository, merged, "1", "2", _scratch=scratch).apply()
        after = playground.files()
        stages = {
            stage.path: [objects.read(s.id) or b"" for s in merged.stages if s.path == stage.path]
            for stage in merged.stages
        }
    verify(base, ours, theirs, before, after, stages, merged)
    if merged.changes or merged.stages:
        abort(playground.path)
    assert playground.files() == before
    assert playground.index() == index


def verify(
    base: Files,
    ours: Side,
    theirs: Side,
    before: Files,
    after: Files,
    stages: Mapping[str, list[bytes]],
    merged: Merge,
) -> None:
    kinds = {outcome.path: outcome for outcome in merged.outcomes}
    assert after["untracked"] == before["untracked"]
    visible = lines_of(after)
    for path, sides in stages.items():
        visible |= lines_of({f"{path}{n}": File(text) for n, text in enumerate(sides)})
    assert ours.added <= visible
    # Left out only where the report says so: deleted by the user, or a lock file.
    excused = lines_of(
        {p: f for p, f in theirs.files.items() if p in kinds and kinds[p].kind == "declined"}
        | {p: f for p, f in theirs.files.items() if p in merged.refresh}
    )
    assert theirs.added <= visible | excused
    settled = {p: f for p, f in after.items() if p not in stages}
    # What the user deleted is back nowhere, except in a file to which the kit moved it.
    new = set()
    for path, file in theirs.files.items():
        old = {path: base[path]} if path in base else {}
        new |= lines_of({path: file}) - lines_of(old)
    assert not (ours.deleted - new) & lines_of(settled)
    for path in base.keys() | ours.files.keys() | theirs.files.keys():
        untouched(path, base, ours.files, theirs.files, after, merged)
    for path in (base.keys() - ours.files.keys()) & after.keys() - stages.keys():
        # Something else may have moved there, but not what the user deleted.
        assert not lines_of({path: base[path]}) & lines_of({path: after[path]}), path
    for path, (_, entry) in merged.changes.items():
        told = kinds.get(path)
        moved_away = path in {outcome.source for outcome in merged.outcomes}
        assert told is not None or moved_away, path
        if told is not None and entry is not None and told.kind in {"kept", "removed"}:
            raise AssertionError(f"{path} changed, but is reported as {told.kind}")
    assert {path for path, told in kinds.items() if told.kind == "conflict"} == set(stages)


def untouched(
    path: str, base: Files, ours: Files, theirs: Files, after: Files, merged: Merge
) -> None:
    mine = ours.get(path)
    if mine is None or base.get(path) != theirs.get(path):
        return
    sources = {outcome.source for outcome in merged.outcomes}
    followed = {outcome.path for outcome in merged.outcomes if outcome.source}
    if path in followed or path in sources or path in {stage.path for stage in merged.stages}:
        return  # a rename carried the kit's change here
    assert after.get(path) == mine
