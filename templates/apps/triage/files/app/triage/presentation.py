"""How triage looks as HTML: templates, filters and static files."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from app.ai import pii
from app.ai.local_writer import SAYS_OF_ITSELF, LocalWriter
from app.ai.safety import SPOKEN
from app.core.db import utcnow
from app.core.pages import Pages, VersionedFiles
from app.core.pages import static as address
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


def static_files() -> VersionedFiles:
    return VersionedFiles(directory=_HERE / "static")


def static(name: str) -> str:
    """The address of a static file."""
    return address(STATIC_URL, _HERE, name)


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


def _prepare(environment: Environment) -> None:
    environment.filters.update(
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
    environment.globals.update(shared)


PAGES = Pages(_HERE, _prepare)
render, fragment = PAGES.render, PAGES.fragment
