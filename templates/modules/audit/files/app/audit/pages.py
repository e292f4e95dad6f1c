"""The page /audit: what was changed in the caller's tenant, newest first."""

import json
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Security
from fastapi.responses import HTMLResponse

from app.audit.log import entries, head
from app.core.db import ReaderDep
from app.core.pages import Pages
from app.core.principal import Principal, principal_of

_PAGE = 50


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


PAGES = Pages(Path(__file__).parent, lambda environment: environment.filters.update(text=_text))
router = APIRouter(
    route_class=PAGES.route, include_in_schema=False, default_response_class=HTMLResponse
)
Reader = Annotated[Principal, Security(principal_of, scopes=["audit:read"])]


@router.get("/audit")
async def audit_page(
    session: ReaderDep,
    principal: Reader,
    action: Annotated[str, Query(max_length=64)] = "",
    target: Annotated[str, Query(max_length=255)] = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> HTMLResponse:
    """A page of entries; `before` is the number of the entry where the page before ended."""
    query = entries(tenant=principal.tenant, action=action, target=target, before_seq=before)
    found = list(await session.scalars(query.limit(_PAGE + 1)))
    return PAGES.render(
        "audit.html",
        entries=found[:_PAGE],
        older=found[_PAGE - 1].seq if len(found) > _PAGE else None,
        action=action,
        target=target,
        head=await head(session),
    )
