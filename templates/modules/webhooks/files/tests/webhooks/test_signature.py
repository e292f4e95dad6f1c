"""Standard Webhooks: its published vector in both directions, and all that is nearly it."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import httpx2
import pytest
import standardwebhooks.webhooks
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from app.core.db import utcnow
from app.main import create_app
from app.settings import Settings
from app.webhooks.models import Delivery, Quarantined
from app.webhooks.settings import WebhookSettings
from app.webhooks.signature import SignatureRefused, Signatures
from tests.webhooks.conftest import SECRET, Notes, rows

VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR_TIME = datetime.fromtimestamp(1614265330, UTC)
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = b'{"type": "test.note", "data": {"text": "hello", "count": 1}}'
OTHER = "whsec_" + "b3RoZXIh" * 5


def signatures(*secrets: str) -> Signatures:
    return Signatures([SecretStr(secret) for secret in secrets])


def test_the_published_vector_is_what_we_sign() -> None:
    signed = signatures(VECTOR_SECRET).sign(VECTOR["webhook-id"], VECTOR_BODY, VECTOR_TIME)
    assert signed == VECTOR


@pytest.fixture
def at_vector_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(VECTOR_TIME.timestamp() + 4 * 60, tz)

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Then)


@pytest.mark.usefixtures("at_vector_time")
def test_the_published_vector_is_accepted() -> None:
    verify = signatures(VECTOR_SECRET).verify
    assert verify(VECTOR, VECTOR_BODY) == VECTOR["webhook-id"]
    # Among several signatures one suffices, and an unknown version is passed over.
    several = f"v2,AAAA v1,bm90IHRoaXM= {VECTOR['webhook-signature']}"
    assert verify(VECTOR | {"webhook-signature": several}, VECTOR_BODY)
    assert signatures(OTHER, VECTOR_SECRET).verify(VECTOR, VECTOR_BODY)


@pytest.mark.usefixtures("at_vector_time")
@pytest.mark.parametrize(
    "changed",
    [
        *({name: ""} for name in VECTOR),
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e400"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,a"},
        {"webhook-signature": "v1,a,b"},
        {"webhook-signature": "v1,\u00e4\u00f6"},
        {"webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    ],
    ids=str,
)
def test_a_changed_header_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        signatures(VECTOR_SECRET).verify(VECTOR | changed, VECTOR_BODY)


def test_an_id_that_would_not_fit_is_refused() -> None:
    for length, refused in ((256, False), (257, True)):
        ours = signatures(OTHER)
        signed = ours.sign("x" * length, BODY, utcnow())
        with pytest.raises(SignatureRefused) if refused else nullcontext():
            assert ours.verify(signed, BODY) == "x" * length


@pytest.mark.usefixtures("at_vector_time")
@pytest.mark.parametrize("body", [b"", b'{"test": 2432232315}', VECTOR_BODY + b" ", b"\xff\xfe"])
def test_a_changed_body_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureRefused):
        signatures(VECTOR_SECRET).verify(VECTOR, body)


async def test_what_is_not_signed_leaves_no_trace(
    app: FastAPI, client: httpx2.AsyncClient, send, notes: Notes
) -> None:
    old, new = utcnow() - timedelta(minutes=6), utcnow() + timedelta(minutes=6)
    with capture_logs() as lines:
        refused = [
            await client.post("/webhooks/desk", content=BODY),
            await send(BODY, secret=OTHER),
            await send(BODY, webhook_signature="v1,AAAA"),
            await send(BODY, at=old),
            await send(BODY, at=new),
        ]
    assert [response.status_code for response in refused] == [401] * 5
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert "too old" in refused[3].json()["detail"]
    assert "hello" not in str(lines)
    assert (notes.calls, await rows(app, Delivery), await rows(app, Quarantined)) == ([], 0, 0)
    metrics = (await client.get("/metrics")).text
    assert 'webhooks_total{outcome="refused"} 5.0' in metrics


async def test_signed_within_five_minutes_is_accepted(send, notes: Notes) -> None:
    for n, minutes in enumerate((-4, 0, 4)):
        at = utcnow() + timedelta(minutes=minutes)
        assert (await send(BODY, at=at, webhook_id=f"msg_{n}")).status_code == 202
    assert len(notes.calls) == 3


async def test_a_new_secret_replaces_an_old_one_without_a_gap(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", f"{OTHER}, {SECRET}")
    secrets = [secret.get_secret_value() for secret in WebhookSettings().secret]
    assert secrets == [OTHER, SECRET]
    signed = signatures(*secrets).sign("msg_1", BODY, utcnow())
    for receiver in (OTHER, SECRET):
        assert signatures(receiver).verify(signed, BODY) == "msg_1"
    for sender in (OTHER, SECRET):
        assert signatures(*secrets).verify(signatures(sender).sign("m", BODY, utcnow()), BODY)


async def test_without_a_secret_nothing_is_accepted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "")
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.post("/webhooks/desk", content=BODY)
    await app.state.services.database.close()
    assert (response.status_code, "WEBHOOK_SECRET" in response.text) == (503, True)


@pytest.mark.parametrize("secret", ["generate", "whsec_c2hvcnQ=", "ab_-" * 16, SECRET + ",x"])
def test_a_weak_secret_is_refused_at_start(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    with pytest.raises(ValidationError, match="24 random bytes") as refused:
        WebhookSettings()
    assert "app webhooks secret" in str(refused.value)
