"""infra/aws by Terraform itself, by two scanners, and by mistakes that each of them must see."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from greenlane.combinations import everything
from greenlane.kit import load_kit
from greenlane.render import render
from rendering import write
from terraform_tools import checkov, configuration, missing, run, trivy

pytestmark = pytest.mark.slow

needs_terraform = pytest.mark.skipif(missing() is not None, reason=str(missing()))

TESTED = (
    "bootstrap",
    *(f"modules/{name}" for name in ("data", "edge", "network", "service", "task")),
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything rendered. Shared: a test copies what it wants to change."""
    kit = load_kit()
    return write(render(kit, everything(kit, "triage")), tmp_path_factory.mktemp("rendered"))


@pytest.fixture
def stack(repository: Path, tmp_path: Path) -> Path:
    """A copy of infra/aws with the file that it reads above itself."""
    shutil.copy(repository / "slo.yaml", tmp_path)
    return Path(shutil.copytree(repository / "infra/aws", tmp_path / "infra/aws"))


@pytest.fixture
def terraform(tmp_path: Path) -> Callable[..., str]:
    environment = configuration(tmp_path)

    def call(folder: Path, *arguments: str) -> str:
        done = run("terraform", f"-chdir={folder}", *arguments, cwd=folder, environment=environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return call


@needs_terraform
def test_it_is_formatted_and_valid(stack: Path, terraform: Callable[..., str]) -> None:
    terraform(stack, "fmt", "-check", "-recursive")
    for folder in (stack, stack / "bootstrap"):
        terraform(folder, "init", "-backend=false")
        terraform(folder, "validate")


@needs_terraform
@pytest.mark.parametrize("module", TESTED)
def test_each_module_passes_its_own_tests(
    stack: Path, terraform: Callable[..., str], module: str
) -> None:
    terraform(stack / module, "init", "-backend=false")
    assert "0 failed" in terraform(stack / module, "test")


@needs_terraform
@pytest.mark.parametrize(
    ("module", "file", "old", "new"),
    [
        ("data", "main.tf", "storage_encrypted     = true", "storage_encrypted     = false"),
        ("service", "main.tf", "rollback    = true", "rollback    = false"),
    ],
)
def test_its_tests_see_a_mistake(
    stack: Path, terraform: Callable[..., str], module: str, file: str, old: str, new: str
) -> None:
    changed(stack / "modules" / module / file, old, new)
    terraform(stack / "modules" / module, "init", "-backend=false")
    with pytest.raises(AssertionError, match="1 failed"):
        terraform(stack / "modules" / module, "test")


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path.name} no longer has {old!r}: plant another mistake"
    path.write_text(text.replace(old, new, 1))


def test_scanners_find_nothing(stack: Path) -> None:
    done = checkov(stack)
    assert done.returncode == 0, done.stdout
    done = trivy(stack)
    assert done.returncode == 0, done.stdout


def test_scanners_find_planted_mistakes(stack: Path) -> None:
    """One run of each for all of them: a scanner takes ten seconds to start."""
    changed(
        stack / "modules/data/main.tf",
        "publicly_accessible    = false",
        "publicly_accessible = true",
    )
    (stack / "open.tf").write_text(OPEN)
    found = checkov(stack).stdout
    for check in ("CKV_AWS_17", "CKV_AWS_382", "CKV_AWS_62"):
        assert check in found, f"checkov does not see {check}"
    found = trivy(stack).stdout
    for check in ("AWS-0180", "AWS-0104"):
        assert check in found, f"Trivy does not see {check}"


OPEN = """
resource "aws_security_group" "open" {
  name        = "open"
  description = "Everyone may ask the database"
  vpc_id      = module.network.vpc_id

  ingress {
    description = "Everyone"
    from_port   = 5432
    to_port     = 5432
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    description = "Anywhere"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_iam_policy" "anything" {
  name = "anything"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["*"], Resource = ["*"] }]
  })
}
"""
