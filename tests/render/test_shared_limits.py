"""Limits that processes share: the rendered repository's own tests, against Debian's server."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import made

pytestmark = pytest.mark.slow

# With what it loads, of which nothing is installed.
PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")
SERVER = "redis-server"
TEST = "tests/core/test_limits_redis.py"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where redis-server is found: this machine's, or Debian's, unpacked and not installed."""
    if shutil.which(SERVER):
        return {}
    if not shutil.which("apt-get"):
        pytest.skip("neither redis-server nor apt-get are here")
    folder = tmp_path_factory.mktemp("redis")
    command = ["apt-get", "download", "-qq", *PACKAGES]
    got = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"Debian's packages cannot be had: {got.stderr[-200:]}")
    for package in folder.glob("*.deb"):
        made.run(folder, "dpkg", "-x", package.name, "root")
    program = folder / "root/usr/bin"
    libraries = ":".join(str(path) for path in (folder / "root/usr/lib").glob("*-linux-gnu"))
    return {"PATH": f"{program}:{os.environ['PATH']}", "LD_LIBRARY_PATH": libraries}


def test_processes_share_limits_and_outlive_their_server(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "app"
    made.new("minimal", folder, "containers")
    made.run(folder, "uv", "sync", "--quiet")
    done = subprocess.run(
        [folder / ".venv/bin/python", "-m", "pytest", "-p", "no:xdist", "-rs", TEST],
        cwd=folder,
        env={**made.clean_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout[-3000:]
