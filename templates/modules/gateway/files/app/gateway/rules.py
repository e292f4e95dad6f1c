"""Who may pass: tokens are verified as the service does it, their scopes compared with a route's.

What a gateway cannot judge passes to the service: sessions, keys of programs, the access token of
scripts. It does so on routes that exist, and the service judges it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app.auth.sessions import COOKIE
from app.gateway.routes import Route

AUTHENTICATION = "envoy.filters.http.jwt_authn"
ROUTE = "access"
CLAIMS, _HEADER, _FAILURE = "claims", "header", "failure"
_PUBLIC = "public"
# What the service takes for a token of the provider, and what one looks like.
_LIKE_TOKEN = r"(?is)(bearer|dpop) .*\..*\..*"  # noqa: S105  a pattern
# One header is one value: several of them are joined by commas before they are matched.
_SINGLE = r"(?s)[^,]+"
_SCHEMES = ("Bearer ", "bearer ", "BEARER ", "DPoP ", "dpop ", "DPOP ")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are accepted, and which of their claims are read."""

    issuer: str
    audience: str
    jwks_uri: str
    typ: str
    leeway_s: int
    tenant_claim: str
    tier_claim: str


class Row(dict[str, Any]):
    """A part of the configuration that people read as a line of a table."""


def metadata_of(route: Route) -> dict[str, Any]:
    said = {"scope": _asked(route), "limit": route.limit}
    if route.is_page and route.scopes:
        said["page"] = "yes"
    return {"filter_metadata": {ROUTE: said}}


def authentication(issuer: Issuer) -> dict[str, Any]:
    """The filter that verifies tokens: signature, issuer, audience, time."""
    provider = {
        "issuer": issuer.issuer,
        "audiences": [issuer.audience],
        "require_expiration": True,
        "clock_skew_seconds": issuer.leeway_s,
        "remote_jwks": {
            "http_uri": {"uri": issuer.jwks_uri, "cluster": "issuer", "timeout": "5s"},
            # A key that is new is known within this time; providers announce theirs for longer.
            "cache_duration": "60s",
            "async_fetch": {},
        },
        "from_headers": [Row(name="authorization", value_prefix=it) for it in _SCHEMES],
        # The service verifies it again.
        "forward": True,
        "payload_in_metadata": CLAIMS,
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope", "scp"]},
        "header_in_metadata": _HEADER,
        "failed_status_in_metadata": _FAILURE,
    }
    rule = {
        "match": {"prefix": "/", "headers": [_authorization(_LIKE_TOKEN)]},
        "requires": {"provider_name": "issuer"},
    }
    return {"providers": {"issuer": provider}, "rules": [rule]}


def failure() -> dict[str, Any]:
    """What says of a request that its token was refused."""
    path = [Row(key=_FAILURE), Row(key="message")]
    matcher = {"filter": AUTHENTICATION, "path": path, "value": Row(present_match=True)}
    return {"matcher": matcher, "match_if_key_not_found": False}


def authorization(routes: Iterable[Route], issuer: Issuer) -> dict[str, Any]:
    """The policies by which a request passes; one of them must allow it."""
    policies = {
        _PUBLIC: _policy([_of_route("scope", {"exact": _PUBLIC})], [{"any": True}]),
        "page": _policy([_of_route("page", {"exact": "yes"})], [_not(_given())]),
        "judged by the service": _policy([{"any": True}], [_session(), _other_credentials()]),
    }
    for scopes in {route.scopes for route in routes if route.scopes}:
        name = " ".join(sorted(scopes))
        granted = [_granted(scope) for scope in sorted(scopes)]
        policies[name] = _policy(
            [_of_route("scope", {"exact": name})], [_all(*_kind(issuer.typ), *granted)]
        )
    return dict(sorted(policies.items()))


def _asked(route: Route) -> str:
    return " ".join(sorted(route.scopes)) or _PUBLIC


def _kind(typ: str) -> Iterator[dict[str, Any]]:
    """A token that is for an API, where the provider says so."""
    if typ:
        spelling = {"regex": rf"(?i)(application/)?{re.escape(typ)}"}
        yield _of_token([_HEADER, "typ"], {"string_match": {"safe_regex": spelling}})


def _granted(scope: str) -> dict[str, Any]:
    """`scope`, and where a provider does not have that claim, `scp`."""
    has = {"list_match": {"one_of": {"string_match": {"exact": scope}}}}
    has_claim = _of_token([CLAIMS, "scope"], {"present_match": True})
    own = _of_token([CLAIMS, "scope"], has)
    return _any(own, _all(_not(has_claim), _of_token([CLAIMS, "scp"], has)))


def _session() -> dict[str, Any]:
    cookie = {"name": "cookie", "string_match": {"contains": f"{COOKIE}="}}
    return _all(_not(_given()), {"header": cookie})


def _other_credentials() -> dict[str, Any]:
    return _all({"header": _authorization(_SINGLE)}, _not({"header": _authorization(_LIKE_TOKEN)}))


def _given() -> dict[str, Any]:
    return {"header": {"name": "authorization", "present_match": True}}


def _authorization(pattern: str) -> dict[str, Any]:
    return {"name": "authorization", "string_match": {"safe_regex": {"regex": pattern}}}


def _of_route(name: str, text: dict[str, Any]) -> dict[str, Any]:
    matcher = {"filter": ROUTE, "path": [{"key": name}], "value": {"string_match": text}}
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "ROUTE"}}


def _of_token(path: list[str], value: dict[str, Any]) -> dict[str, Any]:
    keys = [{"key": key} for key in path]
    matcher = {"filter": AUTHENTICATION, "path": keys, "value": value}
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}


def _policy(permissions: list[Any], principals: list[Any]) -> dict[str, Any]:
    return {
        "permissions": [Row(it) for it in permissions],
        "principals": [Row(it) for it in principals],
    }


def _all(*ids: dict[str, Any]) -> dict[str, Any]:
    return {"and_ids": {"ids": list(ids)}}


def _any(*ids: dict[str, Any]) -> dict[str, Any]:
    return {"or_ids": {"ids": list(ids)}}


def _not(one: dict[str, Any]) -> dict[str, Any]:
    return {"not_id": one}
