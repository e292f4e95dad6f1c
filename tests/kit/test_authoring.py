"""`greenlane kit new` and `new-module`: what is begun passes every rule as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import MakeKit
from greenlane.answers import resolve
from greenlane.authoring import new_kit, new_module
from greenlane.console import Console
from greenlane.errors import GreenlaneError
from greenlane.kit import load_kit
from greenlane.lint import lint
from greenlane.render import render
from greenlane.setup import find_uv
from greenlane.trials import try_checks, try_renderings
from rendering import tool, write

Git = Callable[..., str]


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A new kit that extends the built-in one, with a second module."""
    folder = tmp_path / "acme-kit"
    new_kit(folder, "greenlane")
    new_module(folder, "badge-2-maker")
    return folder


def test_a_new_kit_keeps_every_rule(begun: Path) -> None:
    assert lint(begun) == []
    assert [trial for trial in try_renderings(load_kit(begun), 2) if trial.outcome != "ok"] == []


def test_a_new_kit_is_a_repository_with_a_first_commit(tmp_path: Path, git: Git) -> None:
    new_kit(tmp_path / "acme-kit", "greenlane")
    assert git(tmp_path / "acme-kit", "status", "--porcelain") == ""
    assert git(tmp_path / "acme-kit", "log", "--format=%s") == "Begin the kit acme-kit"
    assert 'extends: "greenlane >=' in (tmp_path / "acme-kit/kit.yml").read_text()


def test_what_is_begun_is_formatted_and_linted(begun: Path, tmp_path: Path) -> None:
    kit = load_kit(begun)
    answers = resolve(kit, preset="acme-kit", with_parts=["badge-2-maker"])
    folder = write(render(kit, answers), tmp_path / "rendered")
    assert "badge_2_maker" in (folder / "app/features.py").read_text()
    assert "BADGE_2_MAKER_GREETING=Hello" in (folder / ".env.example").read_text()
    for command in (["format", "--check"], ["check"]):
        done = tool("ruff", *command, "--no-cache", ".", cwd=folder)
        assert done.returncode == 0, done.stdout


def test_its_workflow_is_sound(begun: Path) -> None:
    path = begun / ".github/workflows/kit.yml"
    for command in (
        ("zizmor", "--offline", "--quiet", str(path)),
        ("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)),
    ):
        done = tool(*command)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_rendered_repository_is_green(begun: Path) -> None:
    preset = begun / "presets/acme-kit.yml"
    preset.write_text(preset.read_text().replace("[greeting]", "[greeting, badge-2-maker]"))
    if find_uv() is None:
        pytest.skip("this machine has no uv")
    trials = list(try_checks(load_kit(begun), Console()))
    assert [(trial.outcome, trial.notes) for trial in trials] == [("ok", ())]


def test_a_wheel_of_it_holds_the_kit(begun: Path) -> None:
    done = tool("hatchling", "build", "-t", "wheel", cwd=begun)
    assert done.returncode == 0, done.stdout
    import zipfile

    (wheel,) = (begun / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(begun.parent / "site")
    installed = load_kit(begun.parent / "site/acme_kit")
    assert installed.own_parts.keys() == load_kit(begun).own_parts.keys()
    metadata = next((begun.parent / "site").glob("*.dist-info"))
    assert "acme-kit = acme_kit" in (metadata / "entry_points.txt").read_text()


def test_a_module_for_another_base(make_kit: MakeKit) -> None:
    root = make_kit()
    before = lint(root)
    new_module(root, "badge", "work")
    assert lint(root) == before
    kit = load_kit(root)
    tree = render(kit, resolve(kit, sets=["app=shop", "modules=badge"]))
    assert tree["docs/badge.md"].content == b"# Badge\n"
    assert b"## Badge" in tree["README.md"].content


def test_a_kit_that_extends_a_folder(make_kit: MakeKit, tmp_path: Path) -> None:
    make_kit()
    new_kit(tmp_path / "acme-kit", "../kit")
    assert lint(tmp_path / "acme-kit") == []
    assert load_kit(tmp_path / "acme-kit").releases == {"acme-kit": "0.1.0", "tiny": "1.2.0"}


@pytest.mark.parametrize(
    ("name", "category", "message"),
    [
        ("Badge", "", "'Badge' is no name for a module"),
        ("a" * 41, "", "is no name for a module"),
        ("../x", "", "is no name for a module"),
        ("jobs", "", "has a part called jobs"),
        ("badge", "wrok", "no category wrok"),
    ],
)
def test_what_cannot_be_begun(make_kit: MakeKit, name: str, category: str, message: str) -> None:
    root = make_kit()
    before = sorted(root.rglob("*"))
    with pytest.raises(GreenlaneError, match=message) as raised:
        new_module(root, name, category)
    assert raised.value.hint
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "extends", "message"),
    [
        ("greenlane", "greenlane", "uses the name"),
        ("Acme", "greenlane", "no name for a kit"),
        ("acme", "elsewhere", "neither greenlane nor a relative path"),
        ("acme", "../nothing", "is not a kit"),
        ("there", "greenlane", "not empty"),
    ],
)
def test_a_kit_that_cannot_be_begun(tmp_path: Path, name: str, extends: str, message: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_text("x")
    with pytest.raises(GreenlaneError, match=message):
        new_kit(tmp_path / name, extends)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]
