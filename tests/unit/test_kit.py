"""Loading a kit: what it says afterwards, and each mistake an author can make."""

import os
import time
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane.errors import GreenlaneError
from greenlane.kit import Choice, load_kit

PLAIN = "title: T\ndescription: D\ncategory: work\n"


def test_tiny_kit(make_kit: MakeKit) -> None:
    kit = load_kit(make_kit())
    assert (kit.name, kit.version) == ("tiny", "1.2.0")
    assert list(kit.apps) == ["desk", "shop"]
    assert list(kit.modules) == ["fax", "jobs", "mail"]
    assert [question.name for question in kit.questions] == [
        *("project_name", "database", "database_url", "loud"),
    ]
    database = kit.questions[1]
    assert database.type == "choice"
    assert database.choices == (Choice("SQLite", "sqlite"), Choice("PostgreSQL", "postgres"))
    base = kit.base.files
    assert list(base) == ["README.md", "app/main.py", "tool"]
    assert base["README.md"].template
    assert base["README.md"].shown == "base/files/README.md.jinja"
    assert not base["app/main.py"].template
    assert kit.parts["jobs"].contributes["dependencies"] == ("redis", "click")
    assert kit.presets["small"].answers == {"database": "postgres", "loud": True}
    chosen = [part.name for part in kit.chosen("shop", ["mail", "jobs"])]
    assert chosen == ["base", "shop", "jobs", "mail"]
    assert kit.owners("desk", ["jobs"])["app/jobs/__init__.py"] == "jobs"


def test_what_tools_leave_behind_is_not_part_of_the_kit(make_kit: MakeKit) -> None:
    # Installing a wheel compiles the kit's Python files in place.
    root = make_kit(
        {
            "base/files/app/__pycache__/main.cpython-311.pyc": b"\x00",
            "base/files/.DS_Store": "x",
            "modules/.DS_Store": "x",
            "base/files/.ruff_cache/x": "x",
        }
    )
    assert list(load_kit(root).base.files) == ["README.md", "app/main.py", "tool"]


HEAD = 'name: t\nversion: "1"\ndescription: d\n'


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("kit.yml", "nam: x\n", 'kit.yml, line 1: "nam" is not a key known here'),
        ("kit.yml", "name: Tiny Kit\n", "is 'Tiny Kit', expected lower-case"),
        ("kit.yml", "name: t\nversion: 1.10\ndescription: d\n", '"version" is a number'),
        ("kit.yml", 'name: t\nversion: "1"\n', 'needs "description", a text'),
        (
            "kit.yml",
            'name: t\nversion: "1"\ndescription: d\ncategories: {work: W}\n'
            "questions: [project_name, database, database_url]\n",
            'kit.yml: "questions" does not list "loud" of mail',
        ),
        (
            "kit.yml",
            'name: t\nversion: "1"\ndescription: d\ncategories: {work: W}\n'
            "questions: [project_name, database, database_url, loud, lout]\n",
            'line 5: "questions" lists "lout", which no part declares',
        ),
        ("kit.yml", f"{HEAD}categories: {{work: {{title: W, ask: A}}}}\n", 'needs "none", a text'),
        ("kit.yml", f"{HEAD}categories: {{work: {{title: W, none: N}}}}\n", 'needs "ask", a text'),
        ("kit.yml", f"{HEAD}categories: {{work: {{ask: A, none: N}}}}\n", 'needs "title", a text'),
        (
            "kit.yml",
            f"{HEAD}categories: {{work: {{titel: W}}}}\n",
            '"categories.work.titel" is not',
        ),
        ("kit.yml", f"{HEAD}categories: {{work: [W]}}\n", '"categories.work" is a list'),
        (
            "versions.yml",
            "python: {click: 1.10}\n",
            'versions.yml, line 1: "python.click" is a number',
        ),
        ("versions.yml", "python:\n", 'versions.yml, line 1: "python" is empty'),
        ("modules/jobs/module.yml", "title: J\n", 'module.yml, line 1: needs "description"'),
        ("modules/jobs/module.yml", "", 'modules/jobs/module.yml: needs "title"'),
        ("modules/jobs/module.yml", PLAIN + "sets: {a: b}\n", 'line 4: "sets" is not a key known'),
        ("modules/jobs/module.yml", PLAIN + "requires: [mial]\n", '"mial", which is no module'),
        ("modules/jobs/module.yml", PLAIN + "requires: [desk]\n", '"desk", which is no module'),
        ("modules/jobs/module.yml", PLAIN + "requires: [mail]\n", "require each other: "),
        ("modules/jobs/module.yml", PLAIN + "requires: [jobs]\n", "each other: jobs -> jobs"),
        ("modules/jobs/module.yml", PLAIN + "requires: mail\n", '"requires" is a text, expected a'),
        (
            "modules/jobs/module.yml",
            PLAIN + "conflicts: [mail]\n",
            "mail can never be chosen: it needs jobs and mail, which conflict",
        ),
        ("modules/jobs/module.yml", PLAIN + "contributes: {deps: [a]}\n", 'names the set "deps"'),
        ("modules/jobs/module.yml", PLAIN + "contributes: {features: [1]}\n", "holds 1, a number"),
        ("modules/jobs/module.yml", PLAIN + 'contributes: {features: ["a\\nb"]}\n', "single line"),
        ("modules/jobs/module.yml", PLAIN.replace("work", "wrok"), '"category" is "wrok"'),
        ("modules/jobs/module.yml", "title: T\ndescription: D\n", '"category" is ""'),
        ("modules/jobs/module.yml", b"\xff", "modules/jobs/module.yml is not UTF-8"),
        ("base/module.yml", PLAIN + "requires: [jobs]\n", '"requires" is not a key known here'),
        ("base/module.yml", PLAIN + "sets: {items: x}\n", '"sets.items" is not a name'),
        ("modules/jobs/moves.yml", "", "modules/jobs/moves.yml is not read"),
        ("modules/jobs/file/x", "", "modules/jobs/file is not read"),
        ("modules/Jobs/module.yml", PLAIN, "modules/Jobs: a part's name has lower-case"),
        ("modules/empty/files/x", "", "modules/empty has no module.yml"),
        ("modules/desk/module.yml", PLAIN, 'modules/desk: another part is called "desk"'),
        ("module/x/module.yml", PLAIN, "module/ is not a folder of a kit"),
        ("modules/jobs/slots/readme", "", 'base does not declare the slot "readme"'),
        ("modules/jobs/slots/a/b", "", "'modules/jobs/slots/a/b': a slot is a file directly in"),
        ("modules/jobs/slots/readme.md", "", "are both rendered to readme.md"),
        ("base/files/README.md", "", "are both rendered to README.md"),
        ("modules/jobs/files/tool", "", "modules/jobs/files/tool: the path tool is owned by base"),
        ("modules/jobs/files/README.md", "", "the path README.md is owned by base already"),
        ("modules/jobs/files/readme.md", "", "cannot exist together: equal but for case"),
        ("modules/jobs/files/tool/x", "", "base/files/tool and modules/jobs/files/tool/x cannot"),
        ("apps/desk/files/APP/main.py", "", "cannot exist together: equal but for case"),
        ("modules/jobs/files/.git/hooks/pre-commit", "", "the path is inside .git"),
        ("modules/jobs/files/.Greenlane/x", "", ".greenlane/ holds greenlane's own record"),
        ("modules/jobs/files/aux.txt", "", "a device on Windows"),
        ("modules/jobs/files/{{ x }}", "", "names of files are not rendered"),
        ("presets/Big.yml", "", "presets/Big.yml: a preset is called <name>.yml"),
        ("presets/big.yaml", "", "presets/big.yaml: a preset is called <name>.yml"),
        ("presets/small.yml", "app: desk\n", 'presets/small.yml, line 1: needs "description"'),
        ("presets/small.yml", "description: d\napp: dsk\n", 'names "dsk", which does not exist'),
        ("presets/small.yml", "description: d\nmodules: [jbs]\n", 'names "jbs", which does not'),
        ("presets/small.yml", "description: d\nanswers: {x: 1}\n", 'line 2: "answers.x" names "x"'),
        ("presets/small.yml", "description: d\nanswers: {loud: }\n", '"answers.loud" has no value'),
        ("presets/small.yml", "description: d\nanswers: {loud: [1]}\n", "has no single value"),
    ],
)
def test_mistakes_name_file_and_key(
    make_kit: MakeKit, file: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(GreenlaneError) as caught:
        load_kit(make_kit({file: content}))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("{help: h, defualt: x}", '"questions.q.defualt" is not a key known here'),
        ("{type: float, help: h}", 'is "float", expected str, bool, int or choice'),
        ("{type: choice, help: h}", "there are no choices"),
        ("{type: bool, help: h, choices: [a, b]}", "make no sense for true or false"),
        ("{help: h, choices: [a]}", "has 1 items, expected 2 to 200"),
        ("{help: h, choices: a}", "is a text, expected a list or a mapping"),
        ("{help: h, choices: [a, a]}", "has the same value twice"),
        ("{help: h, choices: [a, [b]]}", "has \"['b']\", a list; expected a text"),
        ("{help: h, choices: [a, b], default: c}", "is 'c', which is no choice"),
        (
            "{type: int, help: h, default: x}",
            '"questions.q.default" is a text, but the type is int',
        ),
        ("{type: int, help: h, default: true}", "is true or false, but the type is int"),
        ("{type: bool, help: h, default: no}", "is a text, but the type is bool"),
        ("{help: h, default: 1}", "is a number, but the type is str"),
        ("{help: h, default: [a]}", "is a list, expected a text"),
        ("{default: x}", 'needs "help", a text'),
        ('{help: h, when: "{{ loud }}"}', "has a `when` and no default"),
        ("{help: h, default: x, when: 3}", "is a number, expected a condition"),
        ('{help: h, pattern: "[a"}', "needs `pattern` and `pattern_help` together"),
        ('{help: h, pattern: "[a", pattern_help: x}', "is not a regular expression"),
        (f'{{help: h, pattern: "{"a" * 301}", pattern_help: x}}', "longer than 300 characters"),
        ("{type: int, help: h, pattern: a, pattern_help: x}", "is for questions of the type str"),
    ],
)
def test_mistakes_in_questions(make_kit: MakeKit, question: str, message: str) -> None:
    manifest = f"{PLAIN}questions:\n  q: {question}\n"
    with pytest.raises(GreenlaneError) as caught:
        load_kit(make_kit({"modules/jobs/module.yml": manifest}))
    assert caught.value.message.startswith("modules/jobs/module.yml, line 5: ")
    assert message in caught.value.message


@pytest.mark.parametrize("name", ["app", "sets", "range", "Name", "a-b", "9", "true", "_x"])
def test_names_that_no_question_may_have(make_kit: MakeKit, name: str) -> None:
    manifest = f'{PLAIN}questions:\n  "{name}": {{help: h, default: x}}\n'
    with pytest.raises(GreenlaneError, match="is not a name for a question"):
        load_kit(make_kit({"modules/jobs/module.yml": manifest}))


def test_a_question_is_declared_once(make_kit: MakeKit) -> None:
    manifest = f"{PLAIN}questions:\n  loud: {{help: h, default: x}}\n"
    with pytest.raises(GreenlaneError, match='mail/module.yml: the question "loud" is declared by'):
        load_kit(make_kit({"modules/jobs/module.yml": manifest}))


def test_two_archetypes_may_own_one_path(make_kit: MakeKit) -> None:
    # Exactly one is chosen, so nothing wins silently.
    both = {"apps/desk/files/slo.yaml": "a: 1\n", "apps/shop/files/slo.yaml": "a: 2\n"}
    assert load_kit(make_kit(both)).owners("shop", [])["slo.yaml"] == "shop"


@pytest.mark.parametrize(
    "place",
    [
        *("kit.yml", "versions.yml", "base", "modules/jobs", "modules/jobs/module.yml"),
        *(
            "base/files",
            "base/files/link",
            "base/files/app/folder",
            "base/slots/link",
            "presets/x.yml",
        ),
    ],
)
@pytest.mark.parametrize("target", ["outside", "missing", "../..", "/etc", "loop"])
def test_symbolic_links_are_refused(
    make_kit: MakeKit, tmp_path: Path, place: str, target: str
) -> None:
    root = make_kit()
    outside = tmp_path / "outside"
    link = root / place
    if link.exists():
        link.rename(outside)
    else:
        outside.write_text("x")
    link.symlink_to(
        {"outside": outside, "missing": tmp_path / "nothing", "loop": link}.get(
            target, Path(target)
        )
    )
    with pytest.raises(GreenlaneError, match="symbolic link|is not a kit: it has no kit.yml"):
        load_kit(root)


def test_pipes_are_refused(make_kit: MakeKit) -> None:
    root = make_kit()
    os.mkfifo(root / "base/files/pipe")
    with pytest.raises(GreenlaneError, match="base/files/pipe is neither a file nor a folder"):
        load_kit(root)


def test_names_that_are_not_text(make_kit: MakeKit) -> None:
    root = make_kit()
    (root / os.fsdecode(b"base/files/a\xff\x1b[2J")).touch()
    with pytest.raises(GreenlaneError) as caught:
        load_kit(root)
    assert "cannot be seen, or is not UTF-8" in caught.value.message
    assert caught.value.message.isprintable()


def test_not_a_kit(tmp_path: Path) -> None:
    with pytest.raises(GreenlaneError, match="is not a kit: it has no kit.yml"):
        load_kit(tmp_path)
    with pytest.raises(GreenlaneError, match="is not a kit: it has no kit.yml"):
        load_kit(tmp_path / "missing")


def test_unreadable_file(make_kit: MakeKit) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    root = make_kit()
    (root / "base/module.yml").chmod(0)
    with pytest.raises(GreenlaneError, match="base/module.yml cannot be read: Permission denied"):
        load_kit(root)


def test_a_hundred_thousand_questions(make_kit: MakeKit) -> None:
    questions = "".join(f"  q{n}: {{help: h}}\n" for n in range(100_000))
    started = time.monotonic()
    with pytest.raises(GreenlaneError, match="bytes; at most 262,144 are read"):
        load_kit(make_kit({"modules/jobs/module.yml": f"{PLAIN}questions:\n{questions}"}))
    many = "".join(f"  q{n}: {{help: h}}\n" for n in range(9000))
    listed = "\n".join(f"  - q{n}" for n in range(9000))
    head = f'name: t\nversion: "1"\ndescription: d\ncategories: {{work: W}}\nquestions:\n{listed}\n'
    with pytest.raises(GreenlaneError, match="lists 9000; at most 200 are asked"):
        load_kit(
            make_kit(
                {"kit.yml": head, "modules/jobs/module.yml": f"{PLAIN}questions:\n{many}"}, "k2"
            )
        )
    assert time.monotonic() - started < 20


def test_no_archetype(make_kit: MakeKit) -> None:
    without = dict.fromkeys(("apps/desk/module.yml", "apps/desk/files/app/desk.py"))
    without |= dict.fromkeys(("apps/shop/module.yml", "apps/shop/files/app/shop.py"))
    with pytest.raises(GreenlaneError, match="The kit has no archetype"):
        load_kit(make_kit(without))


def test_moves_are_read(make_kit: MakeKit) -> None:
    move = 'moves:\n  - {version: "1.1.0", from: old.py, to: app/new.py}\n'
    kit = load_kit(make_kit({"modules/fax/module.yml": PLAIN + move}))
    (found,) = kit.parts["fax"].moves
    assert (found.version, found.source, found.target) == ("1.1.0", "old.py", "app/new.py")
    with pytest.raises(GreenlaneError, match=r'"moves.0.to" is a path that has the part "\.\."'):
        load_kit(make_kit({"modules/fax/module.yml": PLAIN + move.replace("app/", "../")}, "k2"))
