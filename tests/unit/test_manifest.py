"""The YAML of strangers: what is read, and how every refusal names its place."""

import os
import time
from pathlib import Path

import pytest

from greenlane.errors import GreenlaneError
from greenlane.manifest import MANIFEST_BYTES, parse_manifest, read_manifest


def test_plain_scalars_follow_yaml_1_2() -> None:
    text = """\
word: no
country: NO
on: on
date: 2026-11-14
version: "1.10"
count: 12
negative: -3
truth: true
nothing:
sexagesimal: 12:30
huge: 123456789012345678901234567890
quoted: "12"
block: |
  two
  lines
list: [a, 1, false]
"""
    assert parse_manifest(text, "f").data == {
        "word": "no",
        "country": "NO",
        "on": "on",
        "date": "2026-11-14",
        "version": "1.10",
        "count": 12,
        "negative": -3,
        "truth": True,
        "nothing": None,
        "sexagesimal": "12:30",
        "huge": "123456789012345678901234567890",
        "quoted": "12",
        "block": "two\nlines\n",
        "list": ["a", 1, False],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 'line 3: the key "a" twice'),
        ("a: {x: 1, x: 2}\n", 'line 1: the key "x" twice'),
        ("a: &x [1]\n", "line 1: an anchor or alias"),
        ("a: 1\nb: *x\n", "line 2: an anchor or alias"),
        ("a: !!python/object/apply:os.system [id]\n", "line 1: the tag tag:yaml.org,2002:python"),
        ("a: !!str 1\n", "line 1: the tag tag:yaml.org,2002:str"),
        ("!x a: 1\n", "line 1: a tag or anchor on a key"),
        ("? [a]\n: 1\n", "line 1: a key that is no text"),
        ("a: 1\n---\nb: 2\n", "line 2: a second document"),
        ("a: [1\n", "is not YAML"),
        ("a: b: c\n", "line 1 is not YAML"),
        ("a: \x07\n", "is not YAML"),
        ("- a\n", "holds a list, expected a mapping"),
        ("just words\n", "holds a text, expected a mapping"),
        ("a: " + "[" * 40 + "]" * 40, "more than 16 levels"),
    ],
)
def test_refusals_name_file_and_line(text: str, message: str) -> None:
    with pytest.raises(GreenlaneError) as caught:
        parse_manifest(text, "modules/x/module.yml")
    assert caught.value.message.startswith("modules/x/module.yml")
    assert message in caught.value.message
    assert caught.value.hint


def test_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.monotonic()
    with pytest.raises(GreenlaneError, match="anchor"):
        parse_manifest("\n".join(lines), "f")
    assert time.monotonic() - started < 5


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    with pytest.raises(GreenlaneError, match="levels"):
        parse_manifest("[" * 100_000 + "]" * 100_000, "f")


def test_big_files_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "kit.yml"
    file.write_bytes(b"#" * (MANIFEST_BYTES + 1))
    with pytest.raises(GreenlaneError, match=r"262,145 bytes; at most 262,144"):
        read_manifest(file, "kit.yml")


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("a: 1\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name, message in [
        ("link", "symbolic link"),
        ("dangling", "symbolic link"),
        ("pipe", "is not a file"),
        ("missing", "cannot be read: No such file"),
        (".", "is not a file"),
    ]:
        with pytest.raises(GreenlaneError, match=message):
            read_manifest(tmp_path / name, name)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a: \xff\n")
    with pytest.raises(GreenlaneError, match="f is not UTF-8 \\(byte 3\\)"):
        read_manifest(tmp_path / "f", "f")


def test_section_getters_say_what_was_expected() -> None:
    section = parse_manifest(
        "title: 3\ntags: x\nmixed: [a, 1]\ntwice: [a, a]\ninner: {b: 1}\n", "f"
    )
    for call, message in [
        (lambda: section.text("title"), 'line 1: "title" is a number, expected a text'),
        (lambda: section.text("absent"), 'needs "absent", a text'),
        (lambda: section.texts("tags"), 'line 2: "tags" is a text, expected a list'),
        (lambda: section.texts("mixed"), 'line 3: "mixed" holds 1, a number'),
        (lambda: section.texts("twice"), 'line 4: "twice" holds "a" twice'),
        (lambda: section.section("tags"), 'line 2: "tags" is a text, expected a mapping'),
        (lambda: section.section("inner").only("bb"), 'line 5: "inner.b" is not a key known here'),
        (lambda: section.sections("mixed"), "should be a list of mappings"),
    ]:
        with pytest.raises(GreenlaneError) as caught:
            call()
        assert message in caught.value.message
