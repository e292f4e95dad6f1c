"""Trees as values."""

import pytest

from greenlane.errors import GreenlaneError
from greenlane.tree import EXECUTABLE, File, Tree


def test_is_an_immutable_sorted_mapping() -> None:
    files = {"b": File(b"2"), "a": File(b"1")}
    tree = Tree(files)
    files["c"] = File(b"3")
    assert list(tree) == ["a", "b"]
    assert len(tree) == 2
    assert tree["a"].content == b"1"
    assert tree == {"a": File(b"1"), "b": File(b"2")}
    with pytest.raises(TypeError):
        tree["c"] = File(b"")  # type: ignore[index]
    with pytest.raises(AttributeError):
        tree["a"].content = b""  # type: ignore[misc]


@pytest.mark.parametrize("path", ["../x", "/x", ".git/config", "a\nb", "CON"])
def test_refuses_unsafe_paths_wherever_they_come_from(path: str) -> None:
    with pytest.raises(GreenlaneError):
        Tree({path: File(b"")})


def test_refuses_paths_that_cannot_exist_together() -> None:
    with pytest.raises(GreenlaneError, match="README and readme cannot exist together"):
        Tree({"README": File(b""), "readme": File(b"")})


@pytest.mark.parametrize("mode", [0o777, 0o4755, 0o120000, 0])
def test_refuses_other_modes(mode: int) -> None:
    with pytest.raises(ValueError, match="neither 644 nor 755"):
        File(b"", mode)


def test_digest_sees_path_mode_content_and_nothing_else() -> None:
    base = Tree({"a": File(b"xy"), "b": File(b"z")})
    assert base.digest() == Tree({"b": File(b"z"), "a": File(b"xy")}).digest()
    others = [
        Tree({"a": File(b"xy")}),
        Tree({"a": File(b"xy"), "c": File(b"z")}),
        Tree({"a": File(b"xy", EXECUTABLE), "b": File(b"z")}),
        Tree({"a": File(b"xyz"), "b": File(b"")}),
        Tree({"a": File(b"x"), "b": File(b"yz")}),
        Tree({"ab": File(b"xyz")}),
    ]
    assert len({tree.digest() for tree in [base, *others]}) == len(others) + 1


def test_outline() -> None:
    tree = Tree(
        {p: File(b"") for p in ["README.md", "app/core/db.py", "app/main.py", "z/a", "z/b"]}
    )
    assert tree.outline() == [
        "├── app/",
        "│   ├── core/",
        "│   │   └── db.py",
        "│   └── main.py",
        "├── z/",
        "│   ├── a",
        "│   └── b",
        "└── README.md",
    ]
    assert tree.outline(depth=1) == ["├── app/ (2 files)", "├── z/ (2 files)", "└── README.md"]
    assert tree.outline(depth=2)[1] == "│   ├── core/ (1 file)"
