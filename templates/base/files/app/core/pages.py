"""Pages for people: one look, headers that let nothing else in, and refusals that are pages too."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.staticfiles import StaticFiles

from app.core.problems import AppError
from app.features import TITLE

_HERE = Path(__file__).parent
_LOOK = "/static/core"

# Everything a page needs comes from this application; no script or style stands in the page itself.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # Pages show what customers wrote; they stay out of shared and disk caches.
    "Cache-Control": "no-store",
}

# Whose page is being made: the bar shows what they may open.
_asked: ContextVar[Request | None] = ContextVar("asked", default=None)


@dataclass(frozen=True, slots=True)
class Link:
    """A page that every other page offers to who has `scope`, in the order of `place`.

    One that lies beneath another, as /people/provider does, is offered there only.
    """

    address: str
    title: str
    scope: str
    place: int


class VersionedFiles(StaticFiles):
    """Static files under addresses that carry their content's hash: kept by browsers for a year."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class Pages:
    """The pages of a feature: what is in `templates` of its folder, around layout.html."""

    def __init__(
        self, folder: Path, prepare: Callable[[Environment], None] = lambda _environment: None
    ) -> None:
        """`prepare` is called before the first page; it may add filters and names."""
        self._folder = folder
        self._prepare = prepare

    @cached_property
    def environment(self) -> Environment:
        made = Environment(
            loader=FileSystemLoader([self._folder / "templates", _HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.filters["moment"] = moment
        shared: dict[str, Any] = {
            "application": TITLE,
            "icon": static(_LOOK, _HERE, "icon.svg"),
            "look": static(_LOOK, _HERE, "look.css"),
            "links": links,
        }
        made.globals.update(shared)
        self._prepare(made)
        return made

    def render(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Render a page."""
        return HTMLResponse(self.fragment(template, **context), status)

    def fragment(self, template: str, **context: Any) -> str:
        """Render a part of a page, for a stream or an update in place."""
        return self.environment.get_template(template).render(**context)

    def refusal(self, request: Request, error: AppError) -> Response:
        """Answer a person who was refused: what a feature has for it, else a page that says why."""
        _asked.set(request)
        answers = (answer(request, error) for answer in request.app.state.services.page_answers)
        response = next((made for made in answers if made is not None), None)
        if response is None:
            back = came_from(request)
            response = self.render("error.html", status=error.status, error=error, back=back)
            response.headers.update(error.headers)
        response.headers.update(HEADERS)
        return response

    @cached_property
    def route(self) -> type[APIRoute]:
        """A class of routes that answer a person: refusals become pages, all have the headers."""
        pages = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                handle = super().get_route_handler()

                async def page(request: Request) -> Response:
                    # Answered by problems.py: an error that ended here would not undo what the
                    # request's transaction has changed.
                    request.scope["refusal"] = pages.refusal
                    _asked.set(request)
                    response = await handle(request)
                    response.headers.update(HEADERS)
                    return response

                return page

        return PageRoute


def setup(app: FastAPI) -> None:
    app.mount(_LOOK, VersionedFiles(directory=_HERE / "static"), name="core-static")


@cache
def static(address: str, folder: Path, name: str) -> str:
    """The address of a file in `static` of a folder that is served under `address`."""
    digest = hashlib.sha256((folder / "static" / name).read_bytes()).hexdigest()
    return f"{address}/{name}?v={digest[:12]}"


def links() -> tuple[list[tuple[Link, str]], list[tuple[Link, str]]]:
    """What the reader of the page may open: for the bar, and the page's own with those beneath it.

    Each comes with its `aria-current`: `page`, `true` for what the page lies beneath, or nothing.
    """
    request = _asked.get()
    principal = getattr(request.state, "principal", None) if request else None
    if request is None or principal is None:
        return [], []
    path = request.url.path
    top = "/".join(path.split("/")[:2])
    bar, beneath = [], []
    for link in sorted(request.app.state.services.links, key=lambda link: link.place):
        if link.scope not in principal.scopes:
            continue
        current = "page" if link.address == path else ""
        if link.address.count("/") == 1:
            bar.append((link, current or ("true" if link.address == top else "")))
        if f"{link.address}/".startswith(f"{top}/"):
            beneath.append((link, current))
    return bar, beneath


def moment(at: datetime, seconds: bool = False) -> Markup:
    """A moment as people read it, and exactly for programs."""
    text = f"{at:%d %b %Y, %H:%M:%S} UTC" if seconds else f"{at:%d %b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), text)


def came_from(request: Request) -> str:
    """The page whose form was sent; the start page, where that is not known."""
    try:
        path = urlsplit(request.headers.get("referer", "")).path
    except ValueError:
        path = "/"
    is_form = request.method != "GET" and path.startswith("/") and not path.startswith("//")
    return path if is_form else "/"


def same_origin(request: Request) -> None:
    """Refuse a form that another site sent. Browsers say where a request comes from."""
    headers: Mapping[str, str] = request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_from_page = site is None or site in ("same-origin", "none")
    is_from_host = origin is None or origin.partition("://")[2] == headers.get("host")
    if not (is_from_page and is_from_host):
        raise AppError(403, "Sent from another site", "Open the page here and decide again.")
