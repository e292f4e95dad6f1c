"""Takes each defence out, one row after another, and shows that the row's tests fail without it.

    uv run python -m tests.auth.defences [ROW ...]

A row's defence is one condition or more; each stands here as it is in its file, and as it is when
it is taken out. Where several defences stand behind each other, all are taken out.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

Edit = tuple[str, str, str]

TOKENS, LOGIN, FLOW = "app/auth/tokens.py", "app/auth/login.py", "app/auth/flow.py"
METADATA = "app/auth/metadata.py"
PROVIDER, PAGES, SESSIONS = "app/auth/provider.py", "app/auth/pages.py", "app/auth/sessions.py"
KEYS, DPOP, GUARD = "app/auth/keys.py", "app/auth/dpop.py", "app/auth/authenticators.py"
GRANTS, ISSUER = "app/auth/issuer/grants.py", "app/auth/issuer/routes.py"

ALGORITHM_LIST: Edit = (
    TOKENS,
    'if not isinstance(header.get("alg"), str) or header["alg"] not in _ALGORITHMS:',
    "if False:",
)
KEYS_ALGORITHM: Edit = (TOKENS, 'if header["alg"] != algorithm:', "if False:")
SIGNATURE: Edit = (
    TOKENS,
    "jws.deserialize_compact(token, key, algorithms=[algorithm])",
    "jws.extract_compact(token.encode())",
)
FOREIGN_KEYS: Edit = (TOKENS, "if _FOREIGN_KEYS & header.keys():", "if False:")
TYP: Edit = (
    TOKENS,
    "if found in _NOT_ID_TOKENS if not typ else found != typ.lower():",
    "if False:",
)
LENGTH: Edit = (TOKENS, "if len(token) > LENGTH_LIMIT:", "if False:")
TAKEN_ONCE: Edit = (FLOW, "await session.delete(flow)", "pass")
BROWSER: Edit = (
    FLOW,
    "if not browser or not secrets.compare_digest(flow.browser_hash, fingerprint(browser)):",
    "if False:",
)
REUSE: Edit = (GRANTS, "if not is_present or grant.is_code != is_code:", "if False:")

DEFENCES: dict[str, list[Edit]] = {
    "01": [ALGORITHM_LIST, KEYS_ALGORITHM, SIGNATURE],
    "02": [ALGORITHM_LIST, KEYS_ALGORITHM, SIGNATURE],
    "03": [KEYS_ALGORITHM, SIGNATURE],
    "04": [(TOKENS, "if not isinstance(kid, str) or not 0 < len(kid) <= _KID_LIMIT:", "if False:")],
    "05": [FOREIGN_KEYS],
    "06": [FOREIGN_KEYS],
    "07": [(TOKENS, 'if "crit" in header or "b64" in header:', "if False:")],
    "08": [TYP],
    "09": [TYP],
    # Nothing here decrypts, so there is nothing to take out: what obeys such a header is put in.
    "11": [
        (
            TOKENS,
            'segments = token.split(".", 3)',
            'segments = token.split(".", 3)\n'
            '    __import__("hashlib").pbkdf2_hmac("sha256", b"", b"", 3_000_000)',
        )
    ],
    "12": [(TOKENS, 'if now >= _moment(claims, "exp") + expected.leeway_s:', "if False:")],
    "13": [
        (
            TOKENS,
            'if now >= _moment(claims, "exp") + expected.leeway_s:',
            'if now >= _moment(claims, "exp"):',
        )
    ],
    "15": [(TOKENS, 'if claims.get("iss") != expected.issuer:', "if False:")],
    "16": [(TOKENS, "if expected.audience not in audiences(claims):", "if False:")],
    "17": [(PROVIDER, "authorized is not None or len(audiences(claims)) > 1", "False")],
    "18": [(PROVIDER, 'not secrets.compare_digest(str(claims.get("nonce")), nonce)', "False")],
    "19": [(PROVIDER, 'if told.get("sub") != claims["sub"]:', "if False:")],
    "21": [(TOKENS, "if len(found) != len(pairs):", "if False:")],
    "22": [SIGNATURE],
    "23": [(KEYS, "if self._clock() - self._tried >= self._cooldown_s:", "if True:")],
    "24": [
        (
            KEYS,
            "if kid not in self._keys or self._clock() - self._fetched > _KEPT_S:",
            "if not self._keys:",
        )
    ],
    "25": [
        (PROVIDER, "if len(body) > _SIZE_LIMIT:", "if False:"),
        (PROVIDER, "asyncio.timeout(self.settings.timeout_s)", "asyncio.timeout(None)"),
    ],
    "27": [(ISSUER, 'asked.get("code_challenge_method") != "S256" or', "False or")],
    "28": [(GRANTS, "grant.challenge.encode(), challenge(verifier).encode()", 'b"", b""')],
    "29": [
        (GRANTS, "grant.challenge.encode(), challenge(verifier).encode()", 'b"", b""'),
        (PROVIDER, 'not secrets.compare_digest(str(claims.get("nonce")), nonce)', "False"),
    ],
    "30": [REUSE],
    "31": [TAKEN_ONCE, BROWSER],
    "32": [(FLOW, "if given != issuer:", "if False:")],
    "33": [(FLOW, "if flow.provider != provider.name:", "if False:")],
    "34": [BROWSER],
    "35": [(PROVIDER, '"aud": self.issuer,', '"aud": [self.issuer, "other"],')],
    "36": [
        (
            FLOW,
            'return target if is_path and printable and len(target) <= 500 else "/"',
            "return target",
        )
    ],
    "37": [(ISSUER, "        registered,\n    ):", '        asked.get("redirect_uri"),\n    ):')],
    "38": [(SESSIONS, "await end_by_cookie(session, old_cookie)", "pass")],
    "39": [(PAGES, 'secure=True, httponly=True, samesite="lax"\n    )', "secure=True\n    )")],
    "40": [(GUARD, "if request.method not in _SAFE:", "if False:")],
    "41": [REUSE],
    "43": [(GRANTS, "or grant.expires_at <= now", "")],
    "44": [("app/core/pages.py", "if not (is_from_page and is_from_host):", "if False:")],
    "45": [(LOGIN, 'if "nonce" in claims:', "if False:")],
    "46": [
        (
            "app/core/principal.py",
            "if principal.acr == acr and (age_s is None or _age_s(principal) <= age_s):",
            "if True:",
        )
    ],
    "49": [
        (
            "app/auth/accounts.py",
            "Account.issuer == issuer, Account.subject == subject",
            "Account.subject == subject",
        )
    ],
    "50": [
        (
            DPOP,
            'if proven.get("htm") != method or str(proven.get("htu")).partition("?")[0] != url:',
            "if False:",
        )
    ],
    "52": [("app/main.py", 'openapi_url=None if settings.is_production else "/openapi.json",', "")],
    # There is nothing to take out: what forwards a token is put in.
    "54": [
        (
            "app/core/principal.py",
            "bind_contextvars(tenant=known.tenant",
            'bind_contextvars(given=request.headers["authorization"][7:], tenant=known.tenant',
        ),
        (
            "app/ai/openai_model.py",
            'self._api_key or "none"',
            '__import__("structlog").contextvars.get_contextvars()["given"]',
        ),
    ],
    "55": [("app/core/limits.py", "if used > limit.amount:", "if False:")],
    "56": [(METADATA, "if parts.netloc == own.netloc or", "if True or")],
}


def main(rows: list[str]) -> int:
    """Return how many rows' tests did not fail although their defence was out."""
    unnoticed = []
    for row in rows or sorted(DEFENCES):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "repository"
            ignored = shutil.ignore_patterns(".venv", ".git", "var", "__pycache__", ".*_cache")
            shutil.copytree(".", copy, ignore=ignored)
            for file, old, new in DEFENCES[row]:
                _take_out(copy / file, old, new)
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:xdist",
                "-k",
                f"row_{row}",
            ]
            ran = subprocess.run([*command, "tests/auth"], cwd=copy, capture_output=True, text=True)  # noqa: S603
        # 1: tests ran and failed. Anything else is a mistake in this file.
        seen = ran.returncode == 1
        click.echo(f"row {row}: {'fails without its defence' if seen else 'NOT NOTICED'}")
        if not seen:
            click.echo(ran.stdout[-2000:])
            unnoticed.append(row)
    return len(unnoticed)


def _take_out(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{path.name}: found {text.count(old)} times, and not once: {old}")
    path.write_text(text.replace(old, new), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
