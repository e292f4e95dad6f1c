"""Lists merged item by item, versions in order, and values that a template draws anew."""

import pytest

from greenlane.evolution import version_key
from greenlane.keyed import merge_items, merge_keyed
from greenlane.tree import File
from greenlane.volatile import keep_volatile

TOML = '[project]\nname = "x"\ndependencies = [\n{}]\n'


def toml(*requirements: str) -> bytes:
    return TOML.format("".join(f'    "{item}",\n' for item in requirements)).encode()


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ({}, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 1}, {"a": 1}, {"a": 2, "b": 1}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 3}, None),
        ({"a": 1}, {"a": 2}, {}, None),
        ({"a": 1}, {}, {"a": 2}, None),
    ],
)
def test_items_are_merged_by_key(base: dict, ours: dict, theirs: dict, merged: dict | None) -> None:
    assert merge_items(base, ours, theirs) == merged


def test_an_item_of_theirs_comes_after_the_one_that_precedes_it_there() -> None:
    merged = merge_items({"a": 0, "c": 0}, {"a": 0, "x": 0, "c": 0}, {"a": 0, "b": 0, "c": 0})
    assert list(merged or ()) == ["a", "b", "x", "c"]


def test_requirements_are_the_same_whatever_the_spelling_of_the_name() -> None:
    merged = merge_keyed(
        "pyproject.toml",
        toml("Foo_Bar>=1"),
        toml("Foo_Bar>=1", "mine"),
        toml("foo-bar>=2", "theirs"),
    )
    assert merged == toml("foo-bar>=2", "theirs", "mine")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (toml("a>=2"), toml("a>=3")),
        (toml("a", "a; python_version < '3.12'", "a"), toml("b")),
        (b"not [ toml", toml("b")),
        (b"\xff", toml("b")),
        (toml("a") + b"[tool.x]\ny = 1\n", toml("a") + b"[tool.x]\ny = 2\n"),
    ],
)
def test_what_cannot_be_merged_by_name_stays_a_conflict(ours: bytes, theirs: bytes) -> None:
    assert merge_keyed("pyproject.toml", toml("a"), ours, theirs) is None


def test_a_comment_of_the_user_is_not_lost_with_the_line_it_stands_on() -> None:
    commented = toml("a", "b").replace(b'"b",', b'"b",  # needed by us')
    assert merge_keyed("pyproject.toml", toml("a", "b"), commented, toml("a", "c")) is None


def test_ignore_rules_that_take_back_others_stay_a_conflict() -> None:
    assert merge_keyed(".gitignore", b"*.log\n", b"*.log\n!my.log\n", b"*.log\n/x\n") is None


def test_comments_of_both_sides_stay_with_their_lines() -> None:
    merged = merge_keyed(".env.example", b"A=1\n", b"A=1\n# ours\nB=1\n", b"A=1\n# kit's\nC=1\n")
    assert merged == b"A=1\n# kit's\nC=1\n# ours\nB=1\n"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.4", "1.10"),
        ("2.0-rc.1", "2.0"),
        ("2.0-rc.2", "2.0-rc.10"),
        ("1.0", "1.0.1"),
        ("0.9", "10"),
    ],
)
def test_versions_are_compared_as_numbers(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def test_versions_that_mean_the_same_are_equal() -> None:
    assert version_key("1.0") == version_key("1.0.0") == version_key("1.0+build")


def test_a_value_that_is_drawn_anew_is_kept_and_all_else_arrives() -> None:
    base = {"s.py": File(b'DEBUG = 1\nKEY = "abc123"\nX = 1\n'), "t.py": File(b"T\n")}
    again = {"s.py": File(b'DEBUG = 1\nKEY = "xyz789"\nX = 1\n'), "t.py": File(b"T\n")}
    theirs = {"s.py": File(b'KEY = "qrs456"\nX = 2\nY = 1\n'), "t.py": File(b"T2\n")}
    kept = keep_volatile(base, again, theirs)
    assert kept.paths == ("s.py",)
    assert kept.files["s.py"].content == b'KEY = "abc123"\nX = 2\nY = 1\n'
    assert kept.files["t.py"].content == b"T2\n"


def test_a_binary_that_is_drawn_anew_is_kept_as_it_is() -> None:
    base, again, theirs = ({"k": File(b"\0" + key)} for key in (b"one", b"two", b"three"))
    assert keep_volatile(base, again, theirs).files["k"].content == b"\0one"


def test_a_version_of_any_length_can_be_compared() -> None:
    assert version_key("9" * 10_000) > version_key("1")
