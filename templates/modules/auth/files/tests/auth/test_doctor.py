"""`app auth doctor` sees what is wrong with a provider before anybody signs in by it."""

import json
import time
from email.utils import formatdate
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from app.auth import doctor
from app.auth.commands import cli
from app.auth.doctor import Report
from app.auth.settings import AuthSettings
from tests.auth.conftest import SITE
from tests.auth.forge import LYING, MFA, Lying, b64

pytestmark = pytest.mark.anyio

ISSUER = Lying.issuer
GOOD = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
    "end_session_endpoint": f"{ISSUER}/logout",
    "code_challenge_methods_supported": ["S256"],
    "scopes_supported": ["openid", "profile", "email", "offline_access"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
    "acr_values_supported": [MFA],
    "claims_supported": ["sub", "roles"],
    "token_endpoint_auth_methods_supported": ["client_secret_post"],
    "response_types_supported": ["code"],
}
KEYS = {"keys": [LYING.as_dict(private=False)]}
SETTINGS: dict[str, Any] = {"public_url": SITE, "client_secret": "c" * 32}


def provider(document: Any, keys: Any = KEYS, **headers: str) -> httpx2.MockTransport:
    def answer(request: httpx2.Request) -> httpx2.Response:
        found = keys if request.url.path == "/jwks" else document
        if isinstance(found, httpx2.Response):
            return found
        return httpx2.Response(200, content=json.dumps(found), headers=headers)

    return httpx2.MockTransport(answer)


async def examine(transport: httpx2.MockTransport, url: str = ISSUER, **settings: Any) -> Report:
    chosen = AuthSettings(_env_file=None, **{**SETTINGS, **settings})
    return await doctor.examine(url, chosen, MFA, transport)


async def test_nothing_is_wrong_with_a_good_provider() -> None:
    report = await examine(provider(GOOD, date=formatdate(time.time(), usegmt=True)))
    assert (report.errors, report.warnings) == ([], [])
    assert report.register["redirect URI"] == f"{SITE}/auth/callback/oidc"
    assert report.hosts == ["idp.example"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": f"{ISSUER}/"}, "AUTH_ISSUER"),
        ({"jwks_uri": None}, "jwks_uri is missing"),
        ({"token_endpoint": "http://idp.example/token"}, "not an https"),
        ({"jwks_uri": "https://keys.example/jwks"}, "add that to AUTH_ENDPOINT_HOSTS"),
        ({"userinfo_endpoint": "https://graph.example/me"}, "is on graph.example"),
        ({"code_challenge_methods_supported": ["plain"]}, "S256"),
        ({"token_endpoint_auth_methods_supported": ["client_secret_basic"]}, "client_secret_post"),
        ({"response_types_supported": ["id_token"]}, "authorization code"),
    ],
)
async def test_what_keeps_people_out_is_an_error(change: dict[str, Any], says: str) -> None:
    report = await examine(provider(GOOD | change))
    assert [says in error for error in report.errors] == [True]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"end_session_endpoint": None}, ["no end_session_endpoint"]),
        ({"scopes_supported": ["openid", "email", "profile"]}, ["AUTH_SCOPES", "AUTH_SESSION_S"]),
        ({"grant_types_supported": ["authorization_code"]}, ["AUTH_SESSION_S"]),
        ({"acr_values_supported": ["silver", "gold"]}, ["is gold, silver and has no urn:app:mfa"]),
        ({"acr_values_supported": []}, ["missing"]),
        ({"claims_supported": ["sub"]}, ["AUTH_ROLES_CLAIM"]),
    ],
)
async def test_what_is_missing_is_a_warning(change: dict[str, Any], says: list[str]) -> None:
    report = await examine(provider(GOOD | change))
    assert report.errors == []
    assert [word in line for word, line in zip(says, report.warnings, strict=True)] == [True] * len(
        says
    )


SHORT = {"kty": "RSA", "kid": "short", "use": "sig", "e": "AQAB", "n": b64(b"\xc1" * 128)}
NOT_FOR_SIGNATURES = {**KEYS["keys"][0], "use": "enc"}


@pytest.mark.filterwarnings("ignore:Key size")
@pytest.mark.parametrize("keys", [[], [SHORT], [NOT_FOR_SIGNATURES], None])
async def test_keys_that_nobody_can_use(keys: Any) -> None:
    report = await examine(provider(GOOD, {"keys": keys}))
    assert ["jwks_uri has no key" in error for error in report.errors] == [True]


async def test_a_clock_that_is_wrong() -> None:
    for off, says in ((120, "120 s behind"), (-120, "120 s ahead of")):
        date = formatdate(time.time() + off + 0.5, usegmt=True)
        report = await examine(provider(GOOD, date=date))
        assert says in report.errors[0] or says.replace("120", "121") in report.errors[0]
    kept = formatdate(time.time() - 3_600, usegmt=True)
    assert (await examine(provider(GOOD, date=kept, age="3600"))).errors == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(404, json={}),
        httpx2.Response(200, text="<html>"),
        httpx2.Response(302, headers={"location": "https://elsewhere.example/"}),
    ],
)
async def test_an_address_where_no_provider_is(answer: httpx2.Response) -> None:
    report = await examine(provider(answer))
    assert ["open the address in a browser" in error for error in report.errors] == [True]


async def test_an_address_without_tls() -> None:
    url = "http://idp.example"
    document = {k: v.replace("https", "http") if isinstance(v, str) else v for k, v in GOOD.items()}
    errors = (await examine(provider(document), url)).errors
    assert ["not https://" in error for error in errors] == [True]


async def test_an_issuer_with_a_slash_more() -> None:
    """As Auth0's is: the setting says so, and the login takes it."""
    url = f"{ISSUER}/.well-known/openid-configuration"
    document = GOOD | {"issuer": f"{ISSUER}/"}
    report = await examine(provider(document), url, discovery_url=url, issuer=f"{ISSUER}/")
    assert report.errors == []


ODD = [None, 7, "x", "https://[", [7, None], ["\x1b[2J"], {"a": []}, True, "\ud800", "\0"]


async def test_row_66_a_document_that_says_odd_things_is_only_wrong() -> None:
    """Whoever wrote the document is not believed: neither a traceback nor a steered terminal."""
    for name in (*GOOD, "userinfo_endpoint", "keys"):
        for value in ODD:
            keys = KEYS | {name: value} if name == "keys" else KEYS
            try:
                report = await examine(provider(GOOD | {name: value}, keys))
            except (TypeError, ValueError) as error:
                pytest.fail(f"{name} {value!r}: {error!r}")
            assert report.errors or report.warnings or name not in GOOD or value == GOOD[name]
    assert (await examine(provider(GOOD), "https://[")).errors


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def examined(url: str, *_: Any) -> Report:
        seen.append(url)
        return Report(url, errors=["broken"] if "bad" in url else [], warnings=["so so\x1b[2J\n"])

    monkeypatch.setattr("app.auth.doctor.examine", examined)
    monkeypatch.setenv("AUTH_PROVIDER", "development")
    monkeypatch.setenv("AUTH_DISCOVERY_URL", "https://bad.example/of-the-settings")
    run = CliRunner().invoke
    good, bad = run(cli, ["doctor", "https://good.example"]), run(cli, ["doctor", "--json"])
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "warning: so so\\x1b[2J\\n\n" in good.output
    assert json.loads(bad.output)["errors"] == ["broken"]
    assert seen == ["https://good.example", "https://bad.example/of-the-settings"]
    monkeypatch.setenv("AUTH_DISCOVERY_URL", "nothing")
    assert "which provider?" in run(cli, ["doctor"]).output
