"""While the application runs: no model sees what it may not, and the audit says so."""

from dataclasses import replace

import httpx2
import pytest
from fastapi import FastAPI

from app.ai.gateway import Gateway
from app.audit.log import entries
from app.core.db import Database
from app.core.metrics import Metrics
from app.core.principal import Principal
from app.core.problems import AppError
from app.policy.guard import Guard
from app.policy.residency import Provider, Residency, UseCase
from app.services import Services
from tests.ai.conftest import DRAFT, LOST, Make
from tests.fake_openai import FakeOpenAI

pytestmark = pytest.mark.anyio
UNION, ELSEWHERE = Principal("tulip", "anna"), Principal("acme", "bob")
# The test's endpoint plays a provider that is in the US only.
RESIDENCY = Residency(
    providers={"us-only": Provider(hosts=("127.0.0.1",), region="us", retention_days=0)},
    regions={"eu": frozenset({"eu"}), "us": frozenset({"us", "eu"})},
    tenants={"default": "us", "tulip": "eu"},
    use_cases={"default": UseCase(retention_days=0)},
)


@pytest.fixture
def guard(database: Database) -> Guard:
    return Guard(RESIDENCY, database, Metrics())


def guarded(gateway: Gateway, guard: Guard) -> Gateway:
    models = {
        name: spec.model_copy(update={"url": "http://127.0.0.1/v1", "name": "big"})
        if spec.kind == "openai"
        else spec
        for name, spec in gateway.config.models.items()
    }
    config = gateway.config.model_copy(update={"models": models})
    gateway.release = replace(gateway.release, config=config)
    gateway.permit = guard.permit
    return gateway


async def test_the_rest_of_the_route_answers(
    make_gateway: Make, guard: Guard, endpoint: FakeOpenAI
) -> None:
    endpoint.usual = DRAFT
    gateway = guarded(make_gateway(), guard)
    assert (await gateway.complete("draft", LOST, principal=UNION)).route == "local"
    assert endpoint.calls == []
    assert (await gateway.complete("draft", LOST, principal=ELSEWHERE)).route == "large"
    assert len(endpoint.calls) == 1


async def test_a_route_with_nobody_left_is_refused(
    make_gateway: Make, guard: Guard, endpoint: FakeOpenAI
) -> None:
    gateway = guarded(make_gateway(models=("large",), route=("large",)), guard)
    with pytest.raises(AppError) as refused:
        await gateway.complete("draft", LOST, principal=UNION)
    assert (refused.value.status, refused.value.title) == (403, "No model may answer")
    assert endpoint.calls == []


async def test_a_cached_answer_of_another_tenant_does_not_help(
    make_gateway: Make, guard: Guard, endpoint: FakeOpenAI
) -> None:
    endpoint.usual = DRAFT
    gateway = guarded(make_gateway(cache_ttl_s=60), guard)
    await gateway.complete("draft", LOST, principal=ELSEWHERE)
    assert (await gateway.complete("draft", LOST, principal=UNION)).route == "local"


async def test_the_audit_has_each_refusal_once_a_day(
    make_gateway: Make, guard: Guard, database: Database
) -> None:
    gateway = guarded(make_gateway(), guard)
    async with guard.running():
        for _ in range(3):
            await gateway.complete("draft", LOST, principal=UNION)
    async with database.reader() as session:
        found = list(await session.scalars(entries(tenant="tulip")))
    assert [(it.action, it.target, it.actor, it.reason) for it in found] == [
        ("model.refuse", "model:large", "anna", "us-only is in the region us")
    ]


async def test_the_application_asks_the_table(app: FastAPI) -> None:
    services: Services = app.state.services
    assert services.gateway.permit.__self__.__class__ is Guard  # type: ignore
    assert not services.egress.allows("evil.example")
    async with services.egress.client() as client:
        with pytest.raises(Exception, match=r"evil\.example is not on the list"):
            await client.get("https://evil.example/")
    assert issubclass(httpx2.AsyncClient, type(client))
