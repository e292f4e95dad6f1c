"""A rendered repository, its images built by a real engine, and everything of it running."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from container_stack import EPOCH, Stack
from docker_engine import BASE, Engine, engine, import_base, needs
from made import new, run

HERE = Path(__file__).parent
STAND_IN = "stand-in:test"
IMAGE = "my-app:local"
OVERRIDE = f"""\
services:
  database:
    image: {STAND_IN}
    entrypoint: [serve-postgres]
  cache:
    image: {STAND_IN}
    user: "999:999"
    tmpfs: ["/data:uid=999,gid=999"]
"""


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if reason := needs():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("docker")
    with engine(folder) as client:
        import_base(client, folder)
        client.build(HERE / "services", STAND_IN)
        yield client


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "my-app"
    new("team", folder)
    run(folder, "uv", "lock")
    return folder


@pytest.fixture(scope="session")
def image(docker: Engine, project: Path) -> str:
    docker.build(project, IMAGE, f"--build-arg=BASE={BASE}", f"--build-arg={EPOCH}")
    return IMAGE


@pytest.fixture(scope="session")
def stack(docker: Engine, project: Path, image: str) -> Iterator[Stack]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = (project / ".env.example").read_text().replace("=generate", "=" + "a1" * 32)
    (project / ".env").write_text(f"{settings}\nPUBLISH={address}\n")
    (project / "compose.test.yaml").write_text(OVERRIDE)
    lines = (line.partition("=") for line in settings.splitlines() if not line.startswith("#"))
    env = {name: value for name, _, value in lines if name}
    running = Stack(docker, project, f"http://{address}", env)
    try:
        try:
            docker.compose(project, "up", "--wait", "--no-build", "--pull=never")
        except AssertionError as error:
            logs = docker.compose(project, "logs", "--no-color", "--tail=40")
            raise AssertionError(f"{error}\n{logs}") from None
        yield running
    finally:
        docker.compose(project, "--profile=*", "down", "--volumes", "--timeout=3")
