"""Run in a rendered repository, by its Python: schemathesis asks every route as three people.

On PostgreSQL, which refuses more than SQLite does. Arguments plant something, and only that is
asked: "failing" a route that answers 500, "leaking" one that a viewer can read though its scope is
an admin's, "storing" nothing between the routes and what the database refuses. Prints how many it
asked and what is wrong.
"""

import functools
import logging
import os
import sys
import tempfile

import fastapi
import schemathesis
from app.core import access, db
from app.core.db import utcnow
from app.core.principal import Principal, principal_of
from app.main import create_app
from app.settings import Settings
from fastapi import Request, Security
from hypothesis import HealthCheck, Phase, given, seed, settings
from sqlalchemy import NullPool, event
from tests.postgres import migrated_server

CASES = 12
# Sent instead of each text of a case, once.
ODD = ("\0", "x" * 5_000)
PLANTED = {"failing": "/failing", "leaking": "/leaking", "storing": "/tickets/{ticket_id}"}
PEOPLE = {"anonymous": (), "viewer": ("viewer",), "admin": ("admin",)}
# They never end.
STREAMS = ("events",)


begin = fastapi.APIRouter.__init__


def with_pages(router, *args, **options):
    """Pages are left out of the document; here they are asked, too."""
    begin(router, *args, **{**options, "include_in_schema": True})


def application(url, planted):
    # Before the features are loaded: their routers are made then.
    fastapi.APIRouter.__init__ = with_pages
    # Each request has an event loop of its own here, and a connection belongs to one.
    db.create_async_engine = functools.partial(db.create_async_engine, poolclass=NullPool)
    app = create_app(
        Settings(_env_file=None, environment="test", database_url=url, log_level="ERROR")
    )
    services = app.state.services

    async def by_header(request: Request):
        roles = PEOPLE.get(request.headers.get("x-is"), ())
        if not roles:
            return None
        scopes = services.access.scopes_of(roles)
        acr, now = services.settings.mfa_acr, utcnow()
        return Principal("a", "eve", frozenset(roles), scopes, acr=acr, auth_time=now)

    services.authenticators.insert(0, by_header)
    # Only the routes are of interest here, not how many requests a minute they answer.
    services.limits.spend = nothing
    guard = Security(principal_of, scopes=["metrics:read"])
    if "failing" in planted:
        app.add_api_route("/failing", lambda number: 1 // 0, dependencies=[guard])
    if "storing" in planted:
        engine = services.database.engine.sync_engine
        event.remove(engine, "handle_error", db._refuse_what_cannot_be_stored)
    if "leaking" in planted:
        app.add_api_route("/leaking", lambda number: "a secret")
    return app


async def nothing(_request):
    return None


def allowed(app):
    """Who may ask each operation. What is planted is meant for who reads metrics."""
    table = app.state.services.access
    for operation, scopes in access.declared(app.routes, principal_of):
        asked = scopes or ({"metrics:read"} if operation not in table.public else set())
        yield operation, [p for p, roles in PEOPLE.items() if table.scopes_of(roles) >= asked]


def wrong(app, only):
    may = dict(allowed(app))
    found, asked = [], 0
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    for result in schema.get_all_operations():
        operation = result.ok()
        name = f"{operation.method.upper()} {operation.path}"
        if operation.path.endswith(STREAMS) or name not in may:
            continue
        if only and operation.path not in only:
            continue
        asked += 1
        found += [f"WRONG {name}: {line}" for line in asked_as_all(operation, may[name])]
    return [f"asked {asked} operations", *found]


def asked_as_all(operation, may):
    found = {}

    @seed(5)
    @settings(
        max_examples=CASES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case):
        for person in PEOPLE:
            send(case, person)

    @seed(5)
    @settings(max_examples=3, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask_oddly(case):
        for text in ODD:
            replace_texts(case, text)
            send(case, "admin")

    def send(case, person):
        headers = {"X-Is": person, "Sec-Fetch-Site": "same-origin"}
        try:
            status = case.call(headers=headers, allow_redirects=False).status_code
        except Exception:
            # The client inside the process hands on what the application did not catch.
            status = 500
        if status >= 500:
            found[f"{status} for {person}"] = case
        if person not in may and status < 300:
            found[f"open to {person}"] = case

    ask()
    ask_oddly()
    return found


def replace_texts(case, text):
    for part in (case.path_parameters, case.query, case.headers, case.body):
        for name, value in part.items() if isinstance(part, dict) else ():
            if isinstance(value, str):
                part[name] = text


if __name__ == "__main__":
    logging.disable()
    planted = sys.argv[1:]
    with tempfile.TemporaryDirectory() as runtime:
        os.environ["XDG_RUNTIME_DIR"] = runtime
        with migrated_server() as url:
            for line in wrong(application(url, planted), [PLANTED[name] for name in planted]):
                sys.stdout.write(f"\n{line}\n")
