"""The commands without a terminal: they ask nothing, and say what they did."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interface.conftest import Greenlane

Git = Callable[..., str]


def test_new_writes_a_committed_repository(greenlane: Greenlane, small_kit: Path, git: Git) -> None:
    output = greenlane.ok("new", "shop", "--kit", small_kit, "--preset", "freelancer")

    project = greenlane.folder / "shop"
    assert 'name = "shop"' in (project / "pyproject.toml").read_text()
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "log", "--format=%h") in output
    assert "uv run just check" in output


def test_without_a_terminal_nothing_is_asked(greenlane: Greenlane, small_kit: Path) -> None:
    greenlane.ok("new", "--kit", small_kit)
    assert (greenlane.folder / "my-app").is_dir()


def test_a_kit_is_a_source_too(greenlane: Greenlane, small_kit: Path) -> None:
    data = greenlane.document("new", "shop", "--from", small_kit)
    assert data["commit"] is not None
    assert "--kit" in data["command"]


def test_no_git_makes_no_repository(greenlane: Greenlane, small_kit: Path) -> None:
    data = greenlane.document("new", "shop", "--kit", small_kit, "--no-git")
    assert data["commit"] is None
    assert not (greenlane.folder / "shop/.git").exists()
    assert "--no-git" in data["command"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--preset", "freelancer"],
        ["--preset", "minimal", "--with", "webhooks", "--set", "signer=Bob & Co's"],
        ["--with", "reports", "--set", "loud=true", "--set", "project_title=A  b"],
        ["--preset", "freelancer", "--without", "reports", "--set", "large_model=openai"],
    ],
)
def test_the_printed_command_gives_the_same_repository(
    greenlane: Greenlane, small_kit: Path, options: list[str]
) -> None:
    first = greenlane.document("new", "one/shop", "--kit", small_kit, *options)
    words = shlex.split(first["command"].replace("one/shop", "two/shop"))
    assert words[0] == "greenlane"
    greenlane.ok(*words[1:])

    lock = "shop/.greenlane/lock.json"
    one, two = greenlane.folder / "one" / lock, greenlane.folder / "two" / lock
    assert one.read_bytes() == two.read_bytes()


def test_the_printed_command_never_asks(greenlane: Greenlane, small_kit: Path) -> None:
    """`greenlane new shop` alone would start the wizard at a terminal."""
    data = greenlane.document("new", "shop", "--kit", small_kit)
    assert "--yes" in shlex.split(data["command"])


def test_answers_of_another_project(greenlane: Greenlane, small_kit: Path) -> None:
    greenlane.ok("new", "old", "--kit", small_kit, "--with", "webhooks", "--set", "signer=Bob")
    record = greenlane.folder / "old/.greenlane/project.yml"
    data = greenlane.document("new", "next", "--kit", small_kit, "--answers", record)
    assert data["answers"]["signer"] == "Bob"
    assert data["answers"]["project_name"] == "next"
    assert data["modules"] == ["audit", "jobs", "webhooks"]


def test_dry_run_shows_every_file_and_writes_none(greenlane: Greenlane, small_kit: Path) -> None:
    options = ["new", "shop", "--kit", small_kit, "--preset", "minimal", "--dry-run"]
    output = greenlane.ok(*options)
    assert "pyproject.toml" in output
    assert "nothing was written" in output
    files = {file["path"]: file for file in greenlane.document(*options)["files"]}
    assert files["app/desk/__init__.py"]["mode"] == "0644"
    assert list(greenlane.folder.iterdir()) == []


def test_dry_run_finds_a_taken_folder(greenlane: Greenlane, small_kit: Path) -> None:
    (greenlane.folder / "shop").mkdir()
    (greenlane.folder / "shop/mine").touch()
    message, _ = greenlane.fails("new", "shop", "--kit", small_kit, "--dry-run")
    assert "not empty" in message


@pytest.mark.parametrize("kind", ["apps", "modules", "presets"])
def test_list_one_kind(greenlane: Greenlane, small_kit: Path, kind: str) -> None:
    found = greenlane.document("list", kind, "--kit", small_kit)
    assert list(found) == [kind]
    name = {"apps": "desk", "modules": "webhooks", "presets": "minimal"}[kind]
    assert name in [entry["name"] for entry in found[kind]]
    assert name in greenlane.ok("list", kind, "--kit", small_kit)


def test_list_shows_modules_under_their_category(greenlane: Greenlane, small_kit: Path) -> None:
    lines = greenlane.ok("list", "--kit", small_kit).splitlines()
    position = [line.strip().split("  ")[0] for line in lines].index
    assert position("The application") < position("jobs") < position("Quality gates")
    assert position("Quality gates") < position("audit") < position("Presets")


def test_list_shows_the_first_clause_only(greenlane: Greenlane, small_kit: Path) -> None:
    text = greenlane.ok("list", "--kit", small_kit)
    assert "Who did what (" not in text
    assert "  audit    Who did what\n" in text
    full = greenlane.document("list", "modules", "--kit", small_kit)["modules"][0]
    assert full["description"] == "Who did what. And when; kept for a year."


def test_describe_tells_what_a_part_adds(greenlane: Greenlane, small_kit: Path) -> None:
    base = greenlane.document("describe", "base", "--kit", small_kit)
    assert base["settings"] == [
        {"name": "GREETING", "default": "hello", "help": "How it is greeted"},
        {"name": "ACCESS_TOKEN", "default": "", "help": "Asked of every caller; empty: open"},
        {"name": "TITLE", "default": "<project_title>", "help": "Shown as the name"},
    ]
    assert base["packages"] == {"dev_dependencies": {"rust-just": ">=1.40"}}
    assert base["checks"] == ["lint", "unit"]
    assert "app/serve.py" in base["files"]
    assert "license" in [question["name"] for question in base["questions"]]

    desk = greenlane.document("describe", "desk", "--kit", small_kit)
    assert (desk["kind"], desk["requires"]) == ("archetype", ["jobs"])
    webhooks = greenlane.document("describe", "webhooks", "--kit", small_kit)
    assert webhooks["requires"] == ["audit", "jobs"]
    preset = greenlane.document("describe", "freelancer", "--kit", small_kit)
    assert preset["modules"] == ["jobs", "reports"]
    assert "app/reports.py" in preset["files"]


@pytest.mark.parametrize("name", ["base", "desk", "webhooks", "reports", "freelancer"])
def test_describe_says_all_of_it_as_text(greenlane: Greenlane, small_kit: Path, name: str) -> None:
    data = greenlane.document("describe", name, "--kit", small_kit)
    text = greenlane.ok("describe", name, "--kit", small_kit)
    for path in data["files"]:
        assert f"  {path}\n" in text
    for entry in [*data.get("questions", []), *data.get("settings", [])]:
        assert f"  {entry['name']}" in text
    for packages in data.get("packages", {}).values():
        assert all(name in text and version in text for name, version in packages.items())
    assert data.get("notes", "") in text


@pytest.mark.parametrize(
    ("arguments", "in_message", "in_hint"),
    [
        (["new", "shop", "--preset", "minimul"], "minimul", "minimal"),
        (["new", "shop", "--set", "licence=MIT"], "licence", "license"),
        (["new", "shop", "--set", "license=GPL"], "GPL", "licence"),
        (["new", "shop", "--set", "license"], "license", "--set"),
        (["new", "shop", "--with", "webhook"], "webhook", "webhooks"),
        (["new", "shop", "--without", "jobs"], "jobs", "Keep"),
        (["new", "shop", "--with", "webhooks", "--with", "reports"], "cannot", "--without"),
        (["new", "Shop!"], "Shop!", "--set project_name"),
        (["new", "shop", "--answers", "missing.yml"], "missing.yml", ""),
        (["new", "shop", "--unknown"], "--unknown", "greenlane new --help"),
        (["start", "Shop!"], "Shop!", ""),
        (["start", "shop", "--preset", "nope"], "nope", ""),
        (["start", "shop", "--port", "99999"], "99999", "greenlane start --help"),
        (["describe", "webhoks"], "webhoks", "webhooks"),
        (["list", "things"], "things", "greenlane list --help"),
        (["completion", "tcsh"], "tcsh", "greenlane completion --help"),
        (["nwe"], "nwe", "greenlane --help"),
    ],
)
def test_mistakes_are_explained_and_nothing_is_written(
    greenlane: Greenlane, small_kit: Path, arguments: list[str], in_message: str, in_hint: str
) -> None:
    if arguments[0] in {"new", "start", "describe", "list"}:
        arguments = [*arguments, "--kit", str(small_kit)]
    done = greenlane.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    error, *hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert in_message in error
    assert in_hint in "".join(hint)
    assert list(greenlane.folder.iterdir()) == []

    failed = greenlane.document(*arguments, status=2)
    assert in_message in failed["error"]["message"]
    assert in_hint in failed["error"]["hint"]


def test_a_folder_in_use_is_left_alone(greenlane: Greenlane, small_kit: Path) -> None:
    (greenlane.folder / "shop").mkdir()
    (greenlane.folder / "shop/mine.txt").write_text("mine")
    for command in ("new", "start"):
        message, _ = greenlane.fails(command, "shop", "--kit", small_kit)
        assert "not empty" in message
    assert [path.name for path in (greenlane.folder / "shop").iterdir()] == ["mine.txt"]


def test_a_broken_kit_is_explained(greenlane: Greenlane) -> None:
    message, _ = greenlane.fails("list", "--kit", greenlane.folder)
    assert "kit.yml" in message


def test_an_unexpected_error_is_short_without_debug(
    greenlane: Greenlane, small_kit: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import greenlane.kit\ndef load_kit(root=None): raise RuntimeError('boom')\n"
        "greenlane.kit.load_kit = load_kit\n"
    )
    greenlane.env["PYTHONPATH"] = str(broken)
    message, hint = greenlane.fails("list", status=70)
    assert message == "Unexpected RuntimeError: boom"
    assert "--debug" in hint
    assert greenlane.document("list", status=70)["error"]["message"] == message
    shown = greenlane.run("list", "--debug").stderr
    assert "Traceback" in shown
    assert "boom" in shown


def test_a_closed_pipe_is_no_error(greenlane: Greenlane, small_kit: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m greenlane describe base --kit {small_kit}"
    done = subprocess.run(
        ["/bin/bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        cwd=greenlane.folder,
        env={**greenlane.environment, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode in {0, 141}  # 0 when everything was written before `true` ended


@pytest.mark.parametrize("command", ["new", "start", "list", "describe", "completion"])
def test_help_has_examples(greenlane: Greenlane, command: str) -> None:
    text = greenlane.ok(command, "--help")
    assert "Examples:" in text
    assert "--json" in text
    assert "greenlane " + command in text.partition("Examples:")[2]
    assert max(map(len, text.splitlines())) <= 80


def test_no_command_is_a_call_for_help(greenlane: Greenlane) -> None:
    assert greenlane.ok() == greenlane.ok("--help")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_as_json(greenlane: Greenlane, shell: str) -> None:
    data = greenlane.document("completion", shell)
    assert data["shell"] == shell
    assert "_GREENLANE_COMPLETE" in data["script"]


def test_no_colour_where_there_is_no_terminal(greenlane: Greenlane, small_kit: Path) -> None:
    assert "\x1b" not in greenlane.ok("list", "--kit", small_kit)
    greenlane.env["FORCE_COLOR"] = "1"
    assert "\x1b[1m" in greenlane.ok("list", "--kit", small_kit)
    greenlane.env["NO_COLOR"] = "1"
    assert "\x1b" not in greenlane.ok("list", "--kit", small_kit)


def test_an_ascii_locale_gets_ascii(greenlane: Greenlane, small_kit: Path) -> None:
    greenlane.env.update(PYTHONIOENCODING="ascii", LC_ALL="C")
    assert greenlane.ok("new", "shop", "--kit", small_kit, "--yes").isascii()


def test_json_text_goes_to_stderr_only(greenlane: Greenlane, small_kit: Path) -> None:
    done = greenlane.run("new", "shop", "--kit", small_kit, "--json")
    assert json.loads(done.stdout)["path"] == str(greenlane.folder / "shop")
