"""Stands in for `docker` where there is no engine: a service of Compose is a process here.

Knows the calls that the deploy script makes and refuses all others. What Compose would have read
from the files is checked elsewhere by Compose itself. `STANDIN` is the folder of its bookkeeping.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ["STANDIN"])
HERE = Path(__file__).parent
UP = {"--detach", "--no-deps", "--no-recreate", "--wait"}


def main(arguments: list[str]) -> None:
    with (HOME / "journal").open("a") as journal:
        journal.write(json.dumps(arguments) + "\n")
    match arguments:
        case ["inspect", "--format", "{{.State.Status}} {{.RestartCount}}", container]:
            project, _, service = container.removesuffix("-1").rpartition("-")
            sys.stdout.write(f"{'running' if alive(project, service) else 'restarting'} 0\n")
        case ["image", "rm", _] | ["load", "--input", _]:
            pass
        case ["compose", *rest]:
            options = [item for item in rest if item.partition("=")[0] in
                       ("--project-name", "--env-file", "--file")]  # fmt: skip
            given = dict(item.split("=", 1) for item in options)
            for item in options:
                path = item.partition("=")[2]
                if not item.startswith("--project-name") and not Path(path).is_file():
                    sys.exit(f"docker: {path} is not there")
            compose(given["--project-name"], Path(given["--file"]), rest[len(options) :])
        case _:
            sys.exit(f"docker: not known here: {arguments}")


def compose(project: str, file: Path, arguments: list[str]) -> None:
    match arguments:
        case ["up", *rest]:
            options = {item for item in rest if item.startswith("--")}
            if not options <= UP:
                sys.exit(f"docker: not known here: {options - UP}")
            services = [item for item in rest if not item.startswith("--")]
            for service in services or ["database", "cache", "caddy"]:
                start(project, service, file)
        case ["run", "--rm", "--no-deps", "migrate", *command]:
            if command not in ([], ["app", "seed"]):
                sys.exit(f"docker: not known here: {command}")
            time.sleep(0.1)
            if "bad-migration" in os.environ["IMAGE"]:
                sys.exit("column is in use")
        case ["down", "--volumes"]:
            for record in (HOME / project).glob("*.pid"):
                stop(record)
        case ["logs", "--no-color", "--tail", "20", service]:
            sys.stdout.write((HOME / project / f"{service}.log").read_text())
        case ["exec", "--no-TTY", "database", program, *rest]:
            os.execvp(*database(program, rest))  # noqa: S606
        case _:
            sys.exit(f"docker compose: not known here: {arguments}")


def database(program: str, arguments: list[str]) -> tuple[str, list[str]]:
    """PostgreSQL's own programs where the test started one; a dump of nothing otherwise."""
    if folder := os.environ.get("POSTGRES_PROGRAMS"):
        return f"{folder}/{program}", [program, *arguments]
    return "echo", ["echo", "TABLE DATA"]


def start(project: str, service: str, file: Path) -> None:
    """A process of the service, unless there is one."""
    if alive(project, service):
        return
    if service == "app":
        program = [sys.executable, f"{HERE}/vps_application.py"]
        command = [*program, os.environ["IMAGE"], os.environ["PUBLISH"]]
    elif service == "caddy":
        # The container has this folder as /etc/caddy.
        config = f"{os.environ['CADDY_FOLDER']}/Caddyfile"
        command = [os.environ["CADDY"], "run", "--adapter", "caddyfile", "--config", config]
    else:
        command = ["sleep", "600"]
    folder = HOME / project
    folder.mkdir(exist_ok=True)
    with (folder / f"{service}.log").open("w") as log:
        # In a session of its own: it outlives whoever asked for it, as a container does.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    (folder / f"{service}.pid").write_text(str(process.pid))
    while service == "app" and not (folder / "app.log").stat().st_size and process.poll() is None:
        time.sleep(0.02)  # READY_SECONDS is not for a busy machine
    if service == "caddy":
        host, _, port = os.environ["CADDY_ADMIN"].partition(":")
        while not answers(host, int(port)):  # `--wait`
            time.sleep(0.02)


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def alive(project: str, service: str) -> bool:
    record = HOME / project / f"{service}.pid"
    if not record.exists():
        return False
    stat = Path("/proc", record.read_text(), "stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def stop(record: Path) -> None:
    project, service = record.parent.name, record.stem
    if alive(project, service):
        os.kill(int(record.read_text()), signal.SIGTERM)
        deadline = time.monotonic() + 30
        while alive(project, service) and time.monotonic() < deadline:
            time.sleep(0.02)
    record.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
