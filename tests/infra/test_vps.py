"""The deploy script of infra-vps with a real Caddy before two processes: no request is lost."""

import http.client
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from vps_server import PATIENCE_S, Load, Server

pytestmark = pytest.mark.slow


@contextmanager
def serving_one(folder: Path, caddy: str) -> Iterator[Server]:
    server = Server(folder, caddy, {"WATCH_SECONDS": "0.2"})
    try:
        server.deploy("good:one")
        server.settings["WATCH_SECONDS"] = "2"
        yield server
    finally:
        server.stop()


@pytest.fixture
def serving(tmp_path: Path, caddy: str) -> Iterator[Server]:
    """One that serves `good:one`."""
    with serving_one(tmp_path / "srv", caddy) as server:
        yield server


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, caddy: str) -> Iterator[Server]:
    """The same for releases that it does not keep: each leaves it as it was."""
    with serving_one(tmp_path_factory.mktemp("refusing") / "srv", caddy) as server:
        server.settings["WATCH_SECONDS"] = "60"  # the watch ends when it sees something
        yield server


def test_a_good_release_takes_over_and_no_request_is_lost(serving: Server) -> None:
    with Load(serving.port, writes=True).running() as load:
        until(lambda: load.answers["one"] > 50)
        printed = serving.deploy("good:two")
        until(lambda: load.answers["two"] > 50)
    assert load.failures == []
    assert serving.running() == ["good:two"]
    assert serving.serving() == "two"
    assert "good-two serves from green" in printed
    steps = [line.split()[1] for line in printed.splitlines()]
    order = ["backup", "migrate", "start", "ready?", "worker", "switch", "watch", "confirm"]
    assert [step for step in dict.fromkeys(steps) if step in order] == order
    assert steps.index("drain") > steps.index("confirm")


@pytest.mark.parametrize(
    ("image", "writes", "reason"),
    [
        ("never-ready:bad", True, "does not get healthy: /readyz answers 503"),
        ("crashes:bad", True, "ends when it starts.\nstarts\nno such column: tickets.mood"),
        ("pages-fail:bad", True, "does not get healthy: /inbox answers 500"),
        ("good:bad-migration", True, "column is in use"),
        # These turn bad while they serve. Nobody may send a write again, so that only reads are
        # taken over by the release before.
        ("fails-later:bad", False, "fails-later-bad serves, but "),
        ("readers-fail:bad", False, "requests failed, by its own metrics"),
        ("dies:bad", False, "dies-bad serves, but "),
    ],
)
def test_a_bad_release_goes_and_no_request_is_lost(
    refusing: Server, image: str, writes: bool, reason: str
) -> None:
    serving = refusing
    with Load(serving.port, writes).running() as load:
        until(lambda: load.answers["one"] > 50)
        printed = serving.deploy(image, fails=True)
        before = load.answers["one"]
        until(lambda: load.answers["one"] > before + 50)
    assert load.failures == []
    assert reason in printed
    assert "good-one serves on" in printed
    assert serving.running() == ["good:one"]
    assert serving.state()["live"] == {"release": "good-one", "slot": "blue"}
    assert serving.state()["watched"] is False


def no_gate(text: str) -> str:
    """The script, made to switch without asking whether the release is healthy."""
    for old in ("while reason := _illness(server, live):", "        _watch(server, live)\n"):
        assert old in text, f"deploy.py no longer has {old!r}: plant another mistake"
    text = text.replace("while reason := _illness(server, live):", "while reason := None:")
    return text.replace("        _watch(server, live)\n", "")


@pytest.mark.parametrize("image", ["never-ready:bad", "pages-fail:bad"])
def test_the_load_notices_a_script_without_a_gate(serving: Server, image: str) -> None:
    serving.settings["WATCH_SECONDS"] = "0.2"
    with Load(serving.port, writes=True).running() as load:
        until(lambda: load.answers["one"] > 50)
        serving.deploy(image, no_gate)
        until(lambda: load.failures)


STEPS = [
    ("backup", 1), ("migrate", 1), ("start", 1), ("ready?", 1), ("worker", 1), ("switch", 1),
    ("watch", 1), ("confirm", 1), ("drain", 1), ("stop", 1), ("stop", 2), ("prune", 1),
]  # fmt: skip


def test_killed_at_any_step_the_next_run_puts_things_right(serving: Server) -> None:
    serving.settings |= {"WATCH_SECONDS": "0.3", "DRAIN_SECONDS": "0.2"}
    with Load(serving.port, writes=True).running() as load:
        for number, (step, nth) in enumerate(STEPS):
            release = serving.ship(f"good:n{number}")
            begun = serving.killed_at(release, step, nth)
            assert begun[-1] == step, f"{step} was never begun: {begun}"
            serving.run(release, "backup")
            live = serving.state()["live"]["release"]
            # Before it was confirmed the one before serves on, afterwards the new one does. What is
            # killed as it confirms may have come to that, or not.
            assert step == "confirm" or (live == release) is ("confirm" in begun), step
            assert serving.running() == [live.replace("-", ":", 1)], step
            assert serving.serving() == live.removeprefix("good-")
        assert "done" in serving.deploy("good:last")
    assert load.failures == []
    assert load.answers["last"] > 0


def test_killed_at_random_moments(serving: Server) -> None:
    serving.settings |= {"WATCH_SECONDS": "0.3", "DRAIN_SECONDS": "0.2"}
    draw = random.Random(11)
    with Load(serving.port, writes=True).running() as load:
        for number in range(5):
            process = serving.start(serving.ship(f"good:r{number}"), "deploy")
            time.sleep(draw.uniform(0.05, 2))
            process.kill()
            process.communicate()
        assert "done" in serving.deploy("good:last")
    assert load.failures == []
    assert serving.running() == ["good:last"]
    assert serving.serving() == "last"


def test_told_to_end_it_undoes_what_it_began(serving: Server) -> None:
    serving.settings["WATCH_SECONDS"] = "60"
    process = serving.start(serving.ship("good:two"), "deploy")
    assert process.stdout
    assert any("watch" in line for line in process.stdout)
    process.terminate()
    printed, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert "good-one serves on" in printed
    assert serving.running() == ["good:one"]


def test_only_one_at_a_time(serving: Server) -> None:
    first = serving.start(serving.ship("good:two"), "deploy")
    assert first.stdout
    assert any("ready?" in line for line in first.stdout)
    first.send_signal(signal.SIGSTOP)  # it must not end before the other one asks
    printed = serving.deploy("good:three", fails=True)
    assert f"another one is under way ({first.pid}: deploy)" in printed
    first.send_signal(signal.SIGCONT)
    rest, _ = first.communicate(timeout=PATIENCE_S)
    assert "good-two serves from green" in rest
    assert serving.serving() == "two"


def test_rollback_releases_and_secrets(serving: Server) -> None:
    serving.settings |= {"WATCH_SECONDS": "0.1", "DRAIN_SECONDS": "0"}
    for name in ("two", "three", "four", "five"):
        serving.deploy(f"good:{name}")
    # The last three, and images of what went are gone too.
    assert sorted(path.name for path in (serving.root / "releases").iterdir()) == [
        "good-five", "good-four", "good-three",
    ]  # fmt: skip
    assert ["image", "rm", "good:one"] in serving.journal()
    assert len(list((serving.root / "backups").glob("*.dump"))) <= 3

    calls = len(serving.journal())
    assert "good-four serves" in serving.run("good-five", "rollback")
    assert serving.serving() == "four"
    assert not any("migrate" in call for call in serving.journal()[calls:])
    assert "good-three serves" in serving.run("good-five", "rollback")
    refused = serving.run("good-five", "rollback", "good-nine", fails=True)
    assert "there is no release good-nine" in refused
    status = serving.run("good-five", "status")
    assert "good-three from" in status
    assert "health   good" in status

    assert serving.mode(".env") == 0o600
    assert (serving.root / ".env").read_text().startswith("CONTAINER_ACCESS_TOKEN=")
    assert len((serving.root / ".env").read_text()) > 64
    (serving.root / ".env").chmod(0o644)
    assert "others may read" in serving.run("good-five", "deploy", fails=True)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_chooses_the_address_that_limits_count(refusing: Server, method: str) -> None:
    """Caddy says who asked it, and nothing else; TRUSTED_HOPS of the release takes one address."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", refusing.port, timeout=30, source_address=("127.0.0.2", 0)
    )
    connection.request(method, "/forwarded", headers={"X-Forwarded-For": "203.0.113.7"})
    told = connection.getresponse().read().decode()
    connection.close()
    release = yaml.safe_load((refusing.files / "release.yaml").read_text())
    hops = int(release["services"]["app"]["environment"]["TRUSTED_HOPS"])
    assert told.split(",") == ["127.0.0.2"] * hops


def test_a_broken_caddyfile_changes_nothing(serving: Server) -> None:
    release = serving.ship("good:two")
    file = serving.root / "releases" / release / "Caddyfile"
    file.write_text(file.read_text().replace("lb_policy first", "lb_policy furst"))
    printed = serving.run(release, "deploy", fails=True)
    assert "Caddy does not take the Caddyfile" in printed
    assert "furst" in printed
    assert serving.running() == ["good:one"]
    assert serving.serving() == "one"


def until(condition: object) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():  # pyrefly: ignore[not-callable]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
