"""The commands as a person or a bot drives them: what is printed, and the exit status."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenlane.cli import cli
from greenlane.exits import run
from owner import KIT, NUMBERED, Project

MAIN = "base/files/app/main.py"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def greenlane(
    created: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """`greenlane("update", "--kit", root)` in the project: status, stdout, stderr."""
    monkeypatch.chdir(created.path)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run(cli, [str(argument) for argument in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


@pytest.fixture
def newer(created: Project) -> Path:
    created.edit("app/main.py", "line 10\n", "mine\n")
    created.commit()
    return created.kit(
        "1.1.0", {MAIN: NUMBERED.replace("line 2\n", "theirs\n"), "base/files/NEW.md": "new\n"}
    ).root


@pytest.fixture
def clashing(created: Project, newer: Path) -> Path:
    return created.kit("1.1.0", {MAIN: NUMBERED.replace("line 10\n", "theirs\n")}).root


def document(told: tuple[int, str, str]) -> dict[str, Any]:
    return json.loads(told[1])


def test_update_says_what_happened_to_each_file_and_what_comes_next(
    created: Project, greenlane: Run, newer: Path
) -> None:
    status, out, _ = greenlane("update", "--kit", newer)
    assert status == 0
    assert out.startswith("Update to tiny 1.1.0 (from 1.0.0)\n")
    assert "  merged  app/main.py\n" in out
    assert "  added   NEW.md\n" in out
    assert "uv run just check" in out
    assert "git commit -m 'Update to tiny 1.1.0'" in out
    assert created.exists("NEW.md")


def test_a_dry_run_prints_the_diff_and_writes_nothing(
    created: Project, greenlane: Run, newer: Path
) -> None:
    before = created.state()
    status, out, _ = greenlane("update", "--dry-run", "--kit", newer)
    assert status == 0
    assert "+++ b/NEW.md\n" in out
    assert "-line 2\n+theirs\n" in out
    assert "Nothing was written" in out
    assert created.state() == before


def test_conflicts_end_with_status_1_and_name_the_way_out(
    created: Project, greenlane: Run, clashing: Path
) -> None:
    status, out, _ = greenlane("update", "--kit", clashing)
    assert status == 1
    assert "conflict  app/main.py" in out
    assert "git mergetool" in out
    assert "greenlane update --abort" in out
    status, out, _ = greenlane("status", "--kit", clashing)
    assert "not committed yet" in out
    assert "conflict  app/main.py" in out
    status, out, _ = greenlane("update", "--abort")
    assert (status, created.git("status", "--porcelain")) == (0, "")


def test_json_for_bots(created: Project, greenlane: Run, clashing: Path) -> None:
    told = greenlane("update", "--kit", clashing, "--json", "--branch", "kit-update")
    data = document(told)
    assert told[0] == 1
    assert data["conflicts"] == ["app/main.py"]
    assert (data["from"], data["to"], data["applied"]) == ("1.0.0", "1.1.0", True)
    assert data["branch"] == "kit-update"
    assert data["files"] == [
        {"path": "app/main.py", "outcome": "conflict", "note": "both changed the same place"}
    ]
    assert document(greenlane("update", "--abort", "--json")) == {"aborted": "update"}
    dry = document(greenlane("update", "--kit", clashing, "--json", "--dry-run"))
    assert dry["applied"] is False
    assert "<<<<<<< your-project" in dry["patch"]


def test_add_set_remove_and_restore(created: Project, greenlane: Run) -> None:
    kit = created.kit().root
    for arguments in (("add", "mail"), ("set", "region=eu"), ("remove", "mail")):
        assert greenlane(*arguments, "--kit", kit)[0] == 0
        created.commit()
    assert "In eu." in created.read("README.md")
    created.git("rm", "--quiet", "tool")
    created.commit()
    status, out, _ = greenlane("restore", "tool", "--kit", kit)
    assert status == 0
    assert "added  tool" in out
    assert created.exists("tool")


def test_nothing_to_do_is_said(created: Project, greenlane: Run) -> None:
    status, out, _ = greenlane("update", "--kit", created.kit().root)
    assert status == 0
    assert "Nothing to do" in out


def test_status_for_ci(created: Project, greenlane: Run, newer: Path) -> None:
    current = created.kit().root
    assert greenlane("status", "--kit", current, "--check", "behind")[0] == 0
    assert greenlane("status", "--kit", current, "--check", "drifted")[0] == 1
    assert greenlane("status", "--kit", newer)[0] == 0
    assert greenlane("status", "--kit", newer, "--check", "behind")[0] == 1
    data = document(greenlane("status", "--kit", newer, "--json"))
    assert data["drift"] == [{"path": "app/main.py", "change": "changed", "part": "base"}]
    assert data["since"] == "1.0.0"
    assert data["pending"] == [
        {"path": "NEW.md", "change": "added"},
        {"path": "app/main.py", "change": "changed"},
    ]
    created.write(".greenlane/lock.json", "{")
    created.commit()
    assert greenlane("status", "--kit", newer)[0] == 2


def test_status_of_a_fresh_project(created: Project, greenlane: Run) -> None:
    kit = created.kit().root
    both = ("--check", "behind", "--check", "drifted")
    assert greenlane("status", "--kit", kit, *both)[0] == 0


def test_status_names_deleted_files_and_changed_modes(created: Project, greenlane: Run) -> None:
    created.git("rm", "--quiet", "app/old.py")
    (created.path / "tool").chmod(0o644)
    created.commit()
    drift = document(greenlane("status", "--kit", created.kit().root, "--json"))["drift"]
    assert {item["path"]: item["change"] for item in drift} == {
        "app/old.py": "deleted",
        "tool": "mode",
    }


def test_status_says_why_an_update_cannot_be_previewed(created: Project, greenlane: Run) -> None:
    extra = "  region: {help: Where?, default: us}\n  colour: {help: Which colour?}\n"
    changes = {
        "kit.yml": KIT["kit.yml"].replace("region]", "region, colour]"),
        "base/module.yml": KIT["base/module.yml"].replace(
            "  region: {help: Where?, default: us}\n", extra
        ),
    }
    kit = created.kit("1.1.0", changes).root
    status, out, _ = greenlane("status", "--kit", kit, "--check", "behind")
    assert status == 1
    assert "colour needs an answer" in " ".join(out.split())


def test_diff_shows_only_ones_own_changes(created: Project, greenlane: Run, newer: Path) -> None:
    created.write("own.txt", "own\n")
    created.git("rm", "--quiet", "tool")
    created.commit()
    _, out, _ = greenlane("diff", "--kit", newer)
    assert "-line 10\n+mine\n" in out
    assert "deleted file mode 100755" in out
    assert "own.txt" not in out
    _, out, _ = greenlane("diff", "app/old.py", "--kit", newer)
    assert out == ""


def test_adopt_from_the_command_line(
    tmp_path: Path, greenlane: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Project(tmp_path / "other")
    other.path.mkdir(parents=True)
    other.git("init", "--quiet")
    other.write("README.md", "# Mine\n")
    other.commit()
    status, out, _ = greenlane(
        "adopt",
        "-C",
        other.path,
        "--kit",
        project.kit().root,
        "--with",
        "mail",
        "--set",
        "region=eu",
    )
    assert status == 0
    assert "added  app/mail/send.py" in out
    assert other.read("README.md") == "# Mine\n"
    assert "region: eu" in other.read(".greenlane/project.yml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "nothing"), 'no module "nothing"'),
        (("remove", "mail"), "no module of this project"),
        (("set", "colour=red"), "which no question asks"),
        (("set", "region"), "not of the form key=value"),
        (("restore", "nowhere.txt"), "not a file of the kit"),
        (("restore", "tool"), "is there already"),
        (("update", "--abort"), "no update to abort"),
        (("update", "--branch", "main"), "exists already"),
    ],
)
def test_mistakes_end_with_status_2_a_hint_and_nothing_written(
    created: Project, greenlane: Run, arguments: tuple[str, ...], message: str
) -> None:
    before = created.state()
    options = () if "--abort" in arguments else ("--kit", created.kit().root)
    status, out, err = greenlane(*arguments, *options)
    assert status == 2
    assert message in err
    assert out == ""
    assert created.state() == before


def test_outside_a_project(tmp_path: Path, greenlane: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = greenlane("update")
    assert status == 2
    assert "greenlane adopt" in err


def test_a_subfolder_of_the_project_will_do(
    created: Project, greenlane: Run, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(created.path / "app")
    assert greenlane("update", "--kit", newer)[0] == 0
    assert created.exists("NEW.md")
