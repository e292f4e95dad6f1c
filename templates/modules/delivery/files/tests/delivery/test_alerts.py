"""Alertmanager may take a release back; nobody else, and no other release."""

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.delivery.store import Rollouts
from app.main import create_app
from app.settings import Settings
from tests.delivery.test_store import given, pinned_to, started
from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.anyio


def alert(**changes: str) -> dict[str, object]:
    labels = {"alertname": "CandidateBreaksObjective", "rollout": "abort", "release": "current"}
    status = changes.pop("status", "firing")
    return {
        "version": "4",
        "alerts": [{"status": status, "labels": {**labels, **changes}, "annotations": {}}],
    }


async def test_an_alert_takes_the_candidate_back(
    rollouts: Rollouts, client: httpx2.AsyncClient, two_releases: FlagFile
) -> None:
    await started(rollouts)
    done = await client.post("/rollouts/alerts", json=alert())
    assert done.json() == {"taken_back": "current"}
    assert pinned_to(two_releases) == "previous"
    again = await client.post("/rollouts/alerts", json=alert())
    assert again.json() == {"taken_back": None}


async def test_a_rollout_ends_with_the_version_that_it_began_on(
    rollouts: Rollouts, client: httpx2.AsyncClient, two_releases: FlagFile
) -> None:
    await started(rollouts)
    labels = {"rollout": "version-taken-back", "version": "app@sha256:abc"}
    told = {"alerts": [{"status": "firing", "labels": labels}]}
    done = await client.post("/rollouts/alerts", json=told)
    assert done.json() == {"taken_back": "current"}
    assert pinned_to(two_releases) == "previous"
    row = await rollouts.newest()
    assert row is not None
    assert row.reason == "the version app@sha256:abc was taken back"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "resolved"},
        {"status": "resolved", "rollout": "version-taken-back"},
        {"release": "older"},
        {"rollout": "no"},
    ],
)
async def test_other_alerts_change_nothing(
    rollouts: Rollouts,
    client: httpx2.AsyncClient,
    two_releases: FlagFile,
    changes: dict[str, str],
) -> None:
    await started(rollouts)
    done = await client.post("/rollouts/alerts", json=alert(**changes))
    assert done.json() == {"taken_back": None}
    assert given(two_releases) == {"current": 5, "previous": 95}


async def test_a_stranger_is_refused(settings: Settings, two_releases: FlagFile) -> None:
    token = "x" * 32
    app: FastAPI = create_app(settings.model_copy(update={"access_token": SecretStr(token)}))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.post("/rollouts/alerts", json=alert())).status_code == 401
        headers = {"Authorization": f"Bearer {token}"}
        done = await client.post("/rollouts/alerts", json=alert(), headers=headers)
        assert done.status_code == 200
