"""What a repository carries for its updates."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane.answers import Answers, resolve
from greenlane.kit import Kit, load_kit
from greenlane.record import BASELINE, LOCK, PROJECT, baseline, blob_id, with_record
from greenlane.render import render
from greenlane.tree import EXECUTABLE, File, Tree


@pytest.fixture
def kit(make_kit: MakeKit) -> Kit:
    return load_kit(make_kit())


@pytest.fixture
def answers(kit: Kit) -> Answers:
    return resolve(kit, preset="small", name="acme", sets=["database=sqlite", "loud=no"])


def test_the_record_is_added_and_nothing_else(kit: Kit, answers: Answers) -> None:
    pristine = render(kit, answers)
    recorded = with_record(pristine, kit, answers)
    assert set(recorded) - set(pristine) == {PROJECT, LOCK, BASELINE}
    assert {path: recorded[path] for path in pristine} == dict(pristine)


def test_project_yml_is_readable_and_gives_the_same_answers(
    kit: Kit, answers: Answers, tmp_path: Path
) -> None:
    text = with_record(render(kit, answers), kit, answers)[PROJECT].content.decode()
    # Only what was asked: the address of a database that nobody wants is not.
    assert text == (
        "# The answers that this repository was made from; updates go by them.\n"
        "kit: tiny\n"
        'version: "1.2.0"\n'
        "app: desk\n"
        "modules:\n"
        "  - jobs\n"
        "  - mail\n"
        "answers:\n"
        "  project_name: acme\n"
        "  database: sqlite\n"
        "  loud: false\n"
    )
    (tmp_path / "project.yml").write_text(text)
    assert resolve(kit, file=tmp_path / "project.yml") == answers


def test_lock_names_each_pristine_file_as_git_does(
    kit: Kit, answers: Answers, tmp_path: Path, git: Callable[..., str]
) -> None:
    pristine = render(kit, answers)
    lock = json.loads(with_record(pristine, kit, answers)[LOCK].content)
    assert lock["format"] == 1
    assert lock["kit"] == {"name": "tiny", "version": "1.2.0"}
    assert lock["digest"] == pristine.digest()
    pristine.write_new(tmp_path / "new")
    git(tmp_path / "new", "init", "-q")
    git(tmp_path / "new", "add", "-A")
    staged = {}
    for line in git(tmp_path / "new", "ls-files", "-s").splitlines():
        head, path = line.split("\t")
        mode, blob, _stage = head.split()
        staged[path] = (mode, blob)
    assert {p: (f["mode"], f["blob"]) for p, f in lock["files"].items()} == staged
    assert {path: file["part"] for path, file in lock["files"].items()} == {
        "README.md": "base",
        "app/desk.py": "desk",
        "app/jobs/__init__.py": "jobs",
        "app/main.py": "base",
        "tool": "base",
    }


def test_lock_has_a_line_per_file(kit: Kit, answers: Answers) -> None:
    pristine = render(kit, answers)
    lines = with_record(pristine, kit, answers)[LOCK].content.decode().splitlines()
    assert sum('"blob"' in line for line in lines) == len(pristine)


def test_blob_id_of_nothing() -> None:
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def test_baseline_holds_the_pristine_tree() -> None:
    long = "/".join(["a-rather-long-name-for-a-folder"] * 8) + "/file.txt"
    tree = Tree(
        {
            "README.md": File(b"# Hi\n"),
            "bin/run": File(b"#!/bin/sh\n", EXECUTABLE),
            "docs/Grüße.md": File(b""),
            long: File(b"x" * 5000),
        }
    )
    with tarfile.open(fileobj=io.BytesIO(baseline(tree))) as tar:
        entries = tar.getmembers()
        read = {}
        for entry in entries:
            content = tar.extractfile(entry)
            assert content is not None
            read[entry.name] = File(content.read(), entry.mode)
            assert (entry.mtime, entry.uid, entry.gid, entry.uname) == (0, 0, 0, "")
    assert Tree(read) == tree
    assert [entry.name for entry in entries] == sorted(tree)


def test_baseline_never_changes_its_bytes() -> None:
    # Stored in every repository: other bytes for the same tree would be a change in each of them.
    import hashlib

    tree = Tree({"a": File(b"1"), "b/c": File(b"#!", EXECUTABLE), "é": File(b"2")})
    digest = hashlib.sha256(baseline(tree)).hexdigest()
    assert digest == "b5c1b4552530f93ab31ceef9190cb233b6047f1d5cd82c41492f564058c16ad1"
