"""The page /audit: what was changed in the caller's tenant, newest first."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.responses import HTMLResponse, StreamingResponse

from app.audit.chain import content
from app.audit.log import entries, head, verify
from app.core.db import ReaderDep, utcnow
from app.core.pages import Pages
from app.core.principal import Principal, principal_of
from app.core.wall import everybody
from app.services import Services

_PAGE = 50
_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)\S*\+00:00$")


def _text(value: Any) -> str:
    """A value as people read it: lists and mappings without signs, the rest as JSON has it."""
    match value:
        case str():
            return _MOMENT.sub(r"\1 \2 UTC", value)
        case list():
            return ", ".join(map(_text, value)) or "none"
        case dict():
            return "; ".join(f"{name}: {_text(item)}" for name, item in value.items())
        case _:
            return json.dumps(value)


def _thing(actor: str) -> str:
    """Who did something, named as what something is done to."""
    return actor if ":" in actor else f"person:{actor}"


def _prepare(environment: Any) -> None:
    environment.filters.update(text=_text, thing=_thing)


PAGES = Pages(Path(__file__).parent, _prepare)
router = APIRouter(
    route_class=PAGES.route, include_in_schema=False, default_response_class=HTMLResponse
)
Reader = Annotated[Principal, Security(principal_of, scopes=["audit:read"])]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries; each may end in `*` for all that begin so."""

    action: Annotated[str, Query(max_length=64)] = ""
    target: Annotated[str, Query(max_length=255)] = ""
    actor: Annotated[str, Query(max_length=255)] = ""


WantedDep = Annotated[Wanted, Depends()]


@router.get("/audit")
async def audit_page(
    request: Request,
    session: ReaderDep,
    principal: Reader,
    wanted: WantedDep,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    check: bool = False,
) -> HTMLResponse:
    """A page of entries; `before` is the number of the entry where the page before ended.

    `check` verifies the chain, which is one for all tenants; nothing of others is shown.
    """
    query = entries(tenant=principal.tenant, before_seq=before, **asdict(wanted))
    found = list(await session.scalars(query.limit(_PAGE + 1)))
    shown, faults = found[:_PAGE], []
    services: Services = request.app.state.services
    names = await services.names_of(
        session, {thing for row in shown for thing in (row.target, _thing(row.actor))}
    )
    if check:
        async with everybody(session):
            end, faults = await verify(session)
    else:
        end = await head(session)
    return PAGES.render(
        "audit.html",
        entries=shown,
        older=shown[-1].seq if len(found) > _PAGE else None,
        wanted={name: value for name, value in asdict(wanted).items() if value},
        names=names,
        head=end,
        checked=check,
        faults=faults,
        now=utcnow(),
    )


@router.get("/audit/export")
async def export_entries(
    request: Request, principal: Reader, wanted: WantedDep
) -> StreamingResponse:
    """The tenant's entries, newest first, as JSON lines with their hashes."""
    services: Services = request.app.state.services
    query = entries(tenant=principal.tenant, **asdict(wanted))

    async def lines() -> AsyncIterator[str]:
        async with services.database.reader() as session:
            found = await session.stream_scalars(query.execution_options(yield_per=500))
            async for entry in found:
                yield json.dumps(content(entry), sort_keys=True) + "\n"

    name = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(lines(), media_type="application/jsonl", headers=name)
