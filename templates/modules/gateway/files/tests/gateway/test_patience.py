"""Who keeps Envoy waiting: slow requests, slow answers, connections that nobody uses, and many.

Envoy counts what it has ended. It has one thread for all connections here: what was due before it
answers a request has happened by then, however busy the machine is.
"""

import socket
import time
from contextlib import ExitStack, suppress

import pytest

from app.auth.sessions import COOKIE
from tests.gateway.conftest import CONNECTIONS, LONGEST_S, LOOPBACK, Gateway, Stack, ask, wait

pytestmark = pytest.mark.slow
HEAD = b"GET /healthz HTTP/1.1\r\nHost: app\r\n"
POST = f"POST /planted/one HTTP/1.1\r\nHost: app\r\nCookie: {COOKIE}=one\r\n".encode()
APP = "cluster.app.upstream"
UNFINISHED = (HEAD, POST + b"Content-Length: 1000\r\n\r\nx", HEAD + b"Pause: 60\r\n\r\n")


def connected(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=60)


def catch_up(gateway: Gateway) -> None:
    for _ in range(2):
        assert ask(gateway.port, "GET", "/nothing").status == 404


@pytest.fixture(scope="module")
def ended(hasty: Gateway) -> dict[str, int]:
    """What Envoy has counted, its longest patience after all have begun to keep it waiting."""
    with ExitStack() as opened:
        for begun in UNFINISHED:
            opened.enter_context(connected(hasty.port)).sendall(begun)
        catch_up(hasty)
        # The others have their connections to the application; the one of this is free again.
        unused = opened.enter_context(connected(hasty.port))
        unused.sendall(HEAD + b"\r\n")
        assert b" 200 " in unused.recv(4096)
        time.sleep(1.1 * LONGEST_S)
        catch_up(hasty)
        return hasty.statistics()


def test_patience_with_a_head_that_does_not_end(ended: dict[str, int]) -> None:
    assert ended["http.gateway.downstream_rq_header_timeout"] == 1


def test_patience_with_a_body_that_does_not_end(ended: dict[str, int]) -> None:
    assert ended["http.gateway.downstream_rq_timeout"] == 1


def test_patience_with_an_answer_that_does_not_begin(ended: dict[str, int]) -> None:
    assert ended["http.gateway.downstream_rq_idle_timeout"] == 1


def test_patience_with_a_connection_that_nobody_uses(ended: dict[str, int]) -> None:
    assert ended["http.gateway.downstream_cx_idle_timeout"] >= 1


def test_patience_is_shorter_than_that_of_the_application(ended: dict[str, int]) -> None:
    """It never sends a request on a connection that the application is closing."""
    assert ended[f"{APP}_cx_idle_timeout"] >= 1


def test_patience_with_keys_that_may_have_changed(ended: dict[str, int]) -> None:
    assert ended["cluster.issuer.upstream_rq_total"] > 1


def test_stream_of_events_may_take_its_time(stack: Stack) -> None:
    assert ask(stack.recorded, "GET", "/healthz", [("Pause", "1")]).status == 200


def test_bounds_of_connections(hasty: Gateway) -> None:
    def is_answered(connection: socket.socket) -> bool:
        with suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(HEAD + b"\r\n")
            return bool(connection.recv(4096))
        return False

    with ExitStack() as opened:
        connections = [opened.enter_context(connected(hasty.port)) for _ in range(3 * CONNECTIONS)]
        assert not all(is_answered(it) for it in connections)


def test_bounds_of_streams_on_a_connection(stack: Stack) -> None:
    with connected(stack.recorded) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        frame = connection.recv(4096)
    assert frame[3] == 4
    entries = frame[9 : 9 + int.from_bytes(frame[:3])]
    said = {
        int.from_bytes(entries[at : at + 2]): int.from_bytes(entries[at + 2 : at + 6])
        for at in range(0, len(entries), 6)
    }
    assert said[3] == 100


def is_held_back(before: dict[str, int], now: dict[str, int]) -> bool:
    """Whether Envoy takes no more of the application's answer, and nothing moves."""
    stopped, went_on, arrived = (
        f"{APP}_flow_control_paused_reading_total",
        f"{APP}_flow_control_resumed_reading_total",
        f"{APP}_cx_rx_bytes_total",
    )
    return now[stopped] > now[went_on] and now[arrived] == before[arrived]


def test_bounds_of_what_nobody_reads(stack: Stack) -> None:
    """Envoy keeps a little of an answer, and the application waits with the rest."""
    told = [stack.gateway.statistics()]

    def stands_still() -> bool:
        time.sleep(0.2)
        assert ask(stack.recording, "GET", "/healthz").status == 200
        catch_up(stack.gateway)
        told.append(stack.gateway.statistics())
        return is_held_back(*told[-2:])

    with connected(stack.recorded) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.sendall(HEAD + b"Size: 40000000\r\n\r\n")
        wait(stands_still)
    assert told[-1][f"{APP}_cx_rx_bytes_buffered"] < 100_000
    assert told[-1]["http.gateway.downstream_cx_tx_bytes_buffered"] < 100_000
