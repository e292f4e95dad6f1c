"""Rendering: what templates see, what they cannot do, and the same bytes everywhere."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane.answers import resolve
from greenlane.errors import GreenlaneError
from greenlane.kit import load_kit
from greenlane.render import render
from greenlane.tree import EXECUTABLE, REGULAR, File, Tree


def rendered(root: Path, *sets: str, **options: object) -> Tree:
    kit = load_kit(root)
    return render(kit, resolve(kit, sets=["app=shop", *sets], **options))  # type: ignore[arg-type]


def one(make_kit: MakeKit, template: str, *sets: str) -> str:
    """The text that a template of the base comes to."""
    root = make_kit({"base/files/x.txt.jinja": template})
    return rendered(root, *sets)["x.txt"].content.decode()


def test_sets_and_slots_come_from_all_chosen_parts(make_kit: MakeKit) -> None:
    tree = rendered(make_kit(), "project_name=acme", with_parts=["mail"])
    assert list(tree) == ["README.md", "app/jobs/__init__.py", "app/main.py", "app/shop.py", "tool"]
    assert tree["README.md"].content.decode() == (
        "# acme\n\n- click>=8.2\n- redis>=6,<7\n\n## Base\n\n## Jobs of acme\n"
    )
    assert tree["app/main.py"] == File(b'print("{{ not a template }}")\n', REGULAR)
    assert tree["tool"].mode == EXECUTABLE


def test_what_is_not_chosen_leaves_nothing_behind(make_kit: MakeKit) -> None:
    tree = rendered(make_kit())
    assert list(tree) == ["README.md", "app/main.py", "app/shop.py", "tool"]
    assert tree["README.md"].content.decode() == "# my-app\n\n- click>=8.2\n\n## Base\n"


def test_context(make_kit: MakeKit) -> None:
    template = (
        "{{ app }} {{ modules }} {{ kit.name }} {{ kit.version }} {{ database }} "
        "{{ sets.features }} {{ slots['readme.md'] | length }} {{ versions.python.click | quoted }}"
    )
    root = make_kit({"base/files/x.txt.jinja": template})
    tree = rendered(root, "modules=jobs")
    assert tree["x.txt"].content.decode() == (
        "shop ['jobs'] tiny 1.2.0 sqlite ['app.jobs'] 26 \">=8.2\""
    )


def test_rendered_scripts_are_executable(make_kit: MakeKit) -> None:
    root = make_kit({"base/files/run.jinja": "#!/bin/sh\necho {{ app }}\n"})
    assert rendered(root)["run"].mode == EXECUTABLE


def test_bytes_are_copied_as_they_are(make_kit: MakeKit) -> None:
    odd = b"\xff\x00\r\n{{ x }}\n\n no end"
    assert rendered(make_kit({"base/files/odd.bin": odd}))["odd.bin"].content == odd


@pytest.mark.parametrize("value", ['a"; rm', "${{ x }}", "{{ 7*7 }}", "{% for %}", "$(id) `id`"])
def test_an_answer_is_never_a_template(make_kit: MakeKit, value: str) -> None:
    text = one(make_kit, "{{ database_url }}\n", "database=postgres", f"database_url={value}")
    assert text == f"{value}\n"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\n{{ nope }}\n", "base/files/x.txt.jinja, line 2: 'nope' is undefined"),
        ("a\n\n{{ versions.python.nope }}\n", "line 3: 'dict object' has no attribute 'nope'"),
        ("{{ nope | quoted }}", "line 1: 'nope' is undefined"),
        ("{% if nope %}x{% endif %}", "line 1: 'nope' is undefined"),
        ("a\nb\n{% if %}\n", "line 3: Expected an expression"),
        ("{{ 1 / 0 }}", "line 1: division by zero"),
        ("{{ 'a' + 1 }}", "line 1: "),
        ("{{ [1][5] }}", "line 1: list object has no element 5"),
        ("{{ none.x }}", "line 1: 'None' has no attribute 'x'"),
        ("{{ x | nosuch }}", "line 1: No filter named 'nosuch'"),
        ("{{ [1] | random }}", "line 1: No filter named 'random'"),
        ("{{ lipsum() }}", "line 1: 'lipsum' is undefined"),
        ("{{ 'x' | indent(first='a', width=[]) }}", "line 1: "),
        ("{% include '../base/module.yml' %}", "cannot include, import or extend another one"),
        ("{% include '/etc/passwd' %}", "cannot include, import or extend another one"),
        ("{% import 'x' as x %}{{ x.y }}", "cannot include, import or extend another one"),
        ("{% extends 'x' %}", "cannot include, import or extend another one"),
        ("{% set _ = modules.append('x') %}", "line 1: "),
        ("{% set _ = versions.update({}) %}", "line 1: "),
        ("{% for i in range(1000000000) %}x{% endfor %}", "line 1: Range too big"),
    ],
)
def test_mistakes_name_file_and_line(make_kit: MakeKit, template: str, message: str) -> None:
    with pytest.raises(GreenlaneError) as caught:
        one(make_kit, template)
    assert caught.value.message.startswith("base/files/x.txt.jinja")
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ app.__init__.__globals__ }}",
        "{{ (app|attr('__class__')).__name__ }}",
        "{{ app|map(attribute='__class__')|first }}",
        "{{ [app]|map(attribute='__class__')|first }}",
        "{{ [app]|map('attr', '__class__')|first }}",
        "{{ '{0.__class__.__mro__}'.format(app) }}",
        "{{ ('{0.__class__}'|attr('format'))(app) }}",
        "{{ ['{0.__class__}'.format]|map('x')|list }}",
        "{{ '{x.__class__}'.format_map({'x': app}) }}",
        "{{ 'x'.format.__self__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ joiner.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ range.__class__ }}",
        "{{ dict.__base__ }}",
        "{{ dict.mro() }}",
        "{{ (1).__class__ }}",
        "{{ app.x.__class__ }}",
        "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
        "{% macro m() %}{{ caller.__init__ }}{% endmacro %}{% call m() %}{% endcall %}",
        "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
        "{{ _ctx }}",
        "{{ environment }}",
        "{{ url_for.__globals__ }}",
    ],
)
def test_the_sandbox_holds(make_kit: MakeKit, template: str) -> None:
    with pytest.raises(GreenlaneError, match="unsafe|undefined|no attribute|No filter"):
        one(make_kit, template)


def test_hostile_names_of_files_do_not_become_code(make_kit: MakeKit) -> None:
    # CVE-2024-56201: the name of a template was put into the compiled source.
    name = "base/files/{% x %}'+print()+'.txt.jinja"
    with pytest.raises(GreenlaneError, match="names of files are not rendered"):
        load_kit(make_kit({name: "x"}))
    quote = load_kit(make_kit({"base/files/it's.txt.jinja": "{{ app }}"}, "k2"))
    tree = render(quote, resolve(quote, sets=["app=shop"]))
    assert tree["it's.txt"].content == b"shop"


def test_a_template_that_never_ends_is_stopped(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenlane.sandbox._SECONDS", 0.5)
    bomb = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    started = time.monotonic()
    with pytest.raises(GreenlaneError, match=r"x.txt.jinja took more than 0.5 s and was stopped"):
        one(make_kit, bomb)
    assert time.monotonic() - started < 20


def test_only_plain_data_reaches_a_template() -> None:
    from greenlane.sandbox import plain

    with pytest.raises(TypeError, match="PosixPath must not reach a template"):
        plain({"a": [Path()]})
    copied = plain({"a": ("x", {"b": 1})})
    assert copied == {"a": ["x", {"b": 1}]}


def test_not_utf8(make_kit: MakeKit) -> None:
    root = make_kit({"base/files/x.txt.jinja": b"a\xff"})
    with pytest.raises(GreenlaneError, match="base/files/x.txt.jinja is not UTF-8"):
        rendered(root)


def test_a_file_replaced_by_a_link_after_loading(make_kit: MakeKit, tmp_path: Path) -> None:
    root = make_kit()
    kit = load_kit(root)
    (tmp_path / "secret").write_text("secret")
    (root / "base/files/tool").unlink()
    (root / "base/files/tool").symlink_to(tmp_path / "secret")
    with pytest.raises(GreenlaneError, match="base/files/tool is a symbolic link"):
        render(kit, resolve(kit, sets=["app=shop"]))


def test_no_secret_of_the_environment_is_rendered(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-value")
    tree = rendered(make_kit(), with_parts=["mail"])
    assert not any(b"s3cr3t-value" in file.content for file in tree.values())


_SCRIPT = """\
import sys
from pathlib import Path
from greenlane.answers import resolve
from greenlane.kit import load_kit
from greenlane.record import with_record
from greenlane.render import render
kit = load_kit(Path(sys.argv[1]))
answers = resolve(kit, preset="small", name="acme")
print(with_record(render(kit, answers), kit, answers).digest())
"""


def test_same_bytes_on_every_machine(make_kit: MakeKit, tmp_path: Path) -> None:
    first, second = make_kit(name="one"), tmp_path / "deeper" / "two"
    # The same files, made in another order and at another time, with other modes.
    for file in sorted(first.rglob("*"), reverse=True):
        if file.is_file():
            copy = second / file.relative_to(first)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
            copy.chmod(0o600)
            os.utime(copy, (1, 1))
    digests = set()
    for root, seed, zone, locale, mask in [
        (first, "0", "UTC", "C", "0o022"),
        (second, "1", "Asia/Kathmandu", "C.UTF-8", "0o077"),
        (second, "2", "America/St_Johns", "tr_TR.UTF-8", "0o000"),
    ]:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        script = f"import os\nos.umask({mask})\n{_SCRIPT}"
        digests.add(
            subprocess.run(
                [sys.executable, "-c", script, str(root)],
                env=environment,
                cwd=root.parent,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
    assert len(digests) == 1
