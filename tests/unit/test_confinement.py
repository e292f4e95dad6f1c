"""Strangers' templates are evaluated elsewhere: the same results, and limits on what they take."""

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane import confinement
from greenlane.answers import resolve
from greenlane.confinement import confined
from greenlane.errors import GreenlaneError
from greenlane.kit import load_kit
from greenlane.sandbox import environment, render_text

SAMPLES = {
    "batch": "[1, 2] | batch(2) | list",
    "dictsort": "{'b': 1} | dictsort",
    "groupby": "[{'a': 1}] | groupby('a') | list",
    "pprint": "[1] | pprint",
    "replace": "'a' | replace('a', 'b')",
    "round": "1.5 | round",
    "slice": "[1, 2] | slice(2) | list",
    "striptags": "'<b>x</b>' | striptags",
    "sum": "[1] | sum",
    "tojson": "{'a': '<'} | tojson",
    "urlize": "'https://example.com' | urlize",
    "xmlattr": "{'a': 1} | xmlattr",
}


def outcome(expression: str, *, trusted: bool) -> str:
    try:
        return render_text(f"{{{{ {expression} }}}}", {}, "x", trusted=trusted)
    except GreenlaneError as error:
        return str(error)


def test_every_filter_works_as_it_does_at_home() -> None:
    for name in environment().filters:
        expression = SAMPLES.get(name, f"'a b' | {name}")
        here, there = (outcome(expression, trusted=trusted) for trusted in (True, False))
        assert here.partition(" at 0x")[0] == there.partition(" at 0x")[0], name


def test_what_goes_in_comes_out_as_it_was() -> None:
    context = {"text": "é \ud800 \n", "on": True, "n": 10**20, "list": [1, None], "map": {"b": 1.5}}
    template = "{{ text }}{{ on }}{{ n }}{{ list }}{{ map }}"
    here, there = (render_text(template, context, "x", trusted=trust) for trust in (True, False))
    assert here == there


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ 'x' * 10**10 }}", "x.jinja needs too much memory"),
        (
            "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}"
            "{% endfor %}",
            "x.jinja needs too much memory",
        ),
        ("{{ 'x' * 40000000 }}", "x.jinja comes to more than 32 MB"),
        ("a\n{{ nope }}", "x.jinja, line 2: 'nope' is undefined"),
        ("a\n{% for %}", "x.jinja, line 2: Expected an expression"),
        ("{{" + "-" * 100_000 + "1}}", "recursion"),
        ("{{ ''.__class__ }}", "unsafe"),
    ],
)
def test_what_takes_too_much_is_an_error(template: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(GreenlaneError, match=message):
        render_text(template, {}, "x.jinja", trusted=False)
    assert time.monotonic() - started < 10
    assert render_text("{{ 1 + 1 }}", {}, "x", trusted=False) == "2"


def test_a_child_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "_SECONDS", 0.5)
    with pytest.raises(GreenlaneError, match=r"x took more than 0.5 s and was stopped"):
        # One call into C, which no signal interrupts.
        render_text("{{ 3 ** n }}", {"n": 10**9}, "x", trusted=False)
    monkeypatch.undo()
    assert render_text("{{ 1 + 1 }}", {}, "x", trusted=False) == "2"


def test_a_child_that_is_killed_is_replaced() -> None:
    render_text("", {}, "x", trusted=False)
    child = confinement._child
    assert child is not None
    child._process.kill()
    child._process.wait()
    with pytest.raises(GreenlaneError, match="x broke down"):
        render_text("", {}, "x", trusted=False)
    assert render_text("{{ 1 }}", {}, "x", trusted=False) == "1"


def test_an_interrupted_call_leaves_no_reply_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(confinement._Child, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render_text("old", {}, "x", trusted=False)
    assert render_text("new", {}, "x", trusted=False) == "new"


def test_threads_take_turns() -> None:
    results: list[str] = []

    def work(number: int) -> None:
        for _ in range(20):
            results.append(render_text("{{ n }}", {"n": number}, "x", trusted=False))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(str(number) for number in range(4) for _ in range(20))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forks beside threads
def test_after_a_fork_there_is_another_child() -> None:
    render_text("", {}, "x", trusted=False)
    child = confinement._child
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        work = [pool.submit(render_text, "{{ n }}", {"n": n}, "x", trusted=False) for n in range(8)]
        assert [done.result() for done in work] == [str(n) for n in range(8)]
    assert confinement._child is child
    assert render_text("{{ 1 }}", {}, "x", trusted=False) == "1"


def test_the_child_knows_no_secret_and_opens_no_file() -> None:
    render_text("", {}, "x", trusted=False)
    child = confinement._child
    assert child is not None
    process = Path(f"/proc/{child._process.pid}")
    if not process.exists():
        pytest.skip("no /proc here")
    assert (process / "environ").read_text() == ""
    lines = (process / "limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert limits["Max open files"] == ["0", "0"]
    assert limits["Max processes"] == ["0", "0"]
    assert limits["Max file size"] == ["0", "0"]
    assert limits["Max address space"] == [str(confinement.MEMORY_BYTES)] * 2


def test_patterns_are_matched_there_too() -> None:
    assert confined("match", "x", "[a-z]+", "abc") is True
    with pytest.raises(GreenlaneError, match="x took more than 2 s"):
        confined("match", "x", "(a+)+b", "a" * 40)


def test_questions_of_a_strange_kit_are_evaluated_there(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def spy(task: str, shown: str, *arguments: object) -> str | bool:
        asked.append(f"{task} {shown}")
        return confined(task, shown, *arguments)

    monkeypatch.setattr(confinement, "confined", spy)
    resolve(load_kit(make_kit()), preset="small", name="tiny")
    assert "match base, pattern of project_name" in asked
    assert "render base, when of database_url" in asked
    assert "render base, default of database_url" in asked


def test_a_whole_rendering_has_limits_too(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenlane import render

    kit = load_kit(make_kit({"base/files/a.txt": "x" * 600, "base/files/b.txt": "x" * 600}))
    answers = resolve(kit, preset="small")
    monkeypatch.setattr(render, "_TREE_BYTES", 1000)
    with pytest.raises(GreenlaneError, match="stopped at base/files/b.txt"):
        render.render(kit, answers)
