"""Which kit a command works with: --kit, GREENLANE_KIT, installed packages, a project's record."""

import resource
import sys
from pathlib import Path

import pytest

from greenlane.errors import GreenlaneError
from greenlane.kits import VARIABLE, chosen_kit, installed_kits, kit_of_project
from interface.conftest import Greenlane

ACME = """\
name: acme
version: "1.0"
description: What the teams of Acme add
extends: greenlane
"""
BADGE = "title: Badge\ndescription: A badge of Acme\ncategory: quality\n"


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A kit that extends the built-in one."""
    return write_kit(tmp_path / "acme")


def write_kit(folder: Path, name: str = "acme") -> Path:
    module = folder / "modules/badge"
    (module / "files/docs").mkdir(parents=True)
    (folder / "kit.yml").write_text(ACME.replace("acme", name))
    (module / "module.yml").write_text(BADGE)
    (module / "files/docs/badge.md.jinja").write_text("# Badge of {{ project_name }}\n")
    return folder


def install(monkeypatch: pytest.MonkeyPatch, site: Path, name: str) -> Path:
    """As a wheel would: the kit in a package, and an entry point."""
    metadata = site / f"{name}_kit-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-kit\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[greenlane.kits]\n{name} = {name}_kit\n")
    if str(site) not in sys.path:
        monkeypatch.syspath_prepend(str(site))
    return write_kit(site / f"{name}_kit", name)


def test_list_and_describe_show_both(greenlane: Greenlane, acme: Path) -> None:
    listed = greenlane.document("list", "modules", "--kit", acme)["modules"]
    names = {entry["name"] for entry in listed}
    assert {"badge", "containers"} <= names
    described = greenlane.document("describe", "badge", "--kit", acme)
    assert described["kit"] == "acme"
    assert greenlane.document("describe", "jobs", "--kit", acme)["kit"] == "greenlane"


def test_a_project_is_made_and_found_again(
    greenlane: Greenlane, acme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "shop"
    greenlane.ok("new", project, "--preset", "minimal", "--with", "badge", "--kit", acme)
    assert (project / "docs/badge.md").read_text() == "# Badge of shop\n"
    lost = greenlane.run("status", "-C", project)
    assert lost.returncode == 2
    assert 'the kit "acme", which is not installed' in lost.stderr
    assert "GREENLANE_KIT" in lost.stderr
    assert "Up to date" in greenlane.ok("status", "-C", project, "--kit", acme)
    monkeypatch.setenv(VARIABLE, str(acme))
    assert "Up to date" in greenlane.ok("status", "-C", project)
    kit = (acme / "kit.yml").read_text()
    (acme / "kit.yml").write_text(kit.replace("1.0", "1.1"))
    assert greenlane.run("status", "-C", project, "--check", "behind").returncode == 1
    assert "acme 1.1 on greenlane" in greenlane.ok("update", "-C", project)


@pytest.mark.parametrize(
    "bomb",
    ["{{ 'x' * 10**11 }}", "{{ ['x' * 10**8] * 1000 }}", "{{ nope }}", "{{ 'x' * 4 * 10**7 }}"],
)
def test_a_hostile_template_writes_nothing(greenlane: Greenlane, acme: Path, bomb: str) -> None:
    (acme / "modules/badge/files/docs/badge.md.jinja").write_text(bomb)
    message, _ = greenlane.fails("new", "shop", "--with", "badge", "--kit", acme)
    assert "modules/badge/files/docs/badge.md.jinja" in message
    assert list(greenlane.folder.iterdir()) == []
    if sys.platform == "linux":  # where it is counted in KiB
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        assert most < 700 * 1024


def test_the_environment_is_for_new_projects_and_for_its_own(
    acme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(acme))
    assert chosen_kit(None).name == "acme"
    record = tmp_path / "project/.greenlane/project.yml"
    record.parent.mkdir(parents=True)
    record.write_text("kit: greenlane\n")
    assert kit_of_project(tmp_path / "project", None).name == "greenlane"
    record.write_text('<<<<<<< ours\nkit: "acme"\nversion: 1\n=======\n')
    assert kit_of_project(tmp_path / "project", None).name == "acme"


def test_an_installed_kit_needs_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_kits() == {}
    folder = install(monkeypatch, tmp_path / "site", "acme")
    assert installed_kits() == {"acme": folder}
    assert chosen_kit(None).name == "acme"
    assert chosen_kit(Path("greenlane")).name == "greenlane"
    install(monkeypatch, tmp_path / "site", "zeta")
    with pytest.raises(GreenlaneError, match="Several kits are installed: acme, zeta"):
        chosen_kit(None)
    assert chosen_kit(Path("zeta")).name == "zeta"
    with pytest.raises(GreenlaneError, match='no kit "acne"') as raised:
        chosen_kit(Path("acne"))
    assert "acme" in raised.value.hint


def test_an_installed_kit_without_its_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(monkeypatch, tmp_path / "site", "acme")
    (folder / "kit.yml").unlink()
    with pytest.raises(GreenlaneError, match='installed kit "acme" is broken'):
        chosen_kit(None)
