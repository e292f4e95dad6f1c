"""How often: the numbers of limits.yaml, by address before a token is looked at, then by tenant.

A bucket is filled whole when its window ends, as the service counts. Each Envoy has its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from limits import RateLimitItem

from app.core.limits import Table
from app.gateway.routes import Route
from app.gateway.rules import AUTHENTICATION, CLAIMS, ROUTE, Issuer, Row

_KEPT = 10_000
_ALWAYS = Row(default_value={"numerator": 100, "denominator": "HUNDRED"})


def by_address(routes: Sequence[Route], table: Table) -> dict[str, Any]:
    """Limits of an address. Whose contract counts is not known there: the largest one bounds it."""
    largest = {
        name: max((tier[name] for tier in table.tiers.values()), key=_per_second)
        for name in next(iter(table.tiers.values()))
    }
    numbers = largest | table.addresses
    used = sorted({route.limit for route in routes} | {"public"})
    buckets = [_bucket(numbers[name], limit=name, remote_address="") for name in used]
    return _limits("addresses", buckets, [_limit_of_route(), {"remote_address": {}}])


def by_tenant(routes: Sequence[Route], table: Table, issuer: Issuer) -> Iterator[dict[str, Any]]:
    """Limits of a tenant by its contract, if tokens say which one that is."""
    if not issuer.tier_claim:
        return
    used = {route.limit for route in routes if route.scopes}
    tenant = {"tenant": issuer.tenant_claim} if issuer.tenant_claim else {}
    buckets = [
        _bucket(limits[name], limit=name, tier=tier, **dict.fromkeys(tenant, ""))
        for tier, limits in table.tiers.items()
        for name in sorted(used)
    ]
    claims = {"tier": issuer.tier_claim} | tenant
    said = [_claim(key, claim) for key, claim in claims.items()]
    yield _limits("tenants", buckets, [_limit_of_route(), *said])


def _limits(
    name: str, buckets: list[dict[str, Any]], actions: list[dict[str, Any]]
) -> dict[str, Any]:
    window = max(int(it["token_bucket"]["fill_interval"].rstrip("s")) for it in buckets)
    return {
        "stat_prefix": name,
        "filter_enabled": _ALWAYS,
        "filter_enforced": _ALWAYS,
        "max_dynamic_descriptors": _KEPT,
        "rate_limits": [{"actions": [Row(it) for it in actions]}],
        "descriptors": buckets,
        "response_headers_to_add": [{"header": {"key": "retry-after", "value": str(window)}}],
    }


def _bucket(number: RateLimitItem, **entries: str) -> dict[str, Any]:
    """A bucket for each value of the entries that are empty."""
    return Row(
        entries=[{"key": key, "value": value} for key, value in entries.items()],
        token_bucket={
            "max_tokens": number.amount,
            "tokens_per_fill": number.amount,
            "fill_interval": f"{number.get_expiry()}s",
        },
    )


def _limit_of_route() -> dict[str, Any]:
    return _metadata("limit", "ROUTE_ENTRY", ROUTE, "limit")


def _claim(key: str, claim: str) -> dict[str, Any]:
    return _metadata(key, "DYNAMIC", AUTHENTICATION, CLAIMS, claim)


def _metadata(key: str, source: str, name: str, *path: str) -> dict[str, Any]:
    place = {"key": name, "path": [{"key": part} for part in path]}
    return {"metadata": {"descriptor_key": key, "source": source, "metadata_key": place}}


def _per_second(limit: RateLimitItem) -> float:
    return limit.amount / limit.get_expiry()
