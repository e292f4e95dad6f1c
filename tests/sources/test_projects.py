"""The life of a project from a template: new, update, set, status, diff, restore, adopt."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from samples_of_others import COOKIECUTTER, COPIER
from sources_support import Person, Templates, files_of, git


@pytest.fixture
def library(templates: Templates) -> Path:
    """A Copier template with three versions, the last one a pre-release."""
    templates.make("lib", COPIER, "1.0.0")
    newer = dict(COPIER)
    newer["template/README.md.jinja"] = f"Newer\n\n{COPIER['template/README.md.jinja']}"
    newer["template/added.txt"] = "new\n"
    newer["template/latest"] = Path("run.sh")
    del newer["template/logo.bin"]
    newer["copier.yml"] = f"{COPIER['copier.yml']}colour:\n  type: str\n  default: red\n"
    templates.make("lib", newer, "v1.10.0")
    templates.make("lib", {**newer, "template/added.txt": "newest\n"}, "2.0.0rc1")
    return templates.folder / "lib"


@pytest.fixture
def project(person: Person, library: Path) -> Person:
    person.ok("new", "app", "--from", library, "--ref", "1.0.0", "--set", "name=shop", "--yes")
    return person


def test_the_newest_release_is_taken_and_recorded(person: Person, library: Path) -> None:
    made = person.document("new", "app", "--from", library, "--set", "license=Apache-2.0")
    assert (made["version"], made["answers"]["license"]) == ("v1.10.0", "Apache-2.0")
    record = (person.folder / "app/.greenlane/project.yml").read_text()
    assert f'source: "{library}"' in record
    assert "hidden" not in record
    assert "token" not in record
    assert git(person.folder / "app", "status", "--porcelain") == ""
    assert person.document("status", inside="app")["behind"] is False


def test_the_printed_command_gives_the_same_again(person: Person, library: Path) -> None:
    sets = ["--set", "name=shop", "--set", "python=[3.11]", "--set", "limits={cpu: 1}"]
    made = person.document("new", "app", "--from", library, *sets)
    words = shlex.split(made["command"])
    assert words.pop(0) == "greenlane"
    (person.folder / "again").mkdir()
    person.ok(*words, inside="again")
    again, app = person.folder / "again/app", person.folder / "app"
    assert files_of(again, ".greenlane") == files_of(app, ".greenlane")


def test_update_merges_and_keeps_edits(project: Person) -> None:
    app = project.folder / "app"
    (app / "README.md").write_text((app / "README.md").read_text() + "\nMine.\n")
    (app / "run.sh").unlink()
    project.commit("app")
    plan = project.document("update", "--dry-run", inside="app")
    assert (plan["from"], plan["to"], plan["new_answers"]) == (
        "1.0.0",
        "v1.10.0",
        {"colour": "red"},
    )
    assert git(app, "status", "--porcelain") == ""
    done = project.document("update", inside="app", status=0)
    kinds = {file["path"]: file["outcome"] for file in done["files"]}
    assert kinds["added.txt"] == "added"
    assert kinds["latest"] == "updated"
    assert kinds["logo.bin"] == "removed"
    assert (app / "latest").readlink() == Path("run.sh")
    assert (app / "README.md").read_text() == "Newer\n\n# shop\n\nMIT 3.12 3.13 2\n\nMine.\n"
    assert not (app / "run.sh").exists()
    project.commit("app")
    assert project.document("update", inside="app")["changed"] is False
    project.ok("restore", "run.sh", inside="app")
    assert (app / "run.sh").stat().st_mode & 0o100


def test_update_leaves_the_record_that_a_new_project_has(project: Person, library: Path) -> None:
    project.ok("update", "--to", "v1.10.0", inside="app")
    sets = ["--set", "name=shop", "--ref", "v1.10.0", "--yes"]
    project.ok("new", "fresh/app", "--from", library, *sets)
    assert files_of(project.folder / "fresh/app") == files_of(project.folder / "app")


def test_update_on_a_branch_and_undone(project: Person) -> None:
    app = project.folder / "app"
    project.ok("update", "--branch", "newer", inside="app")
    assert git(app, "branch", "--show-current").strip() == "newer"
    project.ok("update", "--abort", inside="app")
    assert git(app, "status", "--porcelain") == ""
    assert not (app / "added.txt").exists()


def test_a_branch_is_followed(person: Person, library: Path, templates: Templates) -> None:
    person.ok("new", "app", "--from", f"{library}@1.0.0", "--yes")
    person.ok("update", "--to", "main", inside="app")
    person.commit("app")
    templates.make("lib", {**COPIER, "template/tip.txt": "tip\n"})
    assert person.document("status", inside="app")["behind"] is True
    person.ok("update", inside="app")
    assert (person.folder / "app/tip.txt").is_file()


def test_answers_are_changed(project: Person) -> None:
    project.ok("set", "name=store", "docs=false", inside="app")
    app = project.folder / "app"
    assert (app / "src/store/__init__.py").read_text() == 'NAME = "store"\n'
    assert not (app / "docs").exists()
    project.commit("app")
    assert "at least three" in project.fails("set", "name=x", inside="app")
    assert 'Did you mean "name"' in project.fails("set", "nme=x", inside="app")


def test_status_and_diff_tell_edits_from_the_template(project: Person) -> None:
    app = project.folder / "app"
    (app / "run.sh").write_text("#!/bin/sh\necho mine\n")
    project.commit("app")
    state = project.document("status", inside="app")
    assert [drift["path"] for drift in state["drift"]] == ["run.sh"]
    assert {"path": "added.txt", "change": "added"} in state["pending"]
    assert "+echo mine" in project.document("diff", inside="app")["patch"]
    assert project.ok("status", "--check", "behind", inside="app", status=1)


def test_modules_are_for_kits(project: Person) -> None:
    assert "no modules" in project.fails("add", "auth", inside="app")
    assert "no modules" in project.fails("remove", "auth", inside="app")


def test_a_lost_link_comes_from_the_history(project: Person) -> None:
    app = project.folder / "app"
    (app / ".greenlane/baseline.tar").write_bytes(b"")
    project.commit("app")
    project.ok("update", inside="app")
    assert (app / "latest").readlink() == Path("run.sh")


def test_what_is_drawn_anew_stays_as_it_is(person: Person, templates: Templates) -> None:
    files = dict(COOKIECUTTER)
    secret = "{{cookiecutter.slug}}/settings.py"
    files[secret] = "KEY = '{{ random_ascii_string(30) }}'\nDEBUG = 1\n"
    root = templates.make("web", files, "1")
    person.ok("new", "app", "--from", root, "--ref", "1", "--yes")
    before = (person.folder / "app/settings.py").read_text()
    templates.make("web", {**files, secret: f"# New\n{files[secret]}"}, "2")
    assert person.document("status", inside="app")["volatile"] == ["settings.py"]
    person.ok("update", "--to", "2", inside="app")
    assert (person.folder / "app/settings.py").read_text() == f"# New\n{before}"


def test_a_secret_is_not_recorded_and_not_lost(person: Person, library: Path) -> None:
    root = library
    (root / "template/token.txt.jinja").write_text("token {{ token }}\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "secret")
    person.ok("new", "app", "--from", root, "--ref", "main", "--set", "token=hush", "--yes")
    assert "hush" not in (person.folder / "app/.greenlane/project.yml").read_text()
    person.ok("set", "name=store", inside="app")
    assert (person.folder / "app/token.txt").read_text() == "token hush\n"


def test_the_first_commit_is_left_to_the_person(person: Person, library: Path) -> None:
    person.commits = False
    told = person.ok("new", "app", "--from", library, "--yes")
    assert "git init -b main && git add -A" in told
    assert not (person.folder / "app/.git").exists()
    git(person.folder / "app", "init", "-q")
    person.commit("app")
    assert person.document("update", inside="app")["changed"] is False


@pytest.mark.parametrize(
    ("extensions", "trust", "kind"),
    [
        ("", [], "copier"),
        ("_jinja_extensions: [here.py:Code]\n", [], "cookiecutter"),
        ("_jinja_extensions: []\n", ["--trust"], "copier"),
    ],
)
def test_a_template_of_both(
    person: Person, templates: Templates, extensions: str, trust: list[str], kind: str
) -> None:
    root = templates.make("both", {**COPIER, **COOKIECUTTER}, "1.0.0")
    manifest = root / "copier.yml"
    manifest.write_text(manifest.read_text() + extensions)
    git(root, "commit", "-q", "--allow-empty", "-am", "extensions")
    sets = ["--set", "name=shop", "--ref", "main", *trust]
    assert person.document("new", "app", "--from", root, *sets)["kind"] == kind


def test_ignored_files_are_written_and_not_committed(person: Person, templates: Templates) -> None:
    root = templates.make(
        "lib",
        {"copier.yml": "x: 1\n", ".gitignore": ".env\n", ".env": "SECRET=1\n", "a.txt": "a\n"},
        "1",
    )
    person.ok("new", "app", "--from", root, "--yes")
    assert (person.folder / "app/.env").read_text() == "SECRET=1\n"
    assert ".env" not in git(person.folder / "app", "ls-files").splitlines()
    assert b"SECRET" not in (person.folder / "app/.greenlane/baseline.tar").read_bytes()
    person.ok("update", inside="app")


def test_a_plain_folder(person: Person, templates: Templates) -> None:
    root = templates.folder / "plain"
    root.mkdir(parents=True)
    (root / "copier.yml").write_text("name: a\n")
    (root / "out.txt.jinja").write_text("{{ name }}\n")
    person.ok("new", "app", "--from", root, "--yes")
    (root / "out.txt.jinja").write_text("{{ name }} b\n")
    assert person.document("status", inside="app")["behind"] is True
    person.ok("update", inside="app")
    assert (person.folder / "app/out.txt").read_text() == "a b\n"
    told = person.fails("new", "other", "--from", root, "--ref", "1", "--yes")
    assert "not a git repository" in told


def test_one_of_several_templates(person: Person, templates: Templates) -> None:
    root = templates.make(
        "many",
        {
            "cookiecutter.json": '{"templates": {"one": {"path": "./a", "title": "A"}, '
            '"two": {"path": "./b", "title": "B"}}}',
            **{f"a/{path}": content for path, content in COOKIECUTTER.items()},
            **{f"b/{path}": content for path, content in COOKIECUTTER.items()},
            "b/{{cookiecutter.slug}}/b.txt": "b\n",
        },
    )
    person.ok("new", "app", "--from", root, "--set", "templates=two", "--yes")
    assert (person.folder / "app/b.txt").is_file()
    person.ok("new", "other", "--from", root, "--directory", "a", "--yes")
    assert not (person.folder / "other/b.txt").exists()
    assert person.document("update", inside="app")["changed"] is False


def test_nothing_is_left_of_a_failure(person: Person, library: Path) -> None:
    assert "at least three" in person.fails("new", "app", "--from", library, "--set", "name=x")
    assert 'Did you mean "name"' in person.fails("new", "app", "--from", library, "--set", "nme=x")
    assert list(person.folder.iterdir()) == []
    assert "no template" in person.fails("new", "app", "--from", person.folder, "--yes")
    assert "no tag" in person.fails("new", "app", "--from", library, "--ref", "9", "--yes")


def test_dry_run_writes_nothing(person: Person, library: Path) -> None:
    told = person.document("new", "app", "--from", library, "--dry-run")
    assert "src/my_lib/__init__.py" in [file["path"] for file in told["files"]]
    assert list(person.folder.iterdir()) == []


@pytest.mark.parametrize("name", [".copier-answers.yml", ".copier/.copier-answers.yml"])
def test_a_project_of_copier_is_adopted(person: Person, templates: Templates, name: str) -> None:
    files = dict(COPIER)
    files["copier.yml"] = str(COPIER["copier.yml"]).replace(".copier-answers.yml", name)
    root = templates.make("lib", files, "1.0.0")
    copier = [Path(sys.executable).with_name("copier"), "copy", "-q", "--defaults"]
    subprocess.run([*copier, root, "app"], cwd=person.folder, check=True, capture_output=True)
    app = person.folder / "app"
    git(app, "init", "-q")
    (app / "README.md").write_text("mine\n")
    person.commit("app")
    templates.make("lib", {**files, "template/run.sh": "#!/bin/sh\necho new\n"}, "1.1.0")
    done = person.document("adopt", inside="app")
    assert done["to"] == "1.0.0"
    assert {file["outcome"] for file in done["files"]} == {"kept"}
    person.commit("app")
    person.ok("update", inside="app")
    assert (app / "run.sh").read_text() == "#!/bin/sh\necho new\n"
    assert (app / "README.md").read_text() == "mine\n"


def test_a_project_of_cruft_is_adopted(person: Person, templates: Templates) -> None:
    root = templates.make("lib", COOKIECUTTER, "1.0.0")
    person.commits = False
    person.ok("new", "app", "--from", root, "--set", "name=Shop", "--yes")
    app = person.folder / "app"
    commit = git(root, "rev-parse", "HEAD").strip()
    for path in (app / ".greenlane").iterdir():
        path.unlink()
    (app / ".greenlane").rmdir()
    cruft = {
        "template": str(root),
        "commit": commit,
        "checkout": "main",
        "context": {"cookiecutter": {"name": "Shop", "slug": "shop", "_template": str(root)}},
        "directory": None,
    }
    (app / ".cruft.json").write_text(json.dumps(cruft))
    git(app, "init", "-q")
    person.commit("app")
    templates.make("lib", {**COOKIECUTTER, "{{cookiecutter.slug}}/README.md": "new\n"})
    assert {f["outcome"] for f in person.document("adopt", inside="app")["files"]} <= {"kept"}
    person.commit("app")
    person.ok("update", inside="app")
    assert (app / "README.md").read_text() == "new\n"
