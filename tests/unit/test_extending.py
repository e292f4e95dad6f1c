"""A kit that extends another one: what it adds, what it may not, and what a project remembers."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane.answers import resolve
from greenlane.errors import GreenlaneError
from greenlane.evolution import check_kit, moves_since
from greenlane.kit import load_kit
from greenlane.project import create
from greenlane.reading import read_record
from greenlane.render import render
from greenlane.status import status
from greenlane.update import update

ACME: dict[str, str] = {
    "kit.yml": """\
name: acme
version: "{version}"
description: What the teams of Acme add
extends: {extends}
categories: {{own: Our own}}
questions: [badge]
""",
    "versions.yml": 'python:\n  acme-sdk: ">=2"\n',
    "modules/badge/module.yml": """\
title: Badge
description: A badge
category: own
requires: [jobs]
questions:
  badge: {help: Which badge?, default: "{{ project_name }}-badge"}
contributes:
  dependencies: [acme-sdk]
  features: [app.badge]
moves:
  - {version: "1.1", from: BADGE, to: BADGE.txt}
""",
    "modules/badge/files/BADGE.txt.jinja": "{{ badge }} of {{ kit.name }} {{ kit.version }}\n",
    "modules/badge/slots/readme.md": "## Badge\n",
    "apps/hall/module.yml": "title: Hall\ndescription: An application\n",
    "apps/hall/files/app/hall.py": "HALL = 1\n",
    "presets/ours.yml": "description: Ours\napp: hall\nmodules: [badge]\n",
}

MakeAcme = Callable[..., Path]


@pytest.fixture
def acme(make_kit: MakeKit, tmp_path: Path) -> MakeAcme:
    """`acme({...}, version="1.1")`: the folder of a kit that extends the tiny one."""
    make_kit()

    def make(
        changes: Mapping[str, str | None] | None = None,
        *,
        version: str = "1.1",
        extends: str = "../kit",
        name: str = "acme",
    ) -> Path:
        for path, content in {**ACME, **(changes or {})}.items():
            if content is None:
                continue
            if path == "kit.yml":
                content = content.format(version=version, extends=extends)
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return tmp_path / name

    return make


def test_both_kits_are_there(acme: MakeAcme) -> None:
    kit = load_kit(acme())
    assert list(kit.apps) == ["desk", "shop", "hall"]
    assert list(kit.modules) == ["fax", "jobs", "mail", "badge"]
    assert list(kit.presets) == ["small", "ours"]
    assert [question.name for question in kit.questions][-2:] == ["loud", "badge"]
    assert [one.title for one in kit.categories.values()] == ["Work", "Our own"]
    assert kit.versions["python"] == {"click": ">=8.2", "redis": ">=6,<7", "acme-sdk": ">=2"}
    assert (list(kit.own_parts), list(kit.own_presets)) == (["hall", "badge"], ["ours"])
    assert kit.releases == {"acme": "1.1", "tiny": "1.2.0"}


def test_parts_of_both_are_rendered_into_one_repository(acme: MakeAcme) -> None:
    kit = load_kit(acme())
    tree = render(kit, resolve(kit, preset="ours", name="my-hall"))
    assert tree["BADGE.txt"].content == b"my-hall-badge of acme 1.1\n"
    readme = tree["README.md"].content.decode()
    assert "- acme-sdk>=2\n" in readme
    assert "## Badge" in readme


def test_a_template_of_the_base_sees_its_own_version(make_kit: MakeKit, acme: MakeAcme) -> None:
    folder = acme()
    make_kit({"base/files/by.jinja": "{{ kit.name }} {{ kit.version }}\n"})
    kit = load_kit(folder)
    assert render(kit, resolve(kit, preset="ours"))["by"].content == b"tiny 1.2.0\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules/jobs/module.yml": "title: J\n"}, 'tiny has a part called "jobs"'),
        ({"base/module.yml": "title: B\n"}, "a kit that extends tiny has the base of that one"),
        ({"presets/small.yml": "description: S\n"}, 'tiny has a preset called "small"'),
        (
            {"modules/badge/files/README.md": "x\n"},
            "modules/badge/files/README.md: the path README.md is owned by base already",
        ),
        (
            {"versions.yml": 'python:\n  click: ">=9"\n'},
            'versions.yml, line 2: "python.click" is pinned by the kit that this one extends',
        ),
        (
            {"versions.yml": 'override:\n  python:\n    clack: ">=9"\n'},
            'line 3: "override.python.clack" is not in the kit that this one extends',
        ),
    ],
)
def test_what_is_there_cannot_be_replaced(
    acme: MakeAcme, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(GreenlaneError, match=message) as raised:
        load_kit(acme(changes))
    assert raised.value.hint


def test_categories_and_questions_of_the_base_are_its_own(acme: MakeAcme) -> None:
    for line in ("categories: {{own: Own, work: W}}", "questions: [badge, loud]"):
        key = line.partition(":")[0]
        kept = [text for text in ACME["kit.yml"].splitlines() if not text.startswith(key)]
        with pytest.raises(GreenlaneError, match="already"):
            load_kit(acme({"kit.yml": "\n".join([*kept, line, ""])}))


def test_a_version_is_overridden_on_purpose(acme: MakeAcme) -> None:
    changed = 'python:\n  acme-sdk: ">=2"\noverride:\n  python:\n    click: ">=9"\n'
    kit = load_kit(acme({"versions.yml": changed}))
    assert kit.versions["python"] == {"click": ">=9", "redis": ">=6,<7", "acme-sdk": ">=2"}


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("../kit >=1.3", "wants tiny >=1.3, this is tiny 1.2.0"),
        ("../kit >=1,<1.2", "wants tiny >=1,<1.2, this is"),
        ("../kit ~1", "where no kit.yml is"),
        ('"../kit >=x"', "which is no bound"),
        ("nothing", "which is neither known nor a path"),
        ("/etc", "which is neither known nor a path"),
        ("../elsewhere", "where no kit.yml is"),
        (".", "names the kit itself"),
    ],
)
def test_what_is_extended_must_be_there(acme: MakeAcme, extends: str, message: str) -> None:
    with pytest.raises(GreenlaneError, match=message):
        load_kit(acme(extends=extends))


def test_a_range_that_fits(acme: MakeAcme) -> None:
    assert load_kit(acme(extends='"../kit >=1.2, <2"')).releases["tiny"] == "1.2.0"


def test_only_one_level(acme: MakeAcme) -> None:
    acme()
    with pytest.raises(GreenlaneError, match="no sense in a kit that another one extends"):
        load_kit(acme(extends="../acme", name="other"))


def test_the_built_in_kit_is_extended_by_name(acme: MakeAcme) -> None:
    changes = {
        "modules/badge/module.yml": "title: B\ndescription: B\ncategory: quality\n",
        "kit.yml": ACME["kit.yml"].replace("[badge]", "[]"),
    }
    kit = load_kit(acme(changes, extends='"greenlane >=0.1"'))
    assert kit.extends is not None
    assert kit.extends.name == "greenlane"
    assert all(source.trusted for source in kit.base.files.values())
    assert not any(source.trusted for source in kit.parts["badge"].files.values())


def test_a_project_is_behind_when_either_kit_moves(
    make_kit: MakeKit, acme: MakeAcme, tmp_path: Path
) -> None:
    kit = load_kit(acme())
    project = tmp_path / "project"
    create(kit, resolve(kit, preset="ours"), project)
    now = status(project, kit)
    assert (now.behind, now.version) == (False, "1.1 on tiny 1.2.0")
    record = (project / ".greenlane/project.yml").read_text()
    assert 'kit: acme\nversion: "1.1"\nextends: "tiny 1.2.0"\n' in record
    folder = acme(version="1.2")
    assert status(project, load_kit(folder)).behind
    folder = acme()
    newer = (tmp_path / "kit/kit.yml").read_text().replace("1.2.0", "1.3.0")
    (tmp_path / "kit/kit.yml").write_text(newer)
    (tmp_path / "kit/base/files/tool").write_text("#!/bin/sh\nexit 1\n")
    kit = load_kit(folder)
    behind = status(project, kit)
    assert (behind.behind, behind.installed) == (True, "1.1 on tiny 1.3.0")
    assert behind.pending == {"tool": "changed"}
    with update(project, kit) as plan:
        plan.apply()
    assert (project / "tool").read_text() == "#!/bin/sh\nexit 1\n"
    assert 'extends: "tiny 1.3.0"' in (project / ".greenlane/project.yml").read_text()


def test_the_wrong_kit_is_refused(acme: MakeAcme, tmp_path: Path) -> None:
    kit = load_kit(acme())
    assert kit.extends is not None
    create(kit, resolve(kit, preset="ours"), tmp_path / "project")
    record = read_record(lambda path: (tmp_path / "project" / path).read_bytes())
    check_kit(kit, record)
    with pytest.raises(
        GreenlaneError, match='from the kit "acme on tiny", this is "tiny"'
    ) as wrong:
        check_kit(kit.extends, record)
    assert "--kit" in wrong.value.hint
    with pytest.raises(GreenlaneError, match=r"at acme 1.1, but 1.0 is installed"):
        check_kit(load_kit(acme(version="1.0")), record)
    elsewhere = replace(record, releases={"acme": "1.1", "other": "1.2.0"})
    with pytest.raises(GreenlaneError, match='kit "acme on other", this is "acme on tiny"'):
        check_kit(kit, elsewhere)


def test_news_and_moves_go_by_the_version_of_their_own_kit(acme: MakeAcme, tmp_path: Path) -> None:
    create(load_kit(acme()), resolve(load_kit(acme()), preset="ours"), tmp_path / "project")
    record = read_record(lambda path: (tmp_path / "project" / path).read_bytes())
    base = tmp_path / "kit"
    (base / "kit.yml").write_text((base / "kit.yml").read_text().replace("1.2.0", "1.3.0"))
    manifest = base / "base/module.yml"
    moves = "moves:\n  - {version: '1.3', from: a, to: b}\n  - {version: '1.1', from: c, to: d}\n"
    manifest.write_text(manifest.read_text() + moves)
    assert list(moves_since(load_kit(tmp_path / "acme"), record)) == [("a", "b")]


def test_a_file_that_the_kit_moved_is_moved(acme: MakeAcme, tmp_path: Path) -> None:
    old = {
        "modules/badge/files/BADGE.txt.jinja": None,
        "modules/badge/files/BADGE.jinja": "{{ badge }}\n",
        "modules/badge/module.yml": ACME["modules/badge/module.yml"].partition("moves")[0],
    }
    before = load_kit(acme(old, version="1.0", name="before"))
    project = tmp_path / "project"
    create(before, resolve(before, preset="ours"), project)
    with update(project, load_kit(acme())) as plan:
        kinds = {outcome.path: outcome.kind for outcome in plan.merge.outcomes}
    assert kinds["BADGE.txt"] == "moved"
