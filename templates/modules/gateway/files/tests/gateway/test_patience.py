"""Who keeps Envoy waiting: slow requests, slow answers, connections that nobody uses, and many."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from app.auth.sessions import COOKIE
from tests.gateway.conftest import CONNECTIONS, LOOPBACK, Gateway

pytestmark = pytest.mark.slow
HEAD = b"GET /healthz HTTP/1.1\r\nHost: app\r\n"
# Longer than the gateway of these tests waits for anything.
LONG_S = 5.0


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((LOOPBACK, port), timeout=60) as connection:
        yield connection


def end(connection: socket.socket, seconds: float = LONG_S) -> bytes:
    """What comes, and `closed` when the connection is within these seconds."""
    connection.settimeout(seconds)
    received = b""
    with suppress(ConnectionResetError):
        try:
            while more := connection.recv(4096):
                received += more
        except TimeoutError:
            return received
    return received + b"closed"


def slow_head(connection: socket.socket) -> bytes:
    connection.sendall(HEAD)
    return end(connection)


def slow_body(connection: socket.socket) -> bytes:
    head = (
        f"POST /planted/one HTTP/1.1\r\nHost: app\r\nContent-Length: 1000\r\nCookie: {COOKIE}=one"
    )
    connection.sendall(f"{head}\r\n\r\n".encode())
    # Never idle for long.
    until = time.monotonic() + LONG_S
    with suppress(OSError):
        while time.monotonic() < until:
            connection.sendall(b"x")
            time.sleep(0.1)
    return end(connection, 1)


def slow_answer(connection: socket.socket) -> bytes:
    connection.sendall(HEAD + f"Hang: {LONG_S}\r\nConnection: close\r\n\r\n".encode())
    return end(connection, 60)


def unused(connection: socket.socket) -> bytes:
    connection.sendall(HEAD + b"\r\n")
    return end(connection)


@pytest.fixture(scope="module")
def ends(hasty: Gateway) -> dict[str, bytes]:
    """How each of them ends; all wait at the same time."""

    def ended(wait: Callable[[socket.socket], bytes]) -> bytes:
        with connected(hasty.port) as connection:
            return wait(connection)

    waits = (slow_head, slow_body, slow_answer, unused)
    with ThreadPoolExecutor(len(waits)) as pool:
        return {
            wait.__name__: found for wait, found in zip(waits, pool.map(ended, waits), strict=True)
        }


def reasons(hasty: Gateway) -> set[str]:
    lines = [json.loads(line) for line in hasty.log().splitlines() if line.startswith("{")]
    return {line["why"] for line in lines}


def test_patience_with_a_head_that_does_not_end(hasty: Gateway, ends: dict[str, bytes]) -> None:
    assert b" 408 " in ends["slow_head"]
    assert "request_header_timeout" in reasons(hasty)


def test_patience_with_a_body_that_does_not_end(hasty: Gateway, ends: dict[str, bytes]) -> None:
    assert ends["slow_body"].endswith(b"closed")
    assert "request_overall_timeout" in reasons(hasty)


def test_patience_with_an_answer_that_does_not_begin(ends: dict[str, bytes]) -> None:
    assert b" 504 " in ends["slow_answer"]


def test_patience_with_a_connection_that_nobody_uses(ends: dict[str, bytes]) -> None:
    assert b" 200 " in ends["unused"]
    assert ends["unused"].endswith(b"closed")


def test_patience_is_shorter_than_that_of_the_application(hasty: Gateway, ends: object) -> None:
    """It never sends a request on a connection that the application is closing."""
    until = time.monotonic() + 60
    while "idle_timeout: 0" in (found := hasty.statistics("cluster.app.upstream_cx_idle_timeout")):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "idle_timeout: " in found


def test_many_connections_are_too_many(hasty: Gateway) -> None:
    opened = []
    try:
        for _ in range(4 * CONNECTIONS):
            opened.append(socket.create_connection((LOOPBACK, hasty.port), timeout=60))
            opened[-1].sendall(HEAD + b"\r\n")
            with suppress(ConnectionResetError):
                if opened[-1].recv(4096):
                    continue
            break
        assert CONNECTIONS <= len(opened) - 1 < 4 * CONNECTIONS - 1
    finally:
        for connection in opened:
            connection.close()


def test_many_streams_of_a_connection_are_too_many(hasty: Gateway) -> None:
    with connected(hasty.port) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        frame = connection.recv(4096)
    assert frame[3] == 4
    entries = frame[9 : 9 + int.from_bytes(frame[:3])]
    said = {
        int.from_bytes(entries[at : at + 2]): int.from_bytes(entries[at + 2 : at + 6])
        for at in range(0, len(entries), 6)
    }
    assert said[3] == 100
