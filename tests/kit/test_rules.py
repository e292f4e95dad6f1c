"""The rules of a kit: the built-in one keeps them all, and each is seen when it is broken."""

import subprocess

import pytest

from conftest import MakeKit
from greenlane.kit import built_in_root
from greenlane.lint import Finding, lint
from greenlane.rules import EACH, WHOLE

TITLED = "title: T\ndescription: D\ncategory: work\n"
# The tiny kit as it keeps every rule.
SOUND: dict[str, str | bytes | None] = {
    "modules/mail/files/loud.txt.jinja": "{{ loud }}\n",
    "base/files/README.md.jinja": "# {{ project_name }} {{ database_url }}\n\n"
    "{% for name in sets.dependencies %}\n- {{ name }}{{ versions.python[name] }}\n{% endfor %}\n"
    "{% for name in sets.features %}\n- {{ name }}\n{% endfor %}\n\n"
    '{{ slots["readme.md"] }}\n',
}
GHP = "ghp_" + "a1" * 18


def test_the_built_in_kit_keeps_every_rule() -> None:
    assert lint(built_in_root()) == []


def test_a_sound_kit(make_kit: MakeKit) -> None:
    assert lint(make_kit(SOUND)) == []


BROKEN = [
    ("versions-used", {"versions.yml": 'python:\n  click: ">=8"\n  redis: ">=6"\n  x: "1"\n'},
     "versions.yml", 4),
    ("versions-used", {"versions.yml":
     'python: {click: ">=8", redis: ">=6"}\nimages:\n  runner: "1"\n'},
     "versions.yml", 3),
    ("versions-there", {"modules/fax/module.yml": f"{TITLED}contributes:\n  dependencies: [y]\n"},
     "modules/fax/module.yml", 5),
    ("actions-by-commit", {"versions.yml": 'python: {click: ">=8", redis: ">=6"}\n'
     'actions:\n  a/b: {tag: v1, commit: v1}\n', "base/files/x.jinja": "{# a/b #}\n"},
     "versions.yml", 3),
    ("actions-through-versions", {"base/files/.github/workflows/a.yml":
     "steps:\n  - uses: a/b@v1\n"}, "base/files/.github/workflows/a.yml", 2),
    ("sockets-read", {"base/files/README.md.jinja": '{{ database_url }} {{ slots["readme.md"] }} '
     "{{ sets.dependencies }} {{ project_name }} {{ versions.python }}\n"}, "base/module.yml", 5),
    ("questions-matter", {"modules/mail/files/loud.txt.jinja": "quiet\n"},
     "modules/mail/module.yml", 6),
    ("questions-in-plain-words", {"modules/mail/module.yml":
     f"{TITLED}questions:\n  loud:\n    help: loud\n    type: bool\n    default: false\n"},
     "modules/mail/module.yml", 6),
    ("questions-in-plain-words", {"modules/mail/module.yml":
     f"{TITLED}questions:\n  loud:\n    type: bool\n    help: Loud?\n"},
     "modules/mail/module.yml", 5),
    ("no-secrets", {"modules/mail/module.yml": f"{TITLED}questions:\n  loud: {{help: 'L?', "
     f"default: {GHP}}}\n", "presets/small.yml": None}, "modules/mail/module.yml", 5),
    ("no-secrets", {"base/files/.env.example": "A=1\nDB_PASSWORD=hunter2\n"},
     "base/files/.env.example", 2),
    ("no-secrets", {"base/files/a.txt": f"one\n{GHP}\n"}, "base/files/a.txt", 2),
    ("no-other-part", {"base/files/a.jinja": "x\n{% if 'mail' in modules %}y\n{% endif %}\n"},
     "base/files/a.jinja", 2),
    ("plain-python", {"modules/fax/files/a.py.jinja": "A = 1\n"},
     "modules/fax/files/a.py.jinja", 0),
    ("git-files-are-templates", {"base/files/.gitignore": "x\n"}, "base/files/.gitignore", 0),
    ("short-files", {"base/files/a.py": "A = 1\n" * 401}, "base/files/a.py", 401),
    ("words", {"modules/fax/module.yml": TITLED.replace("D\n", "''\n")},
     "modules/fax/module.yml", 2),
    ("words", {"presets/small.yml": "description: ''\napp: desk\n"}, "presets/small.yml", 0),
    ("presets", {"presets/small.yml": "description: S\napp: shop\nanswers:\n  loud: true\n"},
     "presets/small.yml", 4),
    ("presets", {"presets/small.yml": "description: S\napp: desk\nmodules: [fax, mail]\n"},
     "presets/small.yml", 0),
    ("manifest", {"modules/fax/module.yml": f"{TITLED}colour: red\n"},
     "modules/fax/module.yml", 4),
    ("manifest", {"modules/fax/files/app/main.py": "x\n"}, "modules/fax/files/app/main.py", 0),
    ("manifest", {"kit.yml": "name: T\n"}, "kit.yml", 1),
    ("template", {"base/files/a.jinja": "x\n{% for %}\n"}, "base/files/a.jinja", 2),
    ("render", {"base/files/a.jinja": "x\n{{ nope }}\n"}, "base/files/a.jinja", 2),
    ("clean", {"base/files/a.txt": "x\ny \n"}, "base/files/a.txt", 2),
    ("clean", {"base/files/a.txt.jinja": "x\n\n"}, "base/files/a.txt.jinja", 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "changes", "file", "line"), BROKEN, ids=[f"{b[0]} {b[2]}" for b in BROKEN]
)
def test_a_broken_rule_is_found(
    make_kit: MakeKit, rule: str, changes: dict[str, str | None], file: str, line: int
) -> None:
    found = lint(make_kit({**SOUND, **changes}))
    assert [(item.rule, item.file, item.line) for item in found] == [(rule, file, line)]
    assert all(item.hint or "expected" in item.message for item in found)


def test_what_is_no_text_is_not_read(make_kit: MakeKit) -> None:
    assert lint(make_kit({**SOUND, "base/files/a.bin": b"\0" + GHP.encode()})) == []


def test_every_rule_is_tried() -> None:
    assert {*EACH, *WHOLE} - {"in-git"} <= {rule for rule, *_ in BROKEN}


def test_a_file_that_git_ignores(make_kit: MakeKit) -> None:
    root = make_kit(SOUND)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    (root / ".gitignore").write_text("tool\n")
    assert [(item.rule, item.file) for item in lint(root)] == [("in-git", "base/files/tool")]


def test_all_is_found_at_once(make_kit: MakeKit) -> None:
    root = make_kit(
        {
            **SOUND,
            "modules/fax/module.yml": f"{TITLED}colour: red\nshape: round\nrequires: [nobody]\n",
            "modules/jobs/module.yml": "title: [\n",
            "base/files/.gitignore": "x\n",
            "base/files/app/desk.py": "DESK = 2\n",
            "presets/small.yml": "description: S\napp: dusk\n",
            "modules/new/files/x": "x\n",
        }
    )
    assert {(item.file, item.line, item.rule) for item in lint(root)} == {
        ("modules/fax/module.yml", 4, "manifest"),
        ("modules/fax/module.yml", 5, "manifest"),
        ("modules/fax/module.yml", 0, "manifest"),
        ("modules/jobs/module.yml", 2, "manifest"),
        ("base/files/.gitignore", 0, "git-files-are-templates"),
        ("apps/desk/files/app/desk.py", 0, "manifest"),
        ("presets/small.yml", 2, "manifest"),
        ("modules/new", 0, "manifest"),
    }


def test_findings_are_sorted_by_place() -> None:
    one, two = Finding("a", 2, "r", "m", ""), Finding("b", 1, "r", "m", "")
    assert sorted([two, one]) == [one, two]
