"""Attacks on the API by its access tokens. Each test is named after its row of the list."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
import tracemalloc
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, Key

from app.auth.issuer import grants
from app.auth.login import Auth
from app.auth.tokens import Expected, TokenRefused, verify
from tests.auth.conftest import ISSUER, SITE, Browser
from tests.auth.forge import (
    STRANGER,
    Lying,
    b64,
    claims,
    issuer_key,
    raw,
    segment,
    signed,
    signed_text,
)

pytestmark = pytest.mark.anyio


class Api:
    """The API, as who sends an access token sees it."""

    def __init__(self, browser: Browser, key: Key) -> None:
        self._http = browser.http
        self.key = key

    async def status(self, token: str, scheme: str = "Bearer", **headers: str) -> int:
        sent = {"Authorization": f"{scheme} {token}", **headers}
        answer = await self._http.get("/metrics", headers=sent)
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith(scheme)
            assert "Traceback" not in answer.text
        return answer.status_code

    def token(self, said: dict[str, Any] | None = None, /, **header: Any) -> str:
        return signed(self.key, said, **header)


@pytest.fixture
async def api(browser: Browser, auth: Auth) -> Api:
    found = Api(browser, await issuer_key(auth))
    assert await found.status(found.token()) == 200
    return found


async def test_row_01_alg_none(api: Api) -> None:
    for alg in ("none", "None", "nOnE", "", "RS256"):
        header = {"alg": alg, "kid": api.key.kid, "typ": "at+jwt"}
        assert await api.status(raw(header, signature="")) == 401
        assert await api.status(raw(header)) == 401


async def test_row_02_a_public_key_used_as_secret(api: Api) -> None:
    public: Any = api.key.public_key
    form = PublicFormat.SubjectPublicKeyInfo
    for secret in (
        public.public_bytes(Encoding.PEM, form),
        public.public_bytes(Encoding.DER, form),
        base64.urlsafe_b64decode(str(api.key.as_dict(private=False)["n"]) + "=="),
    ):
        start = raw({"alg": "HS256", "kid": api.key.kid, "typ": "at+jwt"}).rpartition(".")[0]
        signature = b64(hmac.digest(secret, start.encode(), "sha256"))
        assert await api.status(f"{start}.{signature}") == 401


async def test_row_03_an_algorithm_that_is_not_the_keys(api: Api) -> None:
    bare = api.key.as_dict(private=True)
    del bare["alg"]
    key = type(api.key).import_key(bare)
    for alg in ("PS256", "RS512"):
        assert await api.status(signed(key, claims(), alg=alg)) == 401


async def test_row_04_a_kid_that_is_an_attack(api: Api) -> None:
    header, _, rest = api.token().partition(".")
    opened = json.loads(base64.urlsafe_b64decode(header + "=="))
    for kid in ("../../dev/null", "' OR 1=1 --", "k" * 6_000, ["k"], {"k": 1}, "k\0", "", 7, None):
        assert await api.status(f"{segment(opened | {'kid': kid})}.{rest}") == 401, kid
        if isinstance(kid, str):
            assert await api.status(signed(STRANGER, claims(), kid=kid)) == 401, kid


async def test_row_04_a_token_without_kid_signed_by_the_right_key(api: Api) -> None:
    assert await api.status(api.token(None, kid=None)) == 401


async def test_row_05_a_key_in_the_header(api: Api) -> None:
    jwk = STRANGER.as_dict(private=False)
    assert await api.status(signed(STRANGER, claims(), jwk=jwk)) == 401
    assert await api.status(signed(STRANGER, claims(), jwk=jwk, kid=api.key.kid)) == 401
    # Even the right key is not taken from there. A small one: long headers are refused anyway.
    lying = Lying()
    lying.key = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})
    assert await lying.provider.id_claims(lying.id_token(), "n")
    with pytest.raises(TokenRefused):
        await lying.provider.id_claims(lying.id_token(header={"jwk": lying.public}), "n")


async def test_row_06_an_address_of_keys_is_never_opened(api: Api) -> None:
    hits = 0

    async def count(_reader: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal hits
        hits += 1
        writer.close()

    listener = await asyncio.start_server(count, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/keys"
    for name in ("jku", "x5u"):
        assert await api.status(signed(STRANGER, claims(), **{name: url})) == 401
        assert await api.status(api.token(None, **{name: url})) == 401
    await asyncio.sleep(0.05)
    listener.close()
    assert hits == 0


async def test_row_07_extensions_that_are_not_understood(api: Api) -> None:
    header, said, signature = api.token().split(".")
    opened = json.loads(base64.urlsafe_b64decode(header + "=="))
    for extra in ({"crit": ["exp"], "exp": 1}, {"b64": False, "crit": ["b64"]}, {"b64": False}):
        token = f"{segment(opened | extra)}.{said}.{signature}"
        assert await api.status(token) == 401
    assert await api.status(api.token(None, b64=True, crit=["b64"])) == 401


async def test_row_08_an_id_token_is_no_access_token(api: Api) -> None:
    for typ in ("JWT", None, "logout+jwt"):
        assert await api.status(api.token(claims(), typ=typ)) == 401
    assert await api.status(api.token(claims(aud="app"), typ="at+jwt")) == 401
    assert await api.status(api.token(claims(), typ="application/at+jwt")) == 200


async def test_row_11_work_that_a_token_asks_for(api: Api) -> None:
    costly = segment({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AA"})
    bomb = segment({"alg": "dir", "enc": "A128GCM", "zip": "DEF"})
    for token in (f"{costly}.AA.AA.AA.AA", f"{bomb}.AA.AA.AA.AA", f"{costly}.AA.AA"):
        assert await _is_cheap(api, token)


async def _is_cheap(api: Api, token: str) -> bool:
    tracemalloc.start()
    # Work of this thread, and not what it waited for others.
    before = time.thread_time()
    status = await api.status(token)
    seconds = time.thread_time() - before
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Tracing makes everything several times slower.
    return status in (401, 413, 431) and seconds < 0.25 and peak < 4 * len(token) + 2_000_000


async def test_row_12_another_time(api: Api) -> None:
    now, leeway = int(time.time()), 30
    for changes in (
        {"exp": now - leeway - 1},
        {"exp": None},
        {"exp": True},
        {"exp": "2999-01-01"},
        {"exp": 10**400},
        {"nbf": now + leeway + 10},
        {"nbf": "soon"},
        {"iat": now + leeway + 10},
        {"iat": None},
        {"iat": True},
        {"nbf": True},
    ):
        assert await api.status(api.token(claims(**changes))) == 401, changes


async def test_row_13_a_small_difference_of_clocks(api: Api) -> None:
    now = int(time.time())
    assert await api.status(api.token(claims(exp=now - 25, iat=now + 25))) == 200


async def test_row_15_another_issuer(api: Api) -> None:
    for issuer in (
        "https://evil.example",
        ISSUER[:-1],
        f"{ISSUER}/",
        ISSUER.upper(),
        [ISSUER],
        f"{ISSUER}.evil.example",
        None,
    ):
        assert await api.status(api.token(claims(iss=issuer))) == 401, issuer


async def test_row_16_for_others(api: Api) -> None:
    for audience in (
        None,
        "other",
        SITE[:-1],
        f"{SITE}/",
        ["a", "b"],
        [],
        [SITE, 7],
        {SITE: 1},
        "",
    ):
        assert await api.status(api.token(claims(aud=audience))) == 401, audience
    assert await api.status(api.token(claims(aud=["other", SITE]))) == 200


async def test_row_21_a_token_that_is_too_long(api: Api) -> None:
    deep = b64(b'{"a":' * 100_000)
    for token in ("a" * 1_000_000, f"{deep}.AA.AA", "." * 1_000_000, "a.b.c" * 200_000):
        assert await _is_cheap(api, token)
    nested = b64(b'{"a":' * 1_200 + b"1" + b"}" * 1_200)
    assert await api.status(f"{nested[:8_000]}.AA.AA") == 401
    assert await api.status(api.token(claims(filler="x" * 1_000))) == 200
    assert await api.status(api.token(claims(filler="x" * 8_000))) == 401, "rightly signed, even"


async def test_row_21_names_that_stand_there_twice(api: Api) -> None:
    header = json.dumps({"alg": "RS256", "kid": api.key.kid, "typ": "at+jwt"})
    said = json.dumps(claims())
    assert await api.status(signed_text(api.key, header, said)) == 200
    for wrong in ('{"alg": "none",', '{"kid": "other",', '{"typ": "JWT",'):
        twice = header.replace("{", wrong, 1)
        assert await api.status(signed_text(api.key, twice, said)) == 401, wrong
    for wrong in ('{"sub": "ada",', '{"exp": 1,', '{"aud": "other",'):
        twice = said.replace("{", wrong, 1)
        assert await api.status(signed_text(api.key, header, twice)) == 401, wrong


async def test_row_22_ten_thousand_mutations(api: Api, auth: Auth) -> None:
    expected = Expected(ISSUER, SITE, 30)
    good = api.token()
    chance = random.Random(22)
    find = auth.providers["development"].keys.find
    slowest = 0.0
    for number in range(10_000):
        token = _mutated(good, chance)
        if token == good:
            continue
        begun = time.thread_time()
        with pytest.raises(TokenRefused):
            await verify(token, "at+jwt", find, expected)
        slowest = max(slowest, time.thread_time() - begun)
        if number % 100 == 0 and token.isascii() and token.isprintable():
            assert await api.status(token) == 401
    assert slowest < 0.25


def _mutated(token: str, chance: random.Random) -> str:
    kind, at = chance.randrange(5), chance.randrange(len(token))
    # The last character of a segment holds bits that no decoder reads.
    if at + 1 == len(token) or token[at + 1] == ".":
        at -= 1
    if kind == 0:
        return token[:at] + chance.choice("ABab01.-_=% \u00e9\0") + token[at + 1 :]
    if kind == 1:
        return token[:at]
    if kind == 2:
        return token[:at] + token[at : at + 9] + token[at:]
    if kind == 3:
        parts = token.split(".")
        chance.shuffle(parts)
        return ".".join(parts[: chance.randrange(1, 4)])
    return token.replace(token[at], "", 1)


async def test_row_24_the_development_issuer_changes_its_key(api: Api, auth: Auth) -> None:
    old = api.token()
    async with auth.services.database.session() as session:
        new = await grants.new_key(session)
    auth.providers["development"].keys._tried = float("-inf")
    assert await api.status(signed(new, claims())) == 200
    assert await api.status(old) == 200


async def test_row_50_a_bound_token_needs_its_key(api: Api) -> None:
    holder = ECKey.generate_key("P-256", {"alg": "ES256"})
    token = api.token(claims(cnf={"jkt": holder.thumbprint()}))

    def proof(key: ECKey = holder, /, **changes: Any) -> str:
        said = {
            "jti": str(random.random()),
            "htm": "GET",
            "htu": f"{SITE}/metrics",
            "iat": int(time.time()),
            "ath": b64(_sha256(token)),
        } | changes
        public = {
            k: v for k, v in key.as_dict(private=False).items() if k in ("kty", "crv", "x", "y")
        }
        header = {"alg": "ES256", "typ": changes.pop("typ", "dpop+jwt"), "jwk": public, "kid": None}
        return signed(key, said, **header)

    good = proof()
    assert await api.status(token, "DPoP", DPoP=good) == 200
    assert await api.status(token, "DPoP", DPoP=good) == 401, "replayed"
    assert await api.status(token, "Bearer") == 401, "as a plain bearer token"
    assert await api.status(token, "Bearer", DPoP=proof()) == 401
    assert await api.status(token, "DPoP") == 401
    for wrong in (
        proof(htm="POST"),
        proof(htu=f"{SITE}/other"),
        proof(htu="https://evil.example/metrics"),
        proof(ath=b64(_sha256("other"))),
        proof(ath=None),
        proof(iat=int(time.time()) - 300),
        proof(iat=int(time.time()) + 300),
        proof(jti=None),
        proof(typ="JWT"),
        proof(ECKey.generate_key("P-256", {"alg": "ES256"})),
    ):
        assert await api.status(token, "DPoP", DPoP=wrong) == 401
    assert await api.status(api.token(), "DPoP", DPoP=proof()) == 401, "a token that is not bound"
    odd = api.token(claims(cnf={"jkt": "é"}))
    assert await api.status(odd, "DPoP", DPoP=proof(ath=b64(_sha256(odd)))) == 401


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
