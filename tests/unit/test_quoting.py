"""A text stays one text in every format that a kit writes."""

import json
import tomllib

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from greenlane.manifest import parse_manifest
from greenlane.quoting import quoted, yaml_scalar

ATTACKS = [
    *('a"; rm -rf /', "${{ secrets.X }}", "{{ 7 * 7 }}", "{% raw %}", "a: #b", "# x", "- x", "!!x"),
    *(
        "$(id)",
        "`id`",
        "${HOME}",
        "\\",
        '"""',
        "'''",
        "null",
        "no",
        "1e3",
        "~",
        "",
        " ",
        "|",
        ">",
        "%",
    ),
    *("\x7f", "\x85", "\u2028", "\ufeff", "\uffff", "é", "😀", "</script>", "=", "@x", "&a", "*a"),
]


@given(st.text(st.characters(exclude_categories=["Cs"])))
@pytest.mark.parametrize("attack", ATTACKS)
def test_quoted_reads_back_literally(attack: str, text: str) -> None:
    for value in (attack, text, attack + text):
        written = quoted(value)
        assert "\n" not in written
        assert json.loads(written) == value
        assert tomllib.loads(f"a = {written}") == {"a": value}
        for loader in (yaml.SafeLoader, yaml.CSafeLoader):
            assert yaml.load(f"a: {written}\nb: [{written}]\n", loader) == {
                "a": value,
                "b": [value],
            }
        assert parse_manifest(f"a: {written}\n", "f").data == {"a": value}


@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.integers()))
@example("no")
@example("1.10")
@example("2026-11-14")
@example("a-b/c.d")
@example("a: b")
def test_yaml_scalar_keeps_value_and_type(value: str | bool | int) -> None:
    read = yaml.safe_load(f"a: {yaml_scalar(value)}\n")["a"]
    assert read == value
    assert type(read) is type(value)
    if not isinstance(value, int) or abs(value) < 10**18:
        ours = parse_manifest(f"a: {yaml_scalar(value)}\n", "f").data["a"]
        assert ours == value
        assert type(ours) is type(value)


def test_plain_words_stay_bare() -> None:
    assert yaml_scalar("ci-github") == "ci-github"
    assert yaml_scalar("Apache-2.0") == "Apache-2.0"
    assert yaml_scalar("Yes") == '"Yes"'
