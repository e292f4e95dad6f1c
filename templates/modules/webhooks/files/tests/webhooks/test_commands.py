"""`app webhooks`: sending, and what a person does about quarantine."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from pydantic import SecretStr

from app.cli import main
from app.settings import Settings
from app.webhooks.models import Quarantined
from app.webhooks.signature import Signatures
from tests.webhooks.conftest import SECRET, Notes, rows


class Receiver(BaseHTTPRequestHandler):
    status = 202
    seen: list[tuple[str, dict[str, str], bytes]] = []  # noqa: RUF012  emptied by its fixture

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.path, headers, body))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"noted")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def url() -> Iterator[str]:
    """A receiver on a port of its own."""
    Receiver.seen.clear()
    Receiver.status = 202
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/webhooks/desk"
        server.shutdown()
        thread.join()


@pytest.fixture
def run(app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("LOG_LEVEL", "ERROR")

    async def invoke(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(
            CliRunner().invoke, main, ["webhooks", *arguments], prog_name="app"
        )
        return result.exit_code, result.output

    return invoke


async def test_what_is_sent_verifies(run, url: str, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text('{"text": "from a file"}')
    for arguments in (
        ("--type", "test.note", "--data", '{"text": "h\u00e9llo"}', "--id", "msg_7"),
        ("--type", "other.type", "--file", str(data)),
        ("test.note",),
    ):
        assert await run("send", *arguments, "--url", url) == (0, "202 noted\n")
    sent = []
    for path, headers, body in Receiver.seen:
        assert path == "/webhooks/desk"
        assert Signatures([SecretStr(SECRET)]).verify(headers, body) == headers["webhook-id"]
        sent.append((json.loads(body)["type"], json.loads(body)["data"]["text"]))
    assert sent == [
        ("test.note", "h\u00e9llo"),
        ("other.type", "from a file"),
        ("test.note", "an example"),
    ]
    assert Receiver.seen[0][1]["webhook-id"] == "msg_7"
    assert Receiver.seen[1][1]["webhook-id"] != Receiver.seen[2][1]["webhook-id"]


async def test_mistakes_in_sending_become_messages(
    run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "handled are: test.note" in (await run("send"))[1]
    assert "no JSON" in (await run("send", "a", "--data", "{"))[1]
    assert "no example" in (await run("send", "a"))[1]
    Receiver.status = 401
    assert (await run("send", "test.note", "--url", url))[0] == 1
    code, output = await run("send", "test.note", "--url", "http://127.0.0.1:1/webhooks/x")
    assert code == 1
    assert "app serve" in output
    monkeypatch.setenv("WEBHOOK_SECRET", "")
    code, output = await run("send", "test.note")
    assert code == 1
    assert "app webhooks secret" in output
    monkeypatch.setenv("WEBHOOK_SECRET", "short")
    code, output = await run("send", "test.note")
    assert code == 1
    assert output.startswith("Error: WEBHOOK_SECRET: Value error, each secret is 24 random bytes")


async def test_a_printed_secret_is_a_good_one(run, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.webhooks.settings import WebhookSettings

    printed = {(await run("secret"))[1].strip() for _ in range(2)}
    assert len(printed) == 2
    monkeypatch.setenv("WEBHOOK_SECRET", ",".join(printed))
    assert len(WebhookSettings().secret) == 2


async def test_a_person_looks_at_quarantine_and_replays(
    run, send, app: FastAPI, notes: Notes
) -> None:
    assert await run("list") == (0, "nothing is in quarantine\n")
    fixed = b'{"type": "test.later", "data": {"text": "hello", "count": 1}}'
    await send(fixed)
    await send(b'{"text": "broken', webhook_id="msg_2")
    listed = (await run("list"))[1]
    assert [line.split()[0] for line in listed.splitlines()] == ["1", "2"]
    assert "hello" not in listed
    code, shown = await run("show", "2")
    assert code == 0
    assert shown.startswith("no_json: ")
    assert '{"text": "broken' in shown
    assert (await run("show", "9"))[0] == 1
    assert (await run("replay"))[0] == 2
    assert (await run("replay", "9"))[0] == 1

    handlers = app.state.webhooks._handlers
    handlers["test.later"] = handlers["test.note"]
    notes.error = RuntimeError("broken")
    code, output = await run("replay", "1")
    assert code == 1
    assert "1  failed  RuntimeError: broken" in output
    notes.error = None
    code, output = await run("replay", "--all")
    assert code == 1, "one of the two is still malformed"
    assert "1  handled\n2  still malformed" in output
    assert await run("replay", "1") == (0, "1  handled already\n")
    assert await rows(app) == 1
    assert (await run("list"))[1].startswith("2 ")
    assert len((await run("list", "--all"))[1].splitlines()) == await rows(app, Quarantined) == 2
    assert "its body is deleted" in (await run("show", "1"))[1]
