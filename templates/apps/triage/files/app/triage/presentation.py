"""How triage looks as HTML: templates, filters, static files, and the headers of every page."""

import hashlib
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.staticfiles import StaticFiles

from app.ai import pii
from app.ai.local_writer import SAYS_OF_ITSELF, LocalWriter
from app.ai.safety import SPOKEN
from app.core.db import utcnow
from app.core.problems import AppError
from app.triage.intents import table
from app.triage.models import Ticket
from app.triage.settings import TriageSettings

_HERE = Path(__file__).parent
STATIC_URL = "/static/triage"
_CITATION = re.compile(r"\[(\d{1,3})\]")

STATUS_TITLES = {
    "received": "Received",
    "working": "In work",
    "ready": "Draft ready",
    "failed": "No draft",
    "answered": "Answered",
    "rejected": "Rejected",
}

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


class PageRoute(APIRoute):
    """A route that answers a person: refusals become pages, and every answer has the headers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                response = await handle(request)
            except AppError as error:
                response = render("error.html", status=error.status, error=error)
                response.headers.update(error.headers or {})
            response.headers.update(HEADERS)
            return response

        return page


class VersionedFiles(StaticFiles):
    """Static files under addresses that carry their content's hash: kept by browsers for a year."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def static_files() -> VersionedFiles:
    return VersionedFiles(directory=_HERE / "static")


def render(template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a page."""
    return HTMLResponse(fragment(template, **context), status)


def fragment(template: str, **context: Any) -> str:
    """Render a part of a page, for a stream or an update in place."""
    return environment().get_template(template).render(**context)


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        age=age,
        answer=answer,
        article=article,
        intent_title=intent_title,
        percent=percent,
        spoken=spoken,
        written_by=written_by,
    )
    shared: dict[str, Any] = {
        "organisation": TriageSettings().organisation,
        "static": static,
        "status_titles": STATUS_TITLES,
        "table": table(),
    }
    made.globals.update(shared)
    return made


@cache
def static(name: str) -> str:
    """The address of a static file."""
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()
    return f"{STATIC_URL}/{name}?v={digest[:12]}"


def intent_title(name: str | None) -> str:
    entry = table().intents.get(name or "")
    return entry.title if entry else "unknown"


def percent(share: float) -> str:
    """A confidence in whole percent; never 100, which would promise certainty."""
    return f"{min(99, round(share * 100))} %"


def age(moment: datetime) -> str:
    """How long ago, in the largest unit: "3 min"."""
    seconds = max(0, (utcnow() - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"


def spoken(text: str, ticket: Ticket) -> str:
    """A masked text for the person who answers: names are back, all else stays masked."""
    return pii.unmask(text, pii.mask(ticket.text).vault, SPOKEN)


def written_by(model: str) -> str:
    """Who wrote a draft, in words for those who answer."""
    return SAYS_OF_ITSELF if model == LocalWriter.name else f"Written by {model}"


def article(text: str) -> Markup:
    """Paragraphs of a help article."""
    return Markup("\n").join(
        Markup("<p>{}</p>").format(" ".join(block.split())) for block in text.split("\n\n")
    )


def answer(text: str, citations: Sequence[Mapping[str, Any]]) -> Markup:
    """Paragraphs of a draft, each [number] linking to the article it cites."""
    cited = {citation["number"]: citation for citation in citations}

    def link(match: re.Match[str]) -> str:
        citation = cited.get(int(match[1]))
        if citation is None:
            return match[0]
        return str(
            Markup(
                '<a class="cite" href="/help/{article_id}" title="{title}">[{number}]</a>'
            ).format(**citation)
        )

    blocks = []
    for block in text.split("\n\n"):
        if block.strip():
            linked = _CITATION.sub(link, str(escape(block.strip())))
            blocks.append(f"<p>{linked}</p>")
    # Escaped above, before the links were put in.
    return Markup("\n".join(blocks))  # noqa: S704
