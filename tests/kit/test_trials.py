"""`greenlane kit test`: what is tried, and that what is broken is seen."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane import trials
from greenlane.answers import Answers
from greenlane.combinations import compatible, wanted
from greenlane.errors import GreenlaneError
from greenlane.kit import Kit, load_kit
from greenlane.pipelines import pipeline
from greenlane.render import render
from greenlane.tree import File, Tree
from greenlane.trials import Trial, folder_in_repository, releases, try_renderings, try_updates

Git = Callable[..., str]
KIT = """\
name: tiny
version: "{}"
description: A kit for tests
categories: {{work: Work}}
questions: [project_name, database, database_url, loud]
"""
README = "# {{ project_name }}\n\n{{ sets.dependencies | join(', ') }}\n\n## End\n"


def failed(done: list[Trial]) -> list[str]:
    return [note for trial in done if trial.outcome == "failed" for note in trial.notes]


def test_what_is_wanted(make_kit: MakeKit) -> None:
    kit = load_kit(make_kit())
    names = [name for name, _ in wanted(kit, 2)]
    assert names == [
        "preset small",
        *("desk", "desk with fax", "desk with jobs", "desk with mail", "desk with everything"),
        *("shop", "shop with fax", "shop with jobs", "shop with mail", "shop with everything"),
        *("drawn with seed 0", "drawn with seed 1"),
    ]
    every = {(answers.app, answers.modules) for _, answers in wanted(kit, 0, every=True)}
    sets = [set[str](), {"fax"}, {"jobs"}, {"jobs", "mail"}, {"fax", "jobs"}]
    assert every >= {("shop", tuple(sorted(names))) for names in sets}
    assert compatible(kit, "shop", ["fax", "mail", "jobs"]) == ["fax", "jobs"]


def test_too_many_to_try_all(make_kit: MakeKit) -> None:
    more = {
        f"modules/m{number}/module.yml": "title: M\ndescription: M\ncategory: work\n"
        for number in range(12)
    }
    with pytest.raises(GreenlaneError, match="15 modules have more than 4,096"):
        list(wanted(load_kit(make_kit(more)), 0, every=True))


def test_of_an_extending_kit_only_what_its_parts_are_in(make_kit: MakeKit) -> None:
    make_kit()
    acme = {
        "kit.yml": 'name: acme\nversion: "1"\ndescription: A\nextends: ../kit\n',
        "modules/badge/module.yml": "title: B\ndescription: B\ncategory: work\n",
    }
    root = make_kit(dict.fromkeys(()), name="unused").parent / "acme"
    for path, content in acme.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    assert [name for name, _ in wanted(load_kit(root), 0)] == [
        *("desk with badge", "desk with everything", "shop with badge", "shop with everything"),
    ]


def test_a_sound_kit_renders_clean_twice(make_kit: MakeKit) -> None:
    done = list(try_renderings(load_kit(make_kit()), 4))
    assert failed(done) == []
    assert len(done) == 15


@pytest.mark.parametrize(
    ("template", "note"),
    [
        ("x \n", "a.txt: line 1 ends with a space"),
        ("{{ nope }}\n", "'nope' is undefined"),
    ],
)
def test_what_renders_badly_is_seen(make_kit: MakeKit, template: str, note: str) -> None:
    root = make_kit({"modules/fax/files/a.txt.jinja": template})
    done = list(try_renderings(load_kit(root), 0))
    assert {trial.name for trial in done if trial.outcome == "failed"} >= {"shop with fax"}
    assert "shop with jobs" not in {trial.name for trial in done if trial.outcome == "failed"}
    assert any(note in text for text in failed(done))


def test_another_rendering_the_second_time_is_seen(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count()

    def impure(kit: Kit, answers: Answers) -> Tree:
        return Tree({**render(kit, answers), "README.md": File(b"%d\n" % next(numbers))})

    monkeypatch.setattr(trials, "render", impure)
    found = failed(list(try_renderings(load_kit(make_kit()), 0)))
    assert set(found) == {"It is not rendered to the same bytes twice."}


@pytest.fixture
def released(make_kit: MakeKit, git: Git) -> Path:
    """The tiny kit in a repository, with the releases 1.2.0 and 1.9.0 and 1.10.0."""
    changes = {"base/files/AGENTS.md": "# Agents\n", "base/files/README.md.jinja": README}
    root = make_kit(changes)
    git(root, "init", "--quiet", "--initial-branch=main")
    for version in ("1.2.0", "1.9.0", "1.10.0"):
        (root / "kit.yml").write_text(KIT.format(version))
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", version)
        git(root, "tag", f"v{version}")
    return root


def test_the_latest_releases(released: Path, make_kit: MakeKit) -> None:
    assert releases(released, 2) == ["v1.10.0", "v1.9.0"]
    assert folder_in_repository(released) == "."
    assert releases(make_kit(name="elsewhere"), 2) == []


def test_projects_of_earlier_releases_come_along(released: Path) -> None:
    (released / "base/files/README.md.jinja").write_text(README.replace(" | join", "|join"))
    (released / "base/files/AGENTS.md").write_text("# For agents\n")
    (released / "base/files/app/main.py").write_text("print(1)\n")
    done = list(try_updates(load_kit(released), ["v1.10.0", "v1.2.0"]))
    assert [(trial.name, trial.outcome, trial.notes) for trial in done] == [
        ("v1.10.0, preset small", "ok", ()),
        ("v1.2.0, preset small", "ok", ()),
    ]


def test_a_conflict_is_told(released: Path) -> None:
    (released / "base/files/README.md.jinja").write_text(README.replace("End", "Last"))
    (trial,) = try_updates(load_kit(released), ["v1.2.0"])
    assert (trial.outcome, trial.notes) == ("ok", ("conflict in README.md",))


def test_an_update_that_fails_is_seen(released: Path) -> None:
    (released / "kit.yml").write_text(KIT.format("1.1"))
    (trial,) = try_updates(load_kit(released), ["v1.2.0"])
    assert trial.outcome == "failed"
    assert "1.2.0, but 1.1 is installed" in trial.notes[0]


def test_an_edit_that_is_lost_is_seen(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The engine loses none, so here it is made to.
    def lose(project: Path, edits: object) -> list[str]:
        (project / "README.md").write_text("")
        return list(missing(project, edits))  # type: ignore[arg-type]

    from greenlane import edits
    from greenlane.edits import missing

    monkeypatch.setattr(edits, "missing", lose)
    (trial,) = try_updates(load_kit(released), ["v1.2.0"])
    assert (trial.outcome, trial.notes) == ("failed", ("the user's edit of README.md is lost",))


def test_a_file_that_is_not_as_rendered_is_seen(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenlane import edits

    def spoil(project: Path, _: object) -> list[str]:
        (project / "tool").write_text("spoilt")
        return []

    monkeypatch.setattr(edits, "missing", spoil)
    (trial,) = try_updates(load_kit(released), ["v1.2.0"])
    assert (trial.outcome, trial.notes) == ("failed", ("tool is not as the kit renders it",))


def test_a_release_that_cannot_be_read_is_skipped(released: Path, git: Git) -> None:
    kit = load_kit(released)
    (released / "kit.yml").write_text("broken\n")
    git(released, "commit", "--quiet", "--all", "--message", "Broken")
    done = list(try_updates(kit, ["HEAD", "nowhere", "--output=x"]))
    assert [trial.outcome for trial in done] == ["skipped"] * 3
    assert "There is no kit at nowhere" in done[1].notes[0]
    assert "does not begin with a dash" in done[2].notes[0]


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_the_pipeline_uses_what_the_built_in_kit_pins(make_kit: MakeKit, service: str) -> None:
    path, text = pipeline(load_kit(make_kit()), service, "templates")
    assert path.endswith(".yml")
    assert "kit lint templates" in text
    assert "kit test templates --checks" in text
    assert "@CHECKOUT@" not in text
    own = {"versions.yml": 'tools: {uv: "9.9"}\n', "base/module.yml": "title: B\ndescription: B\n"}
    assert "9.9" in pipeline(load_kit(make_kit(own | SMALL, name="own")), service, ".")[1]


SMALL = {
    "kit.yml": 'name: own\nversion: "1"\ndescription: O\ncategories: {work: W}\nquestions: []\n',
    "base/files/README.md.jinja": "# Own\n",
    "modules/mail/module.yml": "title: M\ndescription: M\ncategory: work\n",
    "modules/jobs/module.yml": "title: J\ndescription: J\ncategory: work\n",
    "modules/jobs/slots/readme.md.jinja": None,
    "base/slots/readme.md": None,
    "presets/small.yml": None,
}
