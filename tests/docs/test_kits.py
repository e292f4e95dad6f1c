"""Follows docs/kits.md literally: its commands, and what it says a kit may say."""

import re
import shutil
from pathlib import Path

import yaml

from greenlane.answers import resolve
from greenlane.kit import load_kit
from greenlane.lint import lint
from interface.conftest import Greenlane
from literate import Command, steps

PAGE = (Path(__file__).resolve().parents[2] / "docs/kits.md").read_text()


def test_every_command_works(tmp_path: Path) -> None:
    run = Greenlane(tmp_path)
    for step in steps(PAGE):
        assert isinstance(step, Command)
        if step.words[0] == "cd":
            run = Greenlane(run.folder / step.words[1])
        else:
            assert step.words[0] == "greenlane"
            run.ok(*step.words[1:])
    kit = load_kit(tmp_path / "acme-kit")
    assert {"greeting", "badge"} == kit.own_parts.keys()
    assert lint(kit.root) == []
    assert (tmp_path / "shop/app/greeting/__init__.py").exists()


def test_what_it_says_a_kit_may_say(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    manifest, versions = blocks
    Greenlane(tmp_path).ok("kit", "new", "acme-kit")
    folder = tmp_path / "acme-kit"
    (folder / "kit.yml").write_text(manifest)
    (folder / "versions.yml").write_text(versions)
    (folder / "modules/greeting/module.yml").write_text(
        "title: G\ndescription: G\ncategory: acme\nquestions:\n"
        "  badge_colour: {help: Which colour?, default: red}\n"
        "contributes:\n  dependencies: [acme-sdk]\n  features: [app.greeting]\n"
    )
    kit = load_kit(folder)
    assert kit.version == yaml.safe_load(manifest)["version"]
    assert resolve(kit, preset="acme-kit").values["badge_colour"] == "red"
    python = kit.versions["python"]
    assert isinstance(python, dict)
    assert python["fastapi"] == ">=0.162,<0.163"
    shutil.rmtree(folder)
