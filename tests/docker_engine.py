"""A Docker Engine of the tests' own: it shares nothing with one that runs here already."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "greenlane-tests")
DEBIAN = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# Python as Debian has it: within `requires-python` of what is rendered.
PACKAGES = "ca-certificates,python-is-python3,python3,python3-pip"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = "greenlane-base:test"


def needs() -> str | None:
    """Why no engine can be had here, or None."""
    if platform.system() != "Linux":
        return "a Docker Engine of one's own needs Linux"
    if os.geteuid() != 0:
        return "starting a Docker Engine needs root"
    if not (shutil.which("dockerd") or shutil.which("apt-get")):
        return "there is neither dockerd nor apt-get to install it with"
    return None


class Engine:
    """The client of one engine. A command that fails is an AssertionError with what it printed."""

    def __init__(self, socket: Path) -> None:
        # The client of the same package: it has BuildKit built in, without a plug-in.
        beside = "/usr/bin/docker"
        self._docker = beside if Path(beside).exists() else "docker"
        self._env = {
            **os.environ,
            "DOCKER_HOST": f"unix://{socket}",
            "DOCKER_BUILDKIT": "1",
            "NO_COLOR": "1",
        }

    def attempt(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, *command: str, cwd: Path | None = None) -> str:
        done = self.attempt(*command, cwd=cwd)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}"
        return done.stdout

    def docker(self, *arguments: str) -> str:
        return self.run(self._docker, *arguments)

    def try_docker(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.attempt(self._docker, *arguments)

    def build(self, folder: Path, tag: str, *options: str) -> None:
        # The host's network: the engine changes no firewall, so that its own reaches nothing.
        self.docker("build", "--network=host", "--tag", tag, *options, str(folder))

    def compose(self, folder: Path, *arguments: str) -> str:
        return self.run(*compose_command(folder), *arguments, cwd=folder)

    def inspect(self, name: str) -> dict[str, Any]:
        return json.loads(self.docker("inspect", name))[0]


def compose_command(folder: Path) -> list[str]:
    program = Path(sys.executable).with_name("docker-compose")
    files = ("--file", "compose.yaml", "--file", "compose.test.yaml")
    return [str(program), "--progress=quiet", "--project-directory", str(folder), *files]


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Start an engine that keeps everything in `folder`; end it by its process id."""
    _install("dockerd", "docker.io")
    socket, log = folder / "docker.sock", folder / "dockerd.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                "dockerd",
                f"--data-root={folder / 'data'}",
                f"--exec-root={folder / 'exec'}",
                f"--host=unix://{socket}",
                f"--pidfile={folder / 'pid'}",
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        client = Engine(socket)
        for _ in range(300):
            if client.try_docker("version").returncode == 0:
                break
            assert process.poll() is None, log.read_text()[-4000:]
            time.sleep(0.1)
        else:
            raise AssertionError(log.read_text()[-4000:])
        yield client
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder / "data", ignore_errors=True)


def import_base(client: Engine, folder: Path) -> None:
    """Import a base image with Python under BASE, made by debootstrap and kept in the cache."""
    kept = CACHE / f"base-{DEBIAN}-1.tar"
    if not kept.exists():
        _install("debootstrap", "debootstrap")
        root = folder / "base"
        options = ("--variant=minbase", f"--include={PACKAGES}")
        client.run("debootstrap", *options, DEBIAN, str(root), MIRROR)
        CACHE.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(f".{os.getpid()}")
        with tarfile.open(unfinished, "w") as tar:
            tar.add(root, ".", filter=_without_caches)
        unfinished.replace(kept)
        shutil.rmtree(root)
    # What this machine trusts and where it looks for packages, the image does too.
    trusted = {"PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
    indexes = {"PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"} & os.environ.keys()
    variables = {
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "UV_SYSTEM_CERTS": "true",
        **dict.fromkeys(trusted, str(CERTIFICATES)),
        **{name: os.environ[name] for name in indexes},
    }
    changes = [f"--change=ENV {name}={value}" for name, value in variables.items()]
    client.docker("import", *changes, str(kept), "greenlane-base:plain")
    context = folder / "trusted"
    context.mkdir()
    shutil.copyfile(CERTIFICATES, context / "ca-certificates.crt")
    (context / "Dockerfile").write_text(
        f"FROM greenlane-base:plain\nCOPY ca-certificates.crt {CERTIFICATES}\n"
    )
    client.build(context, BASE)


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    caches = ("./var/cache/apt/", "./var/lib/apt/lists/", "./dev/")
    return None if member.name.startswith(caches) else member


def _install(program: str, package: str) -> None:
    if shutil.which(program):
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update",), ("install", "--yes", "--no-install-recommends", package)):
        done = subprocess.run(
            ["apt-get", "--quiet=2", *command], env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"{package} cannot be installed: {done.stderr[-500:]}")
