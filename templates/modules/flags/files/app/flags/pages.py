"""The page /flags: who gets what, and a button that gives everybody one variant."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Security
from fastapi.responses import HTMLResponse, RedirectResponse

from app.core.db import ReaderDep
from app.core.pages import Pages, same_origin
from app.core.principal import Principal, principal_of
from app.core.problems import AppError, ConfigurationError
from app.flags import document
from app.flags.catalogue import FLAGS, RELEASE
from app.flags.changes import change, changes, flag_of
from app.flags.releases import require_usable
from app.flags.settings import FlagsSettings
from app.services import Services

PAGES = Pages(Path(__file__).parent)
router = APIRouter(
    route_class=PAGES.route, include_in_schema=False, default_response_class=HTMLResponse
)
Reader = Annotated[Principal, Security(principal_of, scopes=["flags:read"])]
Writer = Annotated[Principal, Security(principal_of, scopes=["flags:write"])]


@router.get("/flags")
async def flags_page(request: Request, session: ReaderDep, principal: Reader) -> HTMLResponse:
    """Every flag with its buttons, and the last changes."""
    try:
        definitions = document.read(FlagsSettings().file)["flags"]
    except ConfigurationError as error:
        raise AppError(503, "The flags cannot be read", str(error)) from error
    last = await changes(session, None, 20)
    services: Services = request.app.state.services
    return PAGES.render(
        "flags.html",
        flags=[(FLAGS[name], definition) for name, definition in sorted(definitions.items())],
        changes=last,
        names=await services.names_of(session, {f"person:{entry.actor}" for entry in last}),
        flag_of=flag_of,
        summary=document.summary,
    )


@router.post("/flags/{name}/pin", dependencies=[Depends(same_origin)])
async def pin(
    name: str,
    request: Request,
    principal: Writer,
    variant: Annotated[str, Form(max_length=64)],
    reason: Annotated[str, Form(max_length=500)] = "",
) -> RedirectResponse:
    """Give everybody this variant. Each button sends the whole form."""
    path = FlagsSettings().file
    try:
        if name == RELEASE.name:
            require_usable(document.read(path)["flags"][name]["variants"].get(variant))
        await change(
            request.app.state.services.database,
            path,
            name,
            lambda definition: document.pinned(definition, variant),
            principal=principal,
            reason=reason,
        )
    except ConfigurationError as error:
        raise AppError(409, "Nothing was changed", str(error)) from error
    return RedirectResponse("/flags", 303)
