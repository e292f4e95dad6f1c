"""Previews on the server of infra-vps: beside what serves, apart from it, and for a while."""

import gzip
import io
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from greenlane.combinations import everything
from greenlane.kit import load_kit
from greenlane.render import render
from rendering import tool, write
from vps_server import PATIENCE_S, Load, Server

pytestmark = pytest.mark.slow

DIGEST = f"@sha256:{'7' * 64}"
# In the `.env` of what serves.
SECRETS = ("sk-the-key-of-production", "the-password-of-production")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kit = load_kit()
    made = render(kit, everything(kit, sorted(kit.apps)[0]))
    return write(made, tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="module")
def server(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, caddy: str
) -> Iterator[Server]:
    """One that serves `good:one`; every test leaves it without previews."""
    root = tmp_path_factory.mktemp("previews") / "srv"
    settings = {"WATCH_SECONDS": "0.2", "DRAIN_SECONDS": "0"}
    made = Server(root, caddy, settings, repository / "infra/vps")
    ssh = root / "bin/ssh"
    # A key that is let in by the line of docs/vps.md: whatever it asks for, the gate is what runs.
    ssh.write_text(
        f'#!/bin/sh\nexport SSH_ORIGINAL_COMMAND="$(for it in "$@"; do :; done; echo "$it")"\n'
        f'exec "{sys.executable}" "$(ls -td "{root}"/releases/*/ | head -n 1)preview.py" gate\n'
    )
    ssh.chmod(0o755)
    try:
        keys = zip(("OPENAI_API_KEY", "POSTGRES_PASSWORD"), SECRETS, strict=True)
        (root / ".env").touch(mode=0o600)
        (root / ".env").write_text("".join(f"{name}={value}\n" for name, value in keys))
        made.deploy("good:one")
        yield made
    finally:
        made.stop()


def gate(server: Server, command: str, archive: bytes = b"", fails: bool = False) -> str:
    """What the pipeline's key gets for a command."""
    done = subprocess.run(
        [str(server.root / "bin/ssh"), "--", "deploy@server", command],
        env=server.env, input=archive, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    printed = done.stdout.decode()
    assert (done.returncode != 0) is fails, printed
    return printed


def image(*names: str, index: str | None = None, path: str = "manifest.json") -> bytes:
    """`docker save NAMES | gzip`, as far as its lists go."""
    files: dict[str, Any] = {path: [{"Config": "x", "RepoTags": list(names), "Layers": []}]}
    if index:
        notes = {"io.containerd.image.name": f"docker.io/library/{index}"}
        files["index.json"] = {"manifests": [{"annotations": notes}]}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue())


def visit(server: Server, number: int) -> str:
    """What the address of a preview answers; raises SSLError where there is none."""
    host = f"pr-{number}.previews.localhost"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.preview_port), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname=host) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


def sweep_by_timer(server: Server, repository: Path) -> None:
    """Run what setup.sh gives to systemd."""
    text = (repository / "infra/vps/setup.sh").read_text()
    found = re.search(r"<<'SCRIPT'\n(.*?)^SCRIPT$", text, re.MULTILINE | re.DOTALL)
    assert found
    script = found[1].replace("/srv/", f"{server.root.parent}/")
    subprocess.run(["bash", "-ec", script], env=server.env, check=True, capture_output=True)


def of_preview(server: Server, number: int, path: str) -> Path:
    return server.root / "previews" / str(number) / path


def test_two_beside_what_serves_and_it_loses_no_request(server: Server, repository: Path) -> None:
    calls = len(server.journal())
    with Load(server.port, writes=True).running(threads=2) as load:
        assert "12 at https://pr-12" in gate(server, "up 12", image("shop-preview:12"))
        gate(server, f"up 13 registry.example.com/app{DIGEST}")
        assert visit(server, 12).endswith("\r\n\r\n12")
        assert visit(server, 13).startswith("HTTP/1.0 200")
        assert gate(server, "list").splitlines()[1].startswith("13 https://pr-13.previews.local")
        refused = gate(server, "up 14", image("shop-preview:14"), fails=True)
        assert "no more than 2 at once" in refused
        assert "  12 until 20" in refused
        with pytest.raises(ssl.SSLError):
            visit(server, 14)

        state = of_preview(server, 13, "preview.json")
        over = json.loads(state.read_text())
        left = datetime.fromisoformat(over["expires"]) - datetime.now(UTC)
        assert timedelta(hours=71) < left < timedelta(hours=73)
        state.write_text(json.dumps(over | {"expires": datetime.now(UTC).isoformat()}))
        sweep_by_timer(server, repository)
        assert [path.name for path in (server.root / "previews").iterdir()] == ["12"]
        assert "HTTP/1.0 404" in visit(server, 13)
        # A push takes the place of what is shown, with secrets of its own.
        secrets = of_preview(server, 12, ".env").read_text()
        gate(server, "up 12", image("shop-preview:12", index="shop-preview:12"))
        assert visit(server, 12).endswith("\r\n\r\n12")
        assert of_preview(server, 12, ".env").read_text() != secrets
        gate(server, "down 12")
        gate(server, "down 12")
        assert list((server.root / "previews").iterdir()) == []
        assert "HTTP/1.0 404" in visit(server, 12)
    assert load.failures == []
    assert load.answers["one"] > 50
    asked = server.journal()[calls:]
    assert ["image", "rm", "shop-preview:12"] in asked
    projects = {word for call in asked for word in call if word.startswith("--project-name=")}
    assert projects == {
        f"--project-name=shop-pr-{number}{slot}" for number in (12, 13) for slot in ("", "-blue")
    }
    assert any(call[-3:] == ["migrate", "app", "seed"] for call in asked)
    for call in asked:
        assert call[-2:] != ["down", "--volumes"] or "shop-pr-" in call[1]


def seen_by(server: Server, number: int) -> str:
    """All that a preview gets: its files, and what Compose itself makes of them."""
    folder = server.root / "previews" / str(number)
    text = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    compose = str(Path(sys.executable).with_name("docker-compose"))
    release = folder / "releases/preview"
    for file, project in (("standing.yaml", "shop-pr-12"), ("release.yaml", "shop-pr-12-blue")):
        given = (f"--project-name={project}", f"--env-file={folder}/.env",
                 f"--env-file={release}/server.env", f"--file={release / file}")  # fmt: skip
        variables = ("IMAGE=app:1", "PUBLISH=127.0.0.1:1", f"ROOT={folder}")
        done = tool("env", *variables, compose, *given, "--profile=*", "config")
        assert done.returncode == 0, done.stdout
        text += done.stdout
        assert str(server.root / ".env") not in done.stdout
        for service in yaml.safe_load(done.stdout)["services"].values():
            assert int(service["mem_limit"]) == 384 * 2**20
            assert float(service["cpus"]) == 0.5
            assert service["oom_score_adj"] == 900
    return text


def test_it_sees_no_secret_of_what_serves(server: Server) -> None:
    ours = server.root / ".env"
    aside = ours.rename(server.root / "aside")  # it does without: nothing reads it
    try:
        gate(server, "up 12", image("shop-preview:12"))
    finally:
        aside.rename(ours)
    seen = seen_by(server, 12)
    assert not [secret for secret in SECRETS if secret in seen]
    made = of_preview(server, 12, ".env")
    assert made.stat().st_mode & 0o077 == 0
    assert re.fullmatch(r"(?:\w+=[0-9a-f]{64}\n){3}", made.read_text())
    assert 'enable_ip_masquerade: "false"' in seen
    assert "name: shop-inside" not in seen
    token = re.search("CONTAINER_ACCESS_TOKEN=(.*)", made.read_text())
    assert token
    shown = server.start("good-one", "token", "12", script="preview.py").communicate()[0]
    assert shown.strip() == token[1]
    # And the search finds one that is there.
    made.write_text(made.read_text() + ours.read_text())
    assert all(secret in seen_by(server, 12) for secret in SECRETS)
    gate(server, "down 12")


@pytest.mark.parametrize(
    "command",
    [
        "", "token 12", "gate", "up", "up 0", "up -1", "up 12; touch PWNED", "up $(touch PWNED)",
        "up ../../../etc", "down 12/../../releases", "up 12 app:latest", f"up 12 --file=x{DIGEST}",
        f"up 12 $(touch PWNED){DIGEST}", "sweep 1", "python3 -c 0", "'",
    ],
)  # fmt: skip
def test_the_key_of_a_pipeline_opens_nothing_else(server: Server, command: str) -> None:
    calls, there = len(server.journal()), sorted(server.root.rglob("*"))
    assert "usage: " in gate(server, command, fails=True)
    assert len(server.journal()) == calls
    assert sorted(server.root.rglob("*")) == there


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (image("good:one"), "is called good:one, not shop-preview:12"),
        (image("shop-preview:12", "shop:1"), "is called shop-preview:12 shop:1, not"),
        (image("shop-preview:12", index="shop:1"), "is called shop-preview:12 shop:1, not"),
        (image("shop:1", path="./manifest.json"), "is called shop:1"),
        (image("shop-preview:12", path="repositories"), "is called "),
        (b"no archive", "this is no `docker save"),
        (image("shop-preview:12")[:40], "this is no `docker save"),
        (b"", "this is no `docker save"),
    ],
    ids=["other", "two", "index", "again", "older", "none", "cut", "empty"],
)
def test_an_image_cannot_take_the_name_of_another(
    server: Server, archive: bytes, said: str
) -> None:
    calls = len(server.journal())
    assert said in gate(server, "up 12", archive, fails=True)
    assert not any("load" in call or "up" in call for call in server.journal()[calls:])
    assert list((server.root / "previews").iterdir()) == []


def test_one_that_does_not_get_ready_leaves_nothing(server: Server) -> None:
    printed = gate(server, f"up 12 never-ready{DIGEST}", fails=True)
    assert "does not get healthy: /readyz answers 503" in printed
    assert list((server.root / "previews").iterdir()) == []
    assert gate(server, "list") == ""
    assert not list((server.standin / "shop-pr-12-blue").glob("*.pid"))
    assert not list((server.standin / "shop-pr-12").glob("*.pid"))


def test_killed_on_the_way_the_next_sweep_ends_it(server: Server) -> None:
    # This one would wait for two seconds, so that it is on the way when the signal arrives.
    process = server.start("good-one", "up", "12", f"never-ready{DIGEST}", script="preview.py")
    assert process.stdout
    assert any("ready?" in line for line in process.stdout)
    process.kill()
    process.communicate()
    assert of_preview(server, 12, ".env").exists()
    gate(server, "sweep")
    assert list((server.root / "previews").iterdir()) == []
    assert not list((server.standin / "shop-pr-12-blue").glob("*.pid"))
    assert server.serving() == "one"


def test_a_hostile_branch_reaches_nobody(server: Server, repository: Path, tmp_path: Path) -> None:
    """From the pipeline's end, through the recipe's script, to the preview that is shown."""
    clone = tmp_path / "clone"
    shutil.copytree(repository / "infra", clone / "infra")
    for command in (
        ["init", "--quiet", "--initial-branch", "$(touch${IFS}PWNED);touch${IFS}PWNED"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "A"],
    ):
        subprocess.run(["git", *command], cwd=clone, check=True)
    env_file = clone / "infra/vps/server.env"
    env_file.write_text(re.sub("(?m)^NAME=.*$", "NAME=shop", env_file.read_text()))
    # Where the pipeline runs, docker builds and saves.
    (tmp_path / "saved").write_bytes(gzip.decompress(image("shop-preview:12")))
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(
        f'#!/bin/sh\ncase "$1" in\nbuild) ;;\nsave) cat {tmp_path}/saved ;;\n'
        f'*) exec "{server.root}/bin/docker" "$@" ;;\nesac\n'
    )
    docker.chmod(0o755)

    def asked(*command: str) -> subprocess.CompletedProcess[str]:
        path = f"{tmp_path}/bin:{server.env['PATH']}"
        given = {"PATH": path, "PREVIEW_HOST": "deploy@server", "PREVIEW_KEY": "k"}
        return subprocess.run(
            [clone / "infra/vps/preview.sh", *command], cwd=clone, env=server.env | given,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    shown = asked("up", "12")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert visit(server, 12).endswith("\r\n\r\n12")
    assert asked("list").stdout.startswith("12 https://")
    for number in ("$(touch PWNED)", "12;touch PWNED", "-1", "", "99999999"):
        assert asked("up", number).returncode == 2
    assert asked("gate").returncode == 2
    assert asked("down", "12").returncode == 0
    assert asked("sweep").returncode == 0
    assert list((server.root / "previews").iterdir()) == []
    assert not list(tmp_path.rglob("PWNED"))
