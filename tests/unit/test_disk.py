"""Writing a new folder: links, other users of the disk, full disks, and being killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenlane.errors import GreenlaneError
from greenlane.tree import EXECUTABLE, File, Tree

TREE = Tree(
    {
        "README.md": File(b"# Hello\n"),
        "app/core/db.py": File(b"X = 1\n"),
        "app/main.py": File(b"Y = 2\n"),
        "bin/run": File(b"#!/bin/sh\n", EXECUTABLE),
        "empty": File(b""),
        "zoo/big": File(b"\x00\xff" * 200_000),
    }
)


def read(folder: Path) -> Tree:
    """What is on the disk, as a tree."""
    files = {}
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            assert not path.is_symlink()
            mode = EXECUTABLE if path.stat().st_mode & 0o100 else 0o644
            files[path.relative_to(folder).as_posix()] = File(path.read_bytes(), mode)
    return Tree(files)


def test_writes_what_the_tree_holds(tmp_path: Path) -> None:
    TREE.write_new(tmp_path / "new")
    assert read(tmp_path / "new") == TREE
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize(
    ("mask", "modes"), [(0, "755 644"), (0o022, "755 644"), (0o077, "700 600")]
)
def test_the_umask_takes_rights_away_and_nothing_gives_more(
    tmp_path: Path, mask: int, modes: str
) -> None:
    old = os.umask(mask)
    try:
        TREE.write_new(tmp_path / "new")
    finally:
        os.umask(old)
    for path in (tmp_path / "new", *(tmp_path / "new").rglob("*")):
        executable = path.is_dir() or path.name == "run"
        assert f"{path.stat().st_mode & 0o7777:o}" == modes.split()[0 if executable else 1]


def test_relative_destination_and_missing_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    TREE.write_new(Path("a/b/../c/new"))
    assert read(tmp_path / "a/c/new") == TREE


def test_an_empty_folder_is_filled_and_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new").chmod(0o750)
    TREE.write_new(tmp_path / "new")
    assert read(tmp_path / "new") == TREE
    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o750


def _occupied(tmp_path: Path, kind: str) -> Path:
    dest = tmp_path / "dest"
    match kind:
        case "file":
            dest.write_text("mine")
        case "folder":
            dest.mkdir()
            (dest / ".hidden").write_text("mine")
        case "link to an empty folder":
            (tmp_path / "elsewhere").mkdir()
            dest.symlink_to(tmp_path / "elsewhere")
        case "dangling link":
            dest.symlink_to(tmp_path / "elsewhere")
        case "loop":
            dest.symlink_to(dest)
        case "pipe":
            os.mkfifo(dest)
        case "parent is a file":
            (tmp_path / "parent").write_text("mine")
            dest = tmp_path / "parent" / "dest"
    return dest


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("file", "is a file"),
        ("folder", "exists already and is not empty"),
        ("link to an empty folder", "is a symbolic link"),
        ("dangling link", "is a symbolic link"),
        ("loop", "is a symbolic link"),
        ("pipe", "is a file"),
        ("parent is a file", "Not a directory"),
    ],
)
def test_what_is_there_already_stays(tmp_path: Path, kind: str, message: str) -> None:
    dest = _occupied(tmp_path, kind)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(GreenlaneError, match=message) as caught:
        TREE.write_new(dest)
    assert caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("dest", ["/", ".", "..", "a\0b", "x" * 240, "x" * 300])
def test_names_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dest: str) -> None:
    (tmp_path / "in" / "side").mkdir(parents=True)
    (tmp_path / "in" / "file").write_text("")
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(GreenlaneError):
        TREE.write_new(Path(dest))


def test_an_error_before_the_rename_leaves_nothing(tmp_path: Path) -> None:
    seen = []

    def fail(folder: Path) -> None:
        seen.append(read(folder))
        raise GreenlaneError("no")

    with pytest.raises(GreenlaneError, match="no"):
        TREE.write_new(tmp_path / "made" / "new", before_rename=fail)
    assert seen == [TREE]
    assert list(tmp_path.iterdir()) == []


def test_interrupted_by_the_keyboard(tmp_path: Path) -> None:
    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TREE.write_new(tmp_path / "new", before_rename=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_somebody_takes_the_destination_meanwhile(tmp_path: Path, what: str) -> None:
    dest = tmp_path / "new"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def take(folder: Path) -> None:
        match what:
            case "folder":
                dest.mkdir()
                (dest / "theirs").write_text("theirs")
            case "file":
                dest.write_text("theirs")
            case _:
                dest.symlink_to(elsewhere)

    with pytest.raises(GreenlaneError) as caught:
        TREE.write_new(dest, before_rename=take)
    assert caught.value.hint
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["elsewhere", "new"]
    assert list(elsewhere.iterdir()) == []
    if what == "folder":
        assert [entry.name for entry in dest.iterdir()] == ["theirs"]


def test_a_parent_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    # The parent is held by its descriptor: files go where it was when writing began.
    (tmp_path / "parent").mkdir()
    (tmp_path / "trap").mkdir()

    def swap(folder: Path) -> None:
        (tmp_path / "parent").rename(tmp_path / "moved")
        (tmp_path / "parent").symlink_to(tmp_path / "trap")

    TREE.write_new(tmp_path / "parent" / "new", before_rename=swap)
    assert list((tmp_path / "trap").iterdir()) == []
    assert read(tmp_path / "moved" / "new") == TREE


def test_a_link_planted_in_the_temporary_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    make = os.mkdir

    def plant(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if path == "app":
            os.symlink(trap, path, dir_fd=dir_fd)
        make(path, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", plant)
    with pytest.raises(GreenlaneError):
        TREE.write_new(tmp_path / "new")
    assert list(trap.iterdir()) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["trap"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_planted_in_the_temporary_folder_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    make = os.mkdir

    def plant(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(path, mode, dir_fd=dir_fd)
        if path == "bin":
            folder = os.open(path, os.O_RDONLY, dir_fd=dir_fd)
            if kind == "file":
                os.link(victim, "run", dst_dir_fd=folder)
            else:
                os.symlink(victim, "run", dir_fd=folder)
            os.close(folder)

    monkeypatch.setattr(os, "mkdir", plant)
    with pytest.raises(GreenlaneError, match="File exists|was filled"):
        TREE.write_new(tmp_path / "new")
    assert victim.read_text() == "precious"


def test_two_runs_at_once(tmp_path: Path) -> None:
    def second(folder: Path) -> None:
        # The first one's folder is locked: the second must leave it alone.
        TREE.write_new(tmp_path / "new")
        assert folder.is_dir()

    other = Tree({"other": File(b"")})
    with pytest.raises(GreenlaneError, match="was filled by somebody else in the meantime"):
        other.write_new(tmp_path / "new", before_rename=second)
    assert read(tmp_path / "new") == TREE
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


def test_leftovers_of_the_same_name_only(tmp_path: Path) -> None:
    dead = tmp_path / ".new.greenlane-0123456789ab"
    (dead / "app").mkdir(parents=True)
    (dead / "app" / "x").write_text("x")
    kept = [
        tmp_path / ".new.greenlane-notes",
        tmp_path / ".newer.greenlane-0123456789ab",
        tmp_path / "new.greenlane-0123456789ab",
    ]
    for folder in kept:
        folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("x")
    link = tmp_path / ".new.greenlane-ba9876543210"
    link.symlink_to(tmp_path / "outside")
    TREE.write_new(tmp_path / "new")
    assert not dead.exists()
    assert all(folder.is_dir() for folder in kept)
    assert (tmp_path / "outside" / "precious").exists()


_KILLED = """\
import sys
from pathlib import Path
from greenlane.tree import File, Tree
tree = Tree({f"folder{n % 17}/file{n}": File(bytes([n % 256]) * (n * 7)) for n in range(1500)})
print(len(tree), flush=True)
tree.write_new(Path(sys.argv[1]))
"""


def _run_until(dest: Path, seconds: float | None) -> float:
    """Write the tree of `_KILLED`, killed after so long; returns the time that writing took."""
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(dest)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()  # the tree is made, writing begins
        started = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
        process.wait()
    return time.monotonic() - started


def test_killed_at_any_instant_there_is_nothing_or_everything(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    dest = tmp_path / "new"
    took = _run_until(dest, None)
    halves = 0
    for _ in range(30):
        subprocess.run(["rm", "-rf", dest], check=True)
        _run_until(dest, chance.uniform(0, took * 1.3))
        halves += any(tmp_path.glob(".new.greenlane-*/folder0/*"))
        if dest.exists():
            sizes = sorted(path.stat().st_size for path in dest.rglob("*") if path.is_file())
            assert sizes == [n * 7 for n in range(1500)], seed
    assert halves > 3, f"hardly any was killed in the middle ({seed})"
    subprocess.run(["rm", "-rf", dest], check=True)
    TREE.write_new(dest)
    assert [entry.name for entry in tmp_path.iterdir()] == ["new"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_full_disk(small_disk: Path) -> None:
    with pytest.raises(GreenlaneError, match="No space left on device") as caught:
        TREE.write_new(small_disk / "deep" / "new")
    assert "Free some space" in caught.value.hint
    assert list(small_disk.iterdir()) == []


def test_a_mount_point_is_refused(small_disk: Path) -> None:
    with pytest.raises(GreenlaneError) as caught:
        TREE.write_new(small_disk)
    assert "is a mount point, which cannot be replaced" in caught.value.message


def test_read_only_disk(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(GreenlaneError, match="Read-only file system") as caught:
        TREE.write_new(small_disk / "new")
    assert "can be written" in caught.value.hint


def test_folder_without_write_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(GreenlaneError, match="Permission denied"):
        TREE.write_new(tmp_path / "new")
    tmp_path.chmod(0o700)
