"""Events: handled once, put aside when malformed, replayed after a fix."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from structlog.testing import capture_logs

from app.core import retention
from app.core.db import utcnow
from app.core.problems import AppError
from app.webhooks.handlers import collect
from app.webhooks.models import Delivery, Quarantined
from tests.webhooks.conftest import Notes, rows

GOOD = {"text": "hello", "count": 1}
BAD = [
    json.loads(line)
    for line in Path(__file__).with_name("bad_payloads.jsonl").read_text().splitlines()
]


def event(kind: str = "test.note", **changes) -> bytes:
    return json.dumps({"type": kind, "data": GOOD | changes}).encode()


async def quarantined(app: FastAPI) -> list[Quarantined]:
    async with app.state.services.database.reader() as session:
        return list(await session.scalars(select(Quarantined).order_by(Quarantined.id)))


async def test_an_event_is_handled_once(app: FastAPI, send, notes: Notes) -> None:
    first, second = await send(event()), await send(event())
    assert (first.status_code, first.json()) == (202, {"status": "accepted", "duplicate": False})
    assert (second.status_code, second.json()) == (202, {"status": "accepted", "duplicate": True})
    assert notes.calls == ["hello"]
    await send(event(), webhook_id="msg_2")
    await send(event(), source="another-desk")
    assert len(notes.calls) == await rows(app) == 3


async def test_twenty_at_once_have_one_effect(app: FastAPI, send, notes: Notes) -> None:
    answers = await asyncio.gather(*(send(event()) for _ in range(20)))
    assert [answer.status_code for answer in answers] == [202] * 20
    assert sum(answer.json()["duplicate"] for answer in answers) == 19
    assert (len(notes.calls), await rows(app), await rows(app, Delivery)) == (1, 1, 1)


async def test_a_failing_handler_leaves_nothing_and_the_sender_repeats(
    app: FastAPI, send, notes: Notes
) -> None:
    notes.error = AppError(503, "Too busy", "Later.", headers={"Retry-After": "5"})
    busy = await send(event())
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")
    notes.error = RuntimeError("broken")
    with capture_logs():
        assert (await send(event())).status_code == 500
    assert (await rows(app), await rows(app, Delivery)) == (0, 0)
    notes.error = None
    assert (await send(event())).json()["duplicate"] is False
    assert (await rows(app), await rows(app, Delivery)) == (1, 1)


def test_the_corpus_is_what_it_says() -> None:
    assert len({bad["name"] for bad in BAD}) == len(BAD) >= 20
    assert {bad["kind"] for bad in BAD} == {
        "no_json",
        "nul_character",
        "no_event",
        "unknown_type",
        "wrong_fields",
    }


async def test_no_bad_payload_reaches_a_handler(app: FastAPI, send, notes: Notes) -> None:
    with capture_logs() as lines:
        for n, bad in enumerate(BAD):
            answer = await send(bad["body"].encode(), webhook_id=f"msg_{n}")
            assert answer.status_code == 202, bad["name"]
            assert answer.json() == {"status": "quarantined", "duplicate": False}, bad["name"]
    kept = await quarantined(app)
    assert [(row.kind, row.body.decode()) for row in kept] == [
        (bad["kind"], bad["body"]) for bad in BAD
    ]
    assert all(row.reason for row in kept)
    assert (notes.calls, await rows(app), await rows(app, Delivery)) == ([], 0, 0)
    assert sum(line["event"] == "webhook_quarantined" for line in lines) == len(BAD)
    assert "jane@example.com" not in str(lines)
    assert "hello" not in str(lines)


async def test_a_repeated_bad_event_is_put_aside_once(app: FastAPI, send) -> None:
    answers = await asyncio.gather(*(send(b"{") for _ in range(10)))
    assert sum(answer.json()["duplicate"] for answer in answers) == 9
    assert {answer.json()["status"] for answer in answers} == {"quarantined"}
    assert await rows(app, Quarantined) == 1
    await send(event(), webhook_id="msg_2")
    again = await send(b"{", webhook_id="msg_2")
    assert again.json() == {"status": "accepted", "duplicate": True}
    assert await rows(app, Quarantined) == 1


async def test_replay_after_a_fix_handles_once(app: FastAPI, send, notes: Notes) -> None:
    await send(event("test.later"))
    await send(b"{", webhook_id="msg_2")
    replay = app.state.webhooks.replay
    assert (await replay(1))[0] == "still malformed"
    assert await app.state.webhooks.waiting() == [1, 2]
    fixed = app.state.webhooks._handlers
    fixed["test.later"] = fixed["test.note"]
    notes.error = RuntimeError("not yet")
    with pytest.raises(RuntimeError):
        await replay(1)
    assert (await rows(app), await rows(app, Delivery)) == (0, 0)
    notes.error = None
    results = await asyncio.gather(*(replay(1) for _ in range(5)))
    assert sorted(result for result, _ in results) == ["handled"] + ["handled already"] * 4
    assert (await rows(app), await app.state.webhooks.waiting()) == (1, [2])
    row, _ = await quarantined(app)
    assert (row.body, row.handled_at is None) == (b"", False)
    assert (await send(event("test.later"))).json()["duplicate"] is True
    with pytest.raises(LookupError):
        await replay(99)


async def test_the_sender_may_repeat_it_after_the_fix_instead(
    app: FastAPI, send, notes: Notes
) -> None:
    await send(event(count="many"))
    assert (await send(event())).json() == {"status": "accepted", "duplicate": False}
    assert await app.state.webhooks.waiting() == []
    assert (await app.state.webhooks.replay(1))[0] == "handled already"
    assert len(notes.calls) == 1


async def test_quarantine_is_limited_and_keeps_the_newest(app: FastAPI, send) -> None:
    app.state.webhooks._settings.quarantine_limit = 3
    for n in range(5):
        await send(b"{", webhook_id=f"msg_{n}")
    assert [row.webhook_id for row in await quarantined(app)] == ["msg_2", "msg_3", "msg_4"]


async def test_deliveries_are_forgotten_after_a_while(app: FastAPI, send, notes: Notes) -> None:
    await send(event())
    async with app.state.services.database.session() as session:
        await session.execute(update(Delivery).values(received_at=utcnow() - timedelta(days=31)))
    await send(event(), webhook_id="msg_2")
    services = app.state.services
    assert await retention.forget(services.database, services.outdated) == 1
    assert await rows(app, Delivery) == 1


async def test_a_source_has_a_plain_name_and_a_body_a_limit(
    client: httpx2.AsyncClient, send, app: FastAPI
) -> None:
    assert (await send(event(), source="Desk%20One")).status_code == 422
    assert (await send(b"x" * 5_000_000)).status_code == 413


def test_two_features_cannot_handle_one_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, kind in (("one", "a"), ("two", "b"), ("three", "b")):
        package = tmp_path / f"feature_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "events.py").write_text(f"HANDLERS = {{{kind!r}: None}}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert collect(["feature_one", "feature_two", "app.webhooks"]).keys() == {"a", "b"}
    with pytest.raises(ValueError, match=r"'b' are handled by feature_two.* and by feature_three"):
        collect(["feature_one", "feature_two", "feature_three"])
