"""Runs inside a rendered repository for `auth.py`, which reads the last line that this prints."""
# pyrefly: ignore-errors  what it imports is installed there

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time

FLOOD = 2_000


async def main(requests: int, folder: str) -> dict[str, object]:
    os.environ.update(
        AUTH_PROVIDER="development",
        AUTH_PUBLIC_URL="https://app.example",
        DATABASE_URL=f"sqlite+aiosqlite:///{folder}/app.db",
        LOG_LEVEL="ERROR",
    )
    import httpx2
    from app.auth.accounts import account_of
    from app.core import migrate
    from app.core.principal import PrincipalDep
    from app.main import create_app
    from tests.auth.forge import STRANGER, claims, issuer_key, signed

    app = create_app()
    # Limits are others' cost: without them both routes are as bare as they can be.
    app.router.dependencies.clear()

    @app.get("/bare")
    async def bare() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/bearer")
    async def bearer(principal: PrincipalDep) -> dict[str, bool]:
        return {"ok": bool(principal.subject)}

    await migrate.upgrade(app.state.services.database)
    async with app.router.lifespan_context(app):
        auth = app.state.auth
        async with app.state.services.database.session() as session:
            account = await account_of(session, claims())
            if hasattr(app.state, "users"):
                await enter(session, app.state.services, account.id)
        key = await issuer_key(auth)
        program = claims(sub="robot", client_id="robot")
        took: dict[str, list[float]] = {"bare": [], "program": [], "person": []}
        tokens = {"bare": "", "program": signed(key, program), "person": signed(key)}
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="https://app.example") as http:
            for number in range(requests + 100):
                for name, seconds in took.items():
                    path = "/bare" if name == "bare" else "/bearer"
                    headers = {"Authorization": f"Bearer {tokens[name]}"}
                    began = time.perf_counter()
                    answer = await http.get(path, headers=headers)
                    passed = time.perf_counter() - began
                    if answer.status_code != 200:
                        sys.exit(answer.text)
                    if number >= 100:
                        seconds.append(passed)
            keys = next(iter(auth.providers.values())).keys
            fetches, fetch = [], keys._fetch

            async def counted() -> object:
                fetches.append(1)
                return await fetch()

            keys._fetch = counted
            keys._tried = float("-inf")  # the cooldown of the fetch before is over
            unknown = [signed(STRANGER, kid=f"unknown-{number}") for number in range(FLOOD)]
            answers = await asyncio.gather(
                *(
                    http.get("/bearer", headers={"Authorization": f"Bearer {one}"})
                    for one in unknown
                )
            )
            if {answer.status_code for answer in answers} != {401}:
                sys.exit("a token of an unknown key was not refused")
    return {
        **{name: spread(seconds) for name, seconds in took.items()},
        "flood": FLOOD,
        "fetches": len(fetches),
    }


async def enter(session, services, account_id: str) -> None:
    """Make the person and the program known to the directory, which is asked at each request."""
    from app.core.db import utcnow
    from app.core.principal import DEFAULT_TIER, Principal
    from app.users.directory import create_tenant, set_client
    from app.users.models import Member
    from tests.auth.forge import claims

    by = Principal("default", "root", scopes=frozenset(services.access.scopes))
    await create_tenant(session, services.limits.table, by, "Default", DEFAULT_TIER)
    await set_client(session, services.access, by, claims()["iss"], "robot", ["operator"])
    now = utcnow()
    session.add(
        Member(
            tenant_id="default",
            account_id=account_id,
            roles=["operator"],
            chosen_at=now,
            created_at=now,
        )
    )


def spread(seconds: list[float]) -> tuple[float, float, float]:
    """5%, median and 95% in milliseconds."""
    parts = statistics.quantiles(seconds, n=20)
    return parts[0] * 1_000, statistics.median(seconds) * 1_000, parts[-1] * 1_000


with tempfile.TemporaryDirectory() as place:
    print(json.dumps(asyncio.run(main(int(sys.argv[1]), place))))
