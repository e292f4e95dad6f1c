"""The rendered images, built and run by a real Docker Engine."""

import re
import shutil
import sys
from pathlib import Path

import pytest

import hardening
from container_stack import EPOCH
from docker_engine import BASE, Engine

pytestmark = pytest.mark.slow

HELP = ("app", "--help")
UNWANTED = r"^/srv/(tests?|evals|ops|compose|\.git|\.env|\.greenlane)"
TOOLS = {"pip", "pytest", "ruff", "scipy", "sklearn", "uv"}


def megabytes(engine: Engine, image: str) -> list[float]:
    """The sizes of the layers that are not empty, the newest first."""
    sizes = engine.docker("history", "--human=false", "--format={{.Size}}", image)
    return [int(size) / 1e6 for size in sizes.split() if size != "0"]


def test_the_image_is_small(docker: Engine, image: str, capsys: pytest.CaptureFixture) -> None:
    code, packages, *base = megabytes(docker, image)
    with capsys.disabled():
        sys.stdout.write(
            f"\nbase {sum(base):.0f} MB, packages {packages:.0f} MB, application {code:.1f} MB\n"
        )
    assert packages < 260
    assert code < 12


def test_nothing_is_in_it_that_serving_does_not_need(docker: Engine, image: str) -> None:
    listed = docker.docker("run", "--rm", "--network=none", image, "find", "/srv", "-type", "f")
    paths = listed.splitlines()
    assert "/srv/app/main.py" in paths
    ours = [path for path in paths if "/site-packages/" not in path]
    assert [path for path in ours if re.search(UNWANTED, path)] == []
    packages = [path.partition("/site-packages/")[2] for path in paths if path not in ours]
    assert packages
    assert {name for name in packages if re.search(r"(^|/)tests?/", name)} == set()
    assert {name.split("/")[0] for name in packages} & TOOLS == set()


def test_the_same_commit_gives_the_same_layers(
    docker: Engine, project: Path, image: str, tmp_path: Path
) -> None:
    again = shutil.copytree(project, tmp_path / "again", copy_function=shutil.copy)
    options = ("--no-cache", f"--build-arg=BASE={BASE}", f"--build-arg={EPOCH}")
    docker.build(again, "again:test", *options)
    first, second = (docker.inspect(name)["RootFS"]["Layers"] for name in (image, "again:test"))
    assert first == second


def test_it_starts_as_nobody_on_a_read_only_disk(docker: Engine, image: str) -> None:
    assert hardening.of_image(docker, image, *HELP) == []


@pytest.mark.parametrize(
    ("planted", "refusal"),
    [
        ("USER root", "it runs as root"),
        ('CMD ["touch", "/srv/app/planted"]', "it does not run on a read-only disk"),
        ('CMD ["sh", "-c", "echo > /etc/planted"]', "it does not run on a read-only disk"),
    ],
)
def test_a_planted_image_is_refused(
    docker: Engine, image: str, tmp_path: Path, planted: str, refusal: str
) -> None:
    # Its own start is harmless; what is planted is the only reason.
    (tmp_path / "Dockerfile").write_text(f'FROM {image}\nCMD ["true"]\n{planted}\n')
    docker.build(tmp_path, "planted:test")
    (found,) = hardening.of_image(docker, "planted:test")
    assert refusal in found
