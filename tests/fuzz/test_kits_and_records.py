"""Whatever a kit, an answers file or a record holds: a value or a GreenlaneError, soon."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import TINY, MakeKit
from greenlane.answers import resolve
from greenlane.answers_file import AnswersFile
from greenlane.baseline import _from_archive
from greenlane.errors import GreenlaneError
from greenlane.evolution import check_kit, evolve, moves_since
from greenlane.kit import Kit, load_kit
from greenlane.lint import lint
from greenlane.manifest import parse_manifest
from greenlane.reading import read_record
from greenlane.record import BASELINE, LOCK, PROJECT, with_record
from greenlane.render import render
from greenlane.update import update
from owner import Project

SECONDS = 10
EXTENDED = {
    "kit.yml": 'name: acme\nversion: "1"\ndescription: A\nextends: ../kit >=1\n'
    "questions: [badge]\n",
    "versions.yml": 'python: {own: ">=1"}\noverride: {python: {click: ">=9"}}\n',
    "modules/badge/module.yml": """\
title: Badge
description: A badge
category: work
requires: [jobs]
questions:
  badge: {help: Which?, default: a, choices: [a, b], when: "{{ database == 'sqlite' }}"}
contributes: {dependencies: [own]}
moves: [{version: "1", from: a, to: b}]
news: [{version: "1", text: T, uses: x}]
""",
    "modules/badge/files/badge.txt.jinja": "{{ badge }}\n",
    "presets/ours.yml": "description: O\napp: shop\nmodules: [badge]\nanswers: {badge: b}\n",
}

WORDS = """
name version description extends categories questions title category requires conflicts type help
choices default when validator pattern pattern_help formerly contributes sets slots moves from to
news uses text app modules answers python override kit base jobs mail click greenlane str int bool
choice dependencies project_name database sqlite files format mode blob part
"""
NASTY = [
    *("", " ", "../x", "/etc/passwd", ".", "..", "\0", "\x1b[31m", "{{ 1/0 }}", "{{ nope }}"),
    *("{% for %}", "{{ 'x' * 10**10 }}", "(a+)+b", "[", "9" * 5000, "-1", ">=0.1,<1", "\ud7ff"),
    *("../kit >=", "<<<<<<< x", "!!python/object:os.system", "~", "a" * 600, "\u202e", "é"),
]

texts = st.one_of(st.sampled_from(WORDS.split()), st.text(max_size=20), st.sampled_from(NASTY))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**30), texts)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


TIMES = int(os.environ.get("GREENLANE_FUZZ", "1"))


def fuzz(examples: int) -> settings:
    """So many examples, the same on every run; `GREENLANE_FUZZ` times as many when it is slow."""
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
def test_thousands() -> None:
    """This file, with five times the examples."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not slow", __file__],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "GREENLANE_FUZZ": "5"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@contextmanager
def in_order() -> Iterator[None]:
    """The body gives a value or a GreenlaneError, soon."""
    started = time.monotonic()
    try:
        yield
    except GreenlaneError as error:
        assert error.message
    assert time.monotonic() - started < SECONDS


@st.composite
def changed(draw: st.DrawFn, original: bytes) -> bytes:
    """Some bytes replaced, removed or repeated."""
    content = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(content)))
        end = min(len(content), begin + draw(st.integers(0, 30)))
        content[begin:end] = draw(
            st.one_of(st.binary(max_size=8), st.just(bytes(content[begin:end] * 2)), st.just(b""))
        )
    return bytes(content)


@st.composite
def regrown(draw: st.DrawFn, original: Any) -> Any:
    """The data with one node replaced, added or taken out."""
    if isinstance(original, dict) and original and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(original)))
        return {**original, key: draw(regrown(original[key]))}
    if isinstance(original, list) and original and draw(st.integers(0, 4)):
        index = draw(st.integers(0, len(original) - 1))
        return [*original[:index], draw(regrown(original[index])), *original[index + 1 :]]
    if isinstance(original, dict):
        return {**original, draw(texts): draw(values)}
    return draw(values)


def mutated(original: str) -> st.SearchStrategy[bytes]:
    """A YAML file: its bytes changed, its data changed, or other data altogether."""
    data = parse_manifest(original, "x.yml").data
    written = st.one_of(regrown(data), values).map(lambda value: json.dumps(value).encode())
    return st.one_of(changed(original.encode()), written, st.binary(max_size=200))


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode(errors="replace"))))
@fuzz(300)
def test_a_manifest(text: str) -> None:
    with in_order():
        parse_manifest(text, "x.yml")


def used(root: Path) -> None:
    """What a person does with a kit."""
    kit = load_kit(root)
    for preset in (None, *kit.presets):
        sets = [] if preset else [f"app={next(iter(kit.apps))}"]
        answers = resolve(kit, preset=preset, sets=sets)
        with_record(render(kit, answers), kit, answers)


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


MANIFESTS = [path for path in TINY if path.endswith(".yml")]
OTHERS = [path for path in TINY if not path.endswith(".yml")]


@pytest.fixture
def tiny(make_kit: MakeKit) -> Path:
    return make_kit()


@pytest.mark.parametrize("path", MANIFESTS)
@given(data=st.data())
@fuzz(40)
def test_a_kit(tiny: Path, path: str, data: st.DataObject) -> None:
    (tiny / path).write_bytes(data.draw(mutated(TINY[path])))
    before = files(tiny.parent)
    with in_order():
        used(tiny)
    assert files(tiny.parent) == before


@pytest.mark.parametrize("path", OTHERS)
@given(data=st.data())
@fuzz(20)
def test_the_files_of_a_kit(tiny: Path, path: str, data: st.DataObject) -> None:
    (tiny / path).write_bytes(data.draw(changed(TINY[path].encode())))
    with in_order():
        used(tiny)


@pytest.mark.parametrize("path", [path for path in EXTENDED if path.endswith(".yml")])
@given(data=st.data())
@fuzz(40)
def test_a_kit_that_extends_another(tiny: Path, path: str, data: st.DataObject) -> None:
    root = tiny.parent / "acme"
    for name, content in EXTENDED.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    used(root)
    (root / path).write_bytes(data.draw(mutated(EXTENDED[path])))
    before = files(tiny.parent)
    with in_order():
        used(root)
    assert files(tiny.parent) == before


@given(data=st.data())
@fuzz(30)
def test_lint(tiny: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(TINY)))
    original = TINY[path]
    strategy = mutated(original) if path.endswith(".yml") else changed(original.encode())
    (tiny / path).write_bytes(data.draw(strategy))
    with in_order():
        for finding in lint(tiny):
            assert finding.message
            json.dumps(finding.to_dict())
    (tiny / path).write_text(original)


ANSWERS = "description: D\napp: desk\nmodules: [mail]\nanswers: {database: postgres, loud: true}\n"


@given(content=mutated(ANSWERS), sets=st.lists(texts, max_size=2))
@fuzz(300)
def test_an_answers_file(tiny: Path, content: bytes, sets: list[str]) -> None:
    file = tiny.parent / "answers.yml"
    file.write_bytes(content)
    with in_order():
        kit = load_kit(tiny)
        with_record(render(kit, resolve(kit, file=file)), kit, resolve(kit, file=file))
    with in_order():
        resolve(load_kit(tiny), sets=["app=desk", *sets])


def recorded(root: Path) -> tuple[Kit, dict[str, bytes]]:
    kit = load_kit(root)
    answers = resolve(kit, preset="small")
    tree = with_record(render(kit, answers), kit, answers)
    return kit, {path: tree[path].content for path in (PROJECT, LOCK, BASELINE)}


@pytest.mark.parametrize("path", [PROJECT, LOCK])
@given(data=st.data())
@fuzz(120)
def test_a_record(tiny: Path, path: str, data: st.DataObject) -> None:
    kit, record = recorded(tiny)
    content = record[path].decode()
    record[path] = data.draw(mutated(content) if path == PROJECT else changed_lock(content))
    with in_order():
        read = read_record(record.get)
        check_kit(kit, read)
        list(moves_since(kit, read))
        assert isinstance(read.answers, AnswersFile)
        evolve(kit, read)


def changed_lock(original: str) -> st.SearchStrategy[bytes]:
    regrown_lock = regrown(json.loads(original)).map(lambda value: json.dumps(value).encode())
    return st.one_of(changed(original.encode()), regrown_lock, st.binary(max_size=200))


@given(data=st.data())
@fuzz(120)
def test_a_baseline(tiny: Path, data: st.DataObject) -> None:
    archive = recorded(tiny)[1][BASELINE]
    content = data.draw(st.one_of(changed(archive), st.binary(max_size=2000)))
    started = time.monotonic()
    size = sum(len(part) for part in _from_archive(content))
    assert size <= len(content)
    assert time.monotonic() - started < SECONDS


def test_a_baseline_whose_entries_claim_more_than_there_is() -> None:
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number in range(50):
            entry = tarfile.TarInfo(f"f{number}")
            # A sparse file: a long hole, and no data.
            entry.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": "40000"}
            tar.addfile(entry)
    content = archive.getvalue()
    assert sum(len(part) for part in _from_archive(content)) <= len(content)


@pytest.mark.parametrize("path", [PROJECT, LOCK, BASELINE])
@given(data=st.data())
@fuzz(5)
def test_an_update_of_a_project_with_a_damaged_record(
    tmp_path: Path, path: str, data: st.DataObject
) -> None:
    project = Project(tmp_path)
    kit = project.kit("1.1.0", {"base/files/app/main.py": "changed\n"})
    if not project.path.exists():
        project.create(project.kit())
    original = (project.path / path).read_bytes()
    (project.path / path).write_bytes(data.draw(changed(original)))
    project.commit()
    before = files(tmp_path)
    with in_order(), update(project.path, kit) as plan:
        plan.patch()
    after = files(tmp_path)
    assert {p for p in before.keys() ^ after.keys() if "/.git/" not in p} == set()
    project.git("reset", "--quiet", "--hard", "HEAD~1")
