"""infra/gcp by what needs no provider: format, two scanners, and a mistake that they must see."""

import shutil
from pathlib import Path

import pytest

from greenlane.combinations import everything
from greenlane.kit import load_kit
from greenlane.render import render
from rendering import write
from terraform_tools import checkov, run, trivy

pytestmark = pytest.mark.slow


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    kit = load_kit()
    return write(render(kit, everything(kit, "triage")), tmp_path) / "infra/gcp"


@pytest.mark.skipif(not shutil.which("terraform"), reason="terraform is not installed")
def test_it_is_formatted(stack: Path) -> None:
    done = run("terraform", "fmt", "-check", "-recursive", cwd=stack)
    assert done.returncode == 0, done.stdout


def test_scanners_find_nothing_but_a_planted_mistake(stack: Path) -> None:
    for scan in (checkov, trivy):
        done = scan(stack)
        assert done.returncode == 0, done.stdout
    path = stack / "data.tf"
    good = "ipv4_enabled    = false"
    assert good in path.read_text()
    path.write_text(path.read_text().replace(good, "ipv4_enabled    = true"))
    assert "CKV_GCP_60" in checkov(stack).stdout
    assert "GCP-0017" in trivy(stack).stdout
