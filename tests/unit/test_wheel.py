"""The wheel carries the kit, so that greenlane works outside its clone."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_carries_the_whole_kit(tmp_path: Path) -> None:
    if not (ROOT / "templates/kit.yml").exists():
        pytest.skip("there is no kit yet")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    # As installing does; compiled files in the kit must not become part of it.
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", str(tmp_path / "installed")],
        check=False,
        capture_output=True,
    )
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from greenlane.kit import load_kit\n"
        "kit = load_kit()\n"
        "print(kit.root)\n"
        "for part in kit.parts.values():\n"
        "    print(*(source.shown for source in part.files.values()), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(tmp_path / "installed")],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    from greenlane.kit import load_kit

    here = load_kit(ROOT / "templates")
    expected = [s.shown for part in here.parts.values() for s in part.files.values()]
    root, *files = done.stdout.splitlines()
    assert root == str(tmp_path / "installed/greenlane/_kit")
    assert sorted(filter(None, files)) == sorted(expected)
