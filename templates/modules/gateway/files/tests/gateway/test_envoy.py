"""Envoy asked for every route with every kind of credentials, and the service behind it, too.

A new route is tried without being named here. `just gateway` runs this.
"""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from app.auth.sessions import COOKIE
from app.gateway.routes import Route, routes_of
from tests.auth.forge import LYING, STRANGER, claims, raw, signed
from tests.gateway.conftest import COUNTED, Headers, Stack, ask, wait

pytestmark = pytest.mark.slow
REFUSED = (401, 403)


def said(scope: str, /, **changes: Any) -> dict[str, Any]:
    """What the token of a person says who may do everything, as far as its scope goes."""
    everything = {"sub": "eve", "roles": ["viewer", "agent", "operator", "admin"]}
    return claims(**{**everything, "scope": scope, **changes})


def bearer(token: str) -> Headers:
    return [("Authorization", f"Bearer {token}")]


@cache
def not_genuine(name: str, scope: str) -> Headers:
    return bearer(NOT_GENUINE[name](scope))


@cache
def good_for(scope: str) -> Headers:
    return good(scope)


def good(scope: str, /, **changes: Any) -> Headers:
    return bearer(signed(LYING, said(scope, **changes)))


def now(seconds: int) -> int:
    return int(time.time()) + seconds


NOT_GENUINE: dict[str, Callable[[str], str]] = {
    "another key's": lambda scope: signed(STRANGER, said(scope), kid=LYING.kid),
    "a stranger's": lambda scope: signed(STRANGER, said(scope)),
    "no signature": lambda scope: raw(
        {"alg": "none", "kid": LYING.kid, "typ": "at+jwt"}, said(scope), ""
    ),
    "HMAC": lambda scope: raw({"alg": "HS256", "kid": LYING.kid, "typ": "at+jwt"}, said(scope)),
    "expired": lambda scope: signed(LYING, said(scope, iat=now(-900), exp=now(-45))),
    "without an end": lambda scope: signed(LYING, said(scope, exp=None)),
    "not valid yet": lambda scope: signed(LYING, said(scope, nbf=now(300))),
    "for others": lambda scope: signed(LYING, said(scope, aud="https://other.example")),
    "another issuer's": lambda scope: signed(LYING, said(scope, iss="https://other.example")),
}


def asked(route: Route) -> tuple[str, str]:
    return route.methods[0], re.sub(r"\{[^}]+\}|\*$", "1", route.path)


def scope_of(route: Route) -> str:
    return " ".join(sorted(route.scopes))


def wrongly_answered(stack: Stack, port: int) -> list[str]:
    """The first routes that let in who may not, or keep out who may."""
    found = (
        f"{route.name}: {status} with {name}"
        for route in routes_of(stack.app)
        for name, headers, is_right in tries(stack, port, route)
        if not is_right(status := ask(port, *asked(route), headers).status)
    )
    return list(itertools.islice(found, 5))


def tries(
    stack: Stack, port: int, route: Route
) -> Iterator[tuple[str, Headers, Callable[[int], bool]]]:
    """Yield credentials for a route, and which answers to them are right."""
    own, every = scope_of(route), frozenset(stack.app.state.services.access.scopes)
    if not own:
        # The service has its own reasons, such as a signature that is missing.
        yield "nothing", (), {200}.__contains__ if port == stack.recorded else bool
        return
    # A page sends to where one signs in; at the gateway it does so for who brings nothing.
    refused = {303} if route.is_page else {401}
    yield "nothing", (), (refused | ({200} if port == stack.recorded else set())).__contains__
    yield "another scope", good_for(" ".join(sorted(every - route.scopes))), {403}.__contains__
    yield "its scope", good_for(own), lambda status: status not in REFUSED
    unknown = {401} if port != stack.service else refused
    for name in NOT_GENUINE:
        yield name, not_genuine(name, own), unknown.__contains__
    id_token = bearer(signed(LYING, said(own), typ="JWT"))
    yield "an ID token", id_token, ({403} if port != stack.service else refused).__contains__


def test_47_gateway_asks_for_each_scope(stack: Stack) -> None:
    stack.recorder.seen.clear()
    assert wrongly_answered(stack, stack.recorded) == []
    # Nothing reached it but what may, and what only the service can judge: pages without a name.
    expected = sum(1 + bool(route.scopes and route.is_page) for route in routes_of(stack.app))
    assert len(stack.recorder.seen) == expected


def test_47_service_asks_again_when_the_gateway_is_passed_by(stack: Stack) -> None:
    assert wrongly_answered(stack, stack.service) == []


def test_47_both_together_let_in_who_may(stack: Stack, through: int) -> None:
    assert wrongly_answered(stack, through) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": None, "scp": "tickets:read metrics:read"},
        {"scope": None, "scp": ["tickets:read"]},
        {"scope": ["metrics:read", "tickets:read"]},
        {"scope": "tickets:read", "scp": "metrics:read"},
    ],
)
def test_47_gateway_finds_scopes_where_the_service_does(
    stack: Stack, changes: dict[str, Any]
) -> None:
    token = bearer(signed(LYING, said("", **changes)))
    for port in (stack.recorded, stack.service):
        assert ask(port, "GET", "/tickets", token).status == 200, port


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "", "scp": "tickets:read"},
        {"scope": "metrics:read", "scp": ["tickets:read"]},
        {"scope": "tickets:reads tickets"},
        {"scope": "Tickets:read"},
        {"scope": {"tickets:read": True}},
        {"scope": None},
    ],
)
def test_47_gateway_takes_nothing_else_for_a_scope(stack: Stack, changes: dict[str, Any]) -> None:
    token = bearer(signed(LYING, said("", **changes)))
    for port in (stack.recorded, stack.service):
        assert ask(port, "GET", "/tickets", token).status == 403, port


PATHS = r"""
//tickets /tickets/ /tickets// /TICKETS /tickets;a=b /./tickets/. /tickets%00 /%74ickets
/tickets%2f1 /tickets%5c1 /tickets%3f /tickets?x=/healthz /tickets#/healthz
/%2e%2e/tickets /x/../tickets /x/%2E%2e/tickets /healthz/..;/tickets /healthz\..\tickets
/static/core/../../tickets /static/core/%2e%2e/%2e%2e/tickets /static/core/..%2f..%2ftickets
http://other.example/tickets http://127.0.0.1//tickets
"""


@pytest.mark.parametrize("target", PATHS.split())
def test_47_gateway_no_text_of_a_path_comes_with_less_than_its_scope(
    stack: Stack, target: str
) -> None:
    stack.recorder.seen.clear()
    status = ask(stack.recorded, "GET", target, good("metrics:read")).status
    assert [path for _, path, _ in stack.recorder.seen if "ickets" in path.lower()] == []
    assert 400 <= status < 500


def test_47_gateway_a_letter_in_disguise_is_no_other_path(stack: Stack) -> None:
    """`/planted/secret` asks for more than `/planted/{name}`, and to the service %73 is an s."""
    stack.recorder.seen.clear()
    for target in ("/planted/%73ecret", "/planted/secre%74", "/planted/s%65cret"):
        assert ask(stack.recorded, "GET", target, good("metrics:read")).status == 403
    assert stack.recorder.seen == []
    assert ask(stack.recorded, "GET", "/planted/a%20b", good("metrics:read")).status == 200


@pytest.mark.parametrize(
    "target", ["/x/../tickets", "/tickets?a=/../b", "http://other.example/tickets"]
)
def test_edge_a_path_arrives_as_it_was_judged(stack: Stack, target: str) -> None:
    stack.recorder.seen.clear()
    assert ask(stack.recorded, "GET", target, good("tickets:read")).status == 200
    assert stack.recorder.seen[0][1] == "/tickets"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-HTTP-Method-Override", "POST"), ("X-HTTP-Method", "POST")],
        [("X-Method-Override", "POST"), ("X-Real-IP", "10.0.0.1")],
        [("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/x")],
        [("X-Original-URL", "/tickets"), ("X-Rewrite-URL", "/tickets")],
        [("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Host", "evil.example")],
        [("X-Forwarded-Proto", "https"), ("Forwarded", "host=evil.example")],
        [("X-Envoy-Original-Path", "/tickets"), ("X-Envoy-Upstream-Alt-Stat-Name", "x")],
    ],
)
def test_edge_what_only_a_proxy_may_say_does_not_arrive(stack: Stack, headers: Headers) -> None:
    stack.recorder.seen.clear()
    answer = ask(stack.recorded, "GET", "/healthz", headers)
    assert answer.status == 200
    method, path, arrived = stack.recorder.seen[0]
    assert (method, path) == ("GET", "/healthz")
    for name, value in headers:
        assert arrived.get(name.lower()) != value


def test_edge_the_log_says_which_route_and_not_what_was_in_the_path(stack: Stack) -> None:
    assert ask(stack.recorded, "GET", "/planted/secret?q=words", good("tickets:read")).status == 200
    wait(lambda: "GET /planted/secret" in stack.gateway.log())
    assert "words" not in stack.gateway.log()


def test_edge_nobody_says_what_runs_here(stack: Stack) -> None:
    for headers in ((), bearer("a.b.c")):
        names = {name.lower() for name in ask(stack.recorded, "GET", "/healthz", headers).headers}
        assert not [name for name in names if name == "server" or name.startswith("x-envoy")]


def test_edge_the_application_is_told_who_asks_and_not_what_they_say(stack: Stack) -> None:
    stack.recorder.seen.clear()
    ask(stack.recorded, "GET", "/healthz", [("X-Forwarded-For", "10.0.0.1")], "127.0.0.5")
    assert stack.recorder.seen[0][2]["x-forwarded-for"] == "127.0.0.5"


def test_hops_who_asks_the_proxy_before_it_is_counted(stack: Stack, through: int) -> None:
    def statuses(address: str, number: int) -> list[int]:
        said = (f"198.51.100.{each}, {address}" for each in range(number))
        return [ask(through, "GET", "/login", [("X-Forwarded-For", it)]).status for it in said]

    COUNTED.clear()
    number = stack.app.state.services.limits.table.addresses["login"].amount
    assert statuses("203.0.113.8", number + 1).index(429) == number
    assert 429 not in statuses("203.0.113.9", 1)
    counted = {key.split("/")[2] for key in COUNTED if "/login/" in key}
    assert counted == {"203.0.113.8", "203.0.113.9"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("X_Name", "1")], 400),
        ([("X-Long", "x" * 40_000)], 431),
        ([(f"X-{number}", "1") for number in range(80)], 431),
        ([("Transfer-Encoding", "chunked"), ("Content-Length", "5")], 400),
    ],
)
def test_edge_what_is_no_proper_request_is_refused(
    stack: Stack, headers: Headers, status: int
) -> None:
    assert ask(stack.recorded, "GET", "/healthz", headers).status == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "get"])
def test_edge_what_is_no_route_is_not_there(stack: Stack, method: str) -> None:
    stack.recorder.seen.clear()
    assert ask(stack.recorded, method, "/tickets", good("tickets:read")).status in (400, 404)
    assert ask(stack.recorded, method, "/nothing").status in (400, 404)
    assert ask(stack.recorded, "GET", "/development-issuer/jwks").status == 404
    assert stack.recorder.seen == []


@pytest.mark.parametrize(
    "headers",
    [
        [("Cookie", f"a=b; {COOKIE}=one")],
        [("Authorization", "Bearer app_key_of_a_program")],
        [("Authorization", "Basic YTpi")],
    ],
)
def test_credentials_of_other_kinds_are_for_the_service(stack: Stack, headers: Headers) -> None:
    assert ask(stack.recorded, "GET", "/tickets", headers).status == 200
    assert ask(stack.recorded, "GET", "/nothing", headers).status == 404
    assert ask(stack.service, "GET", "/tickets", headers).status == 401


def test_credentials_bound_to_a_key_need_a_scope_here_and_a_proof_there(stack: Stack) -> None:
    bound = {"cnf": {"jkt": "a" * 43}}
    for scheme in ("DPoP", "DPOP", "dpop", "Bearer", "BEARER", "bearer"):
        token = signed(LYING, said("tickets:read", **bound))
        headers = [("Authorization", f"{scheme} {token}")]
        assert ask(stack.recorded, "GET", "/tickets", headers).status == 200
        assert ask(stack.recorded, "GET", "/metrics", headers).status == 403
        assert ask(stack.service, "GET", "/tickets", headers).status == 401


def test_credentials_arrive_as_they_were_sent(stack: Stack) -> None:
    """The service judges them again."""
    for sent in (good("tickets:read"), [("Authorization", "Bearer app_key_of_a_program")]):
        stack.recorder.seen.clear()
        assert ask(stack.recorded, "GET", "/tickets", sent).status == 200
        assert stack.recorder.seen[0][2]["authorization"] == sent[0][1]


def test_credentials_that_are_several_are_none(stack: Stack) -> None:
    stack.recorder.seen.clear()
    right, key = good("tickets:read")[0], ("Authorization", "Bearer key")
    wrong, cookie = good("metrics:read")[0], ("Cookie", f"{COOKIE}=one")
    mixes = [right, wrong], [wrong, right], [key, wrong], [key, right], [right, key], [key, key]
    for headers in (*mixes, [wrong, cookie]):
        assert ask(stack.recorded, "GET", "/tickets", headers).status in REFUSED, headers
    assert ask(stack.recorded, "GET", f"/tickets?access_token={right[1][7:]}").status == 401
    assert stack.recorder.seen == []


def test_edge_refusals_are_problems_with_a_challenge(stack: Stack) -> None:
    insufficient = 'Bearer error="insufficient_scope", scope="tickets:read"'
    for headers, target, title, challenge in (
        ((), "/tickets", "Not signed in", ["Bearer"]),
        (bearer("a.b.c"), "/tickets", "Not signed in", ['Bearer error="invalid_token"']),
        (good("metrics:read"), "/tickets", "Not allowed", [insufficient]),
        ((), "/nothing", "Not Found", None),
        ([("X_Name", "1")], "/tickets", "Refused", None),
    ):
        answer = ask(stack.recorded, "GET", target, headers)
        assert answer.headers.get_all("www-authenticate") == challenge
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.refusal)["title"] == title


def test_limit_of_a_contract_is_its_number_and_a_larger_one_goes_on(stack: Stack) -> None:
    number = stack.app.state.services.limits.table.tiers["free"]["read"].amount

    def statuses(tier: str, tenant: str) -> list[int]:
        token = good("tickets:read", tier=tier, tenant=tenant)
        return [ask(stack.recorded, "GET", "/tickets", token).status for _ in range(number + 1)]

    assert statuses("free", "a") == [200] * number + [429]
    assert statuses("free", "c")[0] == 200
    assert statuses("gold", "b") == [200] * (number + 1)


def test_limit_of_an_address_where_people_sign_in(stack: Stack) -> None:
    number = stack.app.state.services.limits.table.addresses["login"].amount
    # Another address than that of the other tests; what it says of itself does not count.
    answers = [
        ask(stack.recorded, "GET", "/login", [("X-Forwarded-For", f"10.0.0.{each}")], "127.0.0.2")
        for each in range(number + 1)
    ]
    assert [answer.status for answer in answers] == [200] * number + [429]
    assert answers[-1].headers["retry-after"] == "3600"
    others = (f"127.0.1.{each}" for each in range(1, 41))
    assert {ask(stack.recorded, "GET", "/login", address=it).status for it in others} == {200}
    assert ask(stack.recorded, "GET", "/login", address="127.0.0.2").status == 429
