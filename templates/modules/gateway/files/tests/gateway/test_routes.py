"""The gateway's rules are those of the routes, access.yaml and limits.yaml, and say all of them."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Security
from pydantic import SecretStr

from app.core import yaml
from app.core.principal import principal_of
from app.core.problems import ConfigurationError
from app.gateway.buckets import by_tenant
from app.gateway.document import EXAMPLE, issuer_of, reviewed
from app.gateway.routes import routes_of
from app.gateway.settings import GatewaySettings
from app.main import create_app
from app.settings import Settings
from tests.conftest import TABLES


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setenv("AUTH_PROVIDER", "development")
    return create_app(Settings(_env_file=None, environment="test", **TABLES))


def manager(app: FastAPI) -> dict[str, Any]:
    made = yaml.safe_load(reviewed(app))
    return made["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0][
        "typed_config"
    ]


def rows(app: FastAPI) -> dict[str, dict[str, str]]:
    routes = manager(app)["route_config"]["virtual_hosts"][0]["routes"]
    return {row["name"]: row["metadata"]["filter_metadata"]["access"] for row in routes}


def test_47_the_api_and_the_gateway_say_the_same(app: FastAPI) -> None:
    found = rows(app)
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            scopes = {name for item in operation.get("security", []) for name in item["bearer"]}
            row = found[f"{method.upper()} {path}"]
            assert row["scope"] == (" ".join(sorted(scopes)) or "public")
            assert row["limit"] == operation["x-rate-limit"]


def test_each_scope_has_its_rule_and_each_limit_its_number(app: FastAPI) -> None:
    filters = {it["name"]: it["typed_config"] for it in manager(app)["http_filters"]}
    rules = filters["envoy.filters.http.rbac"]["rules"]["policies"]
    assert {row["scope"] for row in rows(app).values()} <= rules.keys()
    table = app.state.services.limits.table
    buckets = {
        tuple(entry["value"] for entry in bucket["entries"]): bucket["token_bucket"]
        for name in ("addresses", "tenants")
        for bucket in filters[name]["descriptors"]
    }
    assert buckets["read", "free", ""]["max_tokens"] == table.tiers["free"]["read"].amount
    assert buckets["login", ""]["max_tokens"] == table.addresses["login"].amount
    largest = max(tier["write"].amount for tier in table.tiers.values())
    assert buckets["write", ""]["max_tokens"] == largest
    for row in rows(app).values():
        assert (row["limit"], "") in buckets


@pytest.mark.parametrize("claim", ["tenant", ""])
def test_a_bucket_is_found_by_what_the_token_says(app: FastAPI, claim: str) -> None:
    table = app.state.services.limits.table
    (limits,) = by_tenant(routes_of(app), table, replace(EXAMPLE, tenant_claim=claim))
    (rate,) = limits["rate_limits"]
    said = [action["metadata"]["descriptor_key"] for action in rate["actions"]]
    assert said == ["limit", "tier", *([claim] if claim else [])]
    for bucket in limits["descriptors"]:
        assert [entry["key"] for entry in bucket["entries"]] == said


def test_it_has_the_routes_of_production(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AUTH_PROVIDER": "oidc",
        "AUTH_DISCOVERY_URL": "https://idp.example/.well-known/openid-configuration",
        "AUTH_CLIENT_SECRET": "c" * 32,
        "AUTH_PUBLIC_URL": "https://app.example",
        "AUTH_SECRET": "s" * 32,
    }.items():
        monkeypatch.setenv(name, value)
    token = SecretStr("t" * 32)
    settings = Settings(_env_file=None, environment="production", access_token=token, **TABLES)
    assert reviewed(create_app(settings)) == reviewed(app)


def test_a_route_that_does_not_say_who_may_has_no_gateway(app: FastAPI) -> None:
    app.add_api_route("/open", lambda: None)
    app.state.services.limits.assign(app, app.state.services.access)
    with pytest.raises(ConfigurationError, match="GET /open: a gateway cannot say"):
        routes_of(app)


def test_a_route_or_a_scope_that_changes_is_seen(app: FastAPI) -> None:
    before = reviewed(app)
    guard = Security(principal_of, scopes=["metrics:read", "tickets:read"])
    app.add_api_route("/new/{number:int}", lambda number: number, dependencies=[guard])
    app.state.services.limits.assign(app, app.state.services.access)
    after = reviewed(app)
    assert after != before
    assert rows(app)["GET /new/{number:int}"]["scope"] == "metrics:read tickets:read"


def test_it_accepts_whom_the_application_accepts(app: FastAPI) -> None:
    issuer = asyncio.run(issuer_of(app))
    provider = app.state.auth.providers["development"]
    assert (issuer.issuer, issuer.audience) == (provider.issuer, provider.settings.audience)
    assert issuer.jwks_uri == f"{provider.issuer}/jwks"
    assert (issuer.typ, issuer.leeway_s) == (EXAMPLE.typ, EXAMPLE.leeway_s)


def test_without_a_provider_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_PROVIDER", "none")
    app = create_app(Settings(_env_file=None, environment="test", **TABLES))
    with pytest.raises(ConfigurationError, match="AUTH_PROVIDER=none"):
        asyncio.run(issuer_of(app))


def test_the_application_counts_one_proxy_more() -> None:
    settings = GatewaySettings.model_construct(trusted_hops=1)
    settings.require_hops(2)
    with pytest.raises(ConfigurationError, match=r"TRUSTED_HOPS=1: .* Set 2, one more"):
        settings.require_hops(1)


def test_the_provider_must_prove_who_it_is(app: FastAPI) -> None:
    made = yaml.safe_load(reviewed(app))
    _, provider = made["static_resources"]["clusters"]
    context = provider["transport_socket"]["typed_config"]
    checked = context["common_tls_context"]["validation_context"]
    assert context["sni"] == "login.example.com"
    assert checked["match_typed_subject_alt_names"][0]["matcher"] == {"exact": "login.example.com"}
    assert Path(checked["trusted_ca"]["filename"]).is_absolute()
