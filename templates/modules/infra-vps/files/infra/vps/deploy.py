#!/usr/bin/env python3
"""Put a release of the application into service on this server, without losing a request.

    deploy.py deploy             serve the release that this script came with
    deploy.py rollback [RELEASE] serve the one before, or another that is here; the database stays
    deploy.py status             who serves, and what is here
    deploy.py backup             dump the database
    deploy.py restore [FILE]     put a dump in the database's place; without one, undo that

A release starts in the slot beside the one that serves. It gets the requests when it proves
healthy, and loses them again when it turns out not to be. Every command first puts right what a
killed one left behind: a release that had not proved healthy by then is stopped.
"""

import argparse
import re
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import database
from server import SLOTS, Failure, Live, Server, State, ask

# Of what a new release answers while it is watched, so much may fail.
FAILING_SHARE = 0.02


def deploy(server: Server, release: str, *, migrate: bool = True) -> None:
    """Serve `release`. Unless it proves healthy the one before serves on, and Failure says why."""
    state = recover(server)
    before = state.live
    live = Live(release, SLOTS[0] if before is None else other(before.slot))
    try:
        if migrate:
            _migrate(server, live)
        start(server, live)
        server.say("switch", f"to {release}")
        _serve(server, State(live, before, watched=True, history=state.history))
        _watch(server, live)
    except BaseException:
        server.say("undo", f"{before.release} serves on" if before else "nothing serves")
        if server.state().watched:
            _serve(server, state)
            _drain(server, live)
        _stop(server, live.slot)
        raise
    server.say("confirm", f"{release} proved healthy")
    history = state.history
    if release in history:  # what a rollback goes back from is no longer a place to go back to
        history = history[: history.index(release)]
    keep = int(server.settings["KEEP"])
    good = State(live, history=[*history, release][-keep:])
    _serve(server, good)
    if before:
        _drain(server, before)
        _stop(server, before.slot)
    _prune(server, good.history, keep)
    server.say("done", f"{release} serves from {live.slot}")


def rollback(server: Server, release: str | None) -> None:
    """Serve `release`, or the one that served before this one. Migrations are not undone:
    they only ever add what the next release needs, so that the one before works with them."""
    history = server.state().history
    if release is None and len(history) < 2:
        raise Failure("no release served before this one; name one: deploy.py rollback RELEASE")
    release = release or history[-2]
    server.release(release)
    deploy(server, release, migrate=False)


def recover(server: Server) -> State:
    """Bring everything to what the state says, whatever was cut short; return the state."""
    state = server.state()
    if state.watched:
        state = State(state.before, history=state.history)
        server.remember(state)
    server.secrets()
    database.forget_partial(server)
    server.prepare_caddy()
    server.standing("up", "--detach", "--no-recreate", "--wait")
    if state.live:
        server.slot(state.live, "up", "--detach", "--no-recreate", "inference", "app", "worker")
    server.route(state)
    for slot in SLOTS:
        if state.live is None or slot != state.live.slot:
            _stop(server, slot)
    return state


def other(slot: str) -> str:
    return SLOTS[1 - SLOTS.index(slot)]


def _migrate(server: Server, live: Live) -> None:
    server.say("backup", f"of the database: {database.backup(server, live.release)}")
    server.say("migrate", "the database; the release that serves goes on with it")
    server.slot(live, "run", "--rm", "--no-deps", "migrate")


def start(server: Server, live: Live) -> None:
    """The application, then its worker: a release that never gets ready takes no job."""
    server.say("start", f"{live.release} in {live.slot}")
    server.slot(live, "up", "--detach", "--no-deps", "inference", "app")
    server.say("ready?", f"asking for at most {server.seconds('READY_SECONDS'):g} s")
    deadline = time.monotonic() + server.seconds("READY_SECONDS")
    container = f"{server.name}-{live.slot}-app-1"
    while reason := _illness(server, live):
        state = server.run(
            "docker", "inspect", "--format", "{{.State.Status}} {{.RestartCount}}", container
        )
        if state.split() != ["running", "0"]:
            raise Failure(f"{live.release} ends when it starts.\n{_last_words(server, live)}")
        if time.monotonic() > deadline:
            raise Failure(
                f"{live.release} does not get healthy: {reason}.\n{_last_words(server, live)}"
            )
        time.sleep(0.2)
    server.say("worker", "starts")
    server.slot(live, "up", "--detach", "--no-deps", "--wait", "worker")


def _serve(server: Server, state: State) -> None:
    """What is remembered comes first: were this killed in between, `recover` would finish it."""
    server.remember(state)
    server.route(state)


def _watch(server: Server, live: Live) -> None:
    """Look on while it serves: what it answers to us, and by its own metrics to everyone."""
    server.say("watch", f"for {server.seconds('WATCH_SECONDS'):g} s")
    deadline = time.monotonic() + server.seconds("WATCH_SECONDS")
    answered, failed = _answered(server, live)
    if not answered:
        server.say("watch", "its /metrics tell nothing: only our own requests judge it")
    while time.monotonic() < deadline:
        reason = _illness(server, live)
        answered_now, failed_now = _answered(server, live)
        share = f"{failed_now - failed:g} of {answered_now - answered:g} requests failed"
        if failed_now - failed > max(1, FAILING_SHARE * (answered_now - answered)):
            reason = f"{share}, by its own metrics"
        if reason:
            raise Failure(f"{live.release} serves, but {reason}.\n{_last_words(server, live)}")
        time.sleep(0.2)


def _illness(server: Server, live: Live) -> str | None:
    """None when /readyz and every page of slo.yaml that needs no id answer as they should."""
    promised = (server.release(live.release) / "slo.yaml").read_text()
    headers = {"Authorization": f"Bearer {server.token()}"}
    for path in ("/readyz", *re.findall(r"(?m)^\s*route: GET (/[^\s{}]*)$", promised)):
        status, answer = ask(server.address(live.slot), path, headers=headers)
        # Who is asked to sign in has met a living application.
        if status not in (200, 302, 303, 307, 401, 403):
            shown = answer.decode(errors="replace")[:300]
            return f"{path} answers {status or 'nothing'}: {shown}"
    return None


def _answered(server: Server, live: Live) -> tuple[float, float]:
    """How many requests it answered, and how many of these with 5xx."""
    headers = {"Authorization": f"Bearer {server.token()}"}
    _, answer = ask(server.address(live.slot), "/metrics", headers=headers)
    lines = re.findall(
        r'(?m)^http_requests_total\{.*status="(\d+)".*\} (\S+)$', answer.decode(errors="replace")
    )
    failed = sum(float(number) for status, number in lines if status >= "500")
    return sum(float(number) for _, number in lines), failed


def _last_words(server: Server, live: Live) -> str:
    with suppress(Failure):
        return server.slot(live, "logs", "--no-color", "--tail", "20", "app")
    return ""


def _drain(server: Server, live: Live) -> None:
    """Give what Caddy sent before the switch time to arrive; it is finished even after that."""
    server.say("drain", live.slot)
    time.sleep(server.seconds("DRAIN_SECONDS"))


def _stop(server: Server, slot: str) -> None:
    """End what runs in a slot; release.yaml says how long it may take over that."""
    server.say("stop", slot)
    server.slot(Live(server.folder.name, slot), "down", "--volumes")


def _prune(server: Server, history: list[str], keep: int) -> None:
    """Keep the releases that served last, those that came last, and the last dumps."""
    server.say("prune", "what is older")
    kept = {*history, *server.releases()[:keep]}
    images = {server.image(name) for name in kept}
    for name in set(server.releases()) - kept:
        if (image := server.image(name)) not in images:
            with suppress(Failure):  # gone already
                server.run("docker", "image", "rm", image)
        shutil.rmtree(server.release(name))
    for dump in database.dumps(server)[keep:]:
        dump.unlink()


def _status(server: Server) -> None:
    state = server.state()
    serving = f"{state.live.release} from {state.live.slot}" if state.live else "nothing"
    server.say("serving", serving + (", not proved healthy yet" if state.watched else ""))
    if state.live:
        server.say("health", _illness(server, state.live) or "good")
    server.say("served", " ".join(state.history))
    server.say("releases", " ".join(server.releases()))
    server.say("dumps", " ".join(path.name for path in database.dumps(server)))


def _restore(server: Server, file: Path | None) -> None:
    state = recover(server)
    if file:
        server.say("restore", f"{file} beside the database that serves")
        database.load(server, file)
    server.say("closed", "nothing serves while the databases change places")
    server.route(State())
    if state.live:
        _drain(server, state.live)
        _stop(server, state.live.slot)
    database.exchange(server, database.RESTORED if file else database.FORMER)
    if state.live:
        server.slot(state.live, "run", "--rm", "--no-deps", "migrate")
        start(server, state.live)
    server.route(state)
    server.say("done", f"the database before is {database.FORMER}; `restore` alone brings it back")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("deploy", "status", "backup"):
        commands.add_parser(name)
    commands.add_parser("rollback").add_argument("release", nargs="?")
    commands.add_parser("restore").add_argument("file", type=Path, nargs="?")
    given = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("error: told to end"))
    here = Path(__file__).resolve().parent
    try:
        server = Server(here.parents[1], here.name)
        if given.command == "status":
            _status(server)
            return
        with server.alone():
            if given.command == "deploy":
                deploy(server, here.name)
            elif given.command == "rollback":
                rollback(server, given.release)
            elif given.command == "restore":
                _restore(server, given.file)
            else:
                recover(server)
                server.say("backup", str(database.backup(server, "by-hand")))
    except Failure as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
