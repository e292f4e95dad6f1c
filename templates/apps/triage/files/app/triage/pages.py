"""The inbox: pages made on the server, kept fresh by streams, usable without JavaScript."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.ai.retrieval import KnowledgeBase
from app.core.db import ReaderDep, SessionDep
from app.core.pages import same_origin
from app.core.principal import Principal
from app.core.problems import AppError
from app.triage import repository, service
from app.triage.intents import table
from app.triage.models import Decision, Draft, Feedback, Status, Ticket
from app.triage.presentation import PAGES, fragment, render
from app.triage.priority import PRIORITIES
from app.triage.repository import Filters
from app.triage.routes import FeedDep, Reader, ServicesDep, Writer, known_ticket
from app.triage.schemas import NewFeedback
from app.triage.settings import TriageSettings
from app.triage.streams import KEEP_ALIVE_S, Snapshot, watch

_LIST_PAUSE_S = 1.0

router = APIRouter(
    route_class=PAGES.route, include_in_schema=False, default_response_class=HTMLResponse
)
streams = APIRouter(include_in_schema=False)


def knowledge_of(request: Request) -> KnowledgeBase:
    return request.app.state.services.gateway.knowledge


KnowledgeDep = Annotated[KnowledgeBase, Depends(knowledge_of)]


@dataclass(frozen=True, slots=True)
class View:
    """What the inbox shows, as its address says. What an address has wrong is left out."""

    state: str = "open"
    status: str = ""
    team: str = ""
    priority: str = ""
    customer: str = ""
    order: str = "newest"
    cursor: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str], teams: Mapping[str, str]) -> "View":
        def one_of(name: str, allowed: Any, default: str = "") -> str:
            value = parameters.get(name, default)
            return value if value in allowed else default

        return cls(
            state=one_of("state", ("open", "done", "all"), "open"),
            status=one_of("status", get_args(Status)),
            team=one_of("team", teams),
            priority=one_of("priority", PRIORITIES),
            customer=parameters.get("customer", "")[:64],
            order=one_of("order", get_args(repository.Order), "newest"),
            cursor=parameters.get("cursor", "")[:300],
        )

    @property
    def filters(self) -> Filters:
        values: dict[str, Any] = {
            "state": None if self.state == "all" else self.state,
            "status": self.status or None,
            "team": self.team or None,
            "priority": self.priority or None,
            "customer_id": self.customer or None,
        }
        return Filters(**values)

    @property
    def is_filtered(self) -> bool:
        return bool(self.status or self.team or self.priority or self.customer)

    def query(self, **changes: str) -> str:
        """The address's query with `changes`; any change but of the page goes back to page one."""
        values = {name: getattr(self, name) for name in self.__slots__} | changes
        if changes and "cursor" not in changes:
            values["cursor"] = ""
        defaults = View()
        return urlencode({k: v for k, v in values.items() if v != getattr(defaults, k)})


def view_of(request: Request) -> View:
    return View.of(request.query_params, table().teams)


ViewDep = Annotated[View, Depends(view_of)]


@router.get("/")
async def home(principal: Reader) -> RedirectResponse:
    return RedirectResponse("/inbox", 303)


@router.get("/inbox")
async def inbox(view: ViewDep, session: ReaderDep, principal: Reader) -> HTMLResponse:
    """The list of tickets."""
    return render("inbox.html", **await _list(view, session, principal))


@router.get("/inbox/list")
async def inbox_list(view: ViewDep, session: ReaderDep, principal: Reader) -> HTMLResponse:
    """The list alone, fetched again when something changed."""
    return render("_list.html", **await _list(view, session, principal))


async def _list(view: View, session: AsyncSession, principal: Principal) -> dict[str, Any]:
    tickets, next_cursor = await repository.page(
        session,
        principal.tenant,
        view.filters,
        order="urgent" if view.order == "urgent" else "newest",
        cursor=view.cursor or None,
        limit=TriageSettings().page_size,
    )
    counts = await repository.counts(session, principal.tenant)
    return {"view": view, "tickets": tickets, "next_cursor": next_cursor, "counts": counts}


@streams.get("/inbox/events", response_class=EventSourceResponse)
async def inbox_events(feed: FeedDep, principal: Reader) -> AsyncIterator[ServerSentEvent]:
    """Says `changed` whenever the list may have, once a second at most; the page then fetches it.

    The pause is here and not in the page, where what falls into it would be lost.
    """
    async with feed.subscribe(principal.tenant) as subscription:
        yield ServerSentEvent(comment="open", retry=2_000)
        while not feed.is_closed:
            if await subscription.changed(KEEP_ALIVE_S):
                yield ServerSentEvent(event="changed", raw_data="1")
                await asyncio.sleep(_LIST_PAUSE_S)
            else:
                yield ServerSentEvent(comment="quiet")


@router.get("/inbox/{ticket_id}")
async def ticket_page(ticket_id: str, session: ReaderDep, principal: Reader) -> HTMLResponse:
    """A ticket, its draft and what can be done with it."""
    ticket = await repository.ticket(session, principal.tenant, ticket_id)
    before, after = await repository.neighbours(session, principal.tenant, ticket)
    draft = await repository.draft(session, principal.tenant, ticket_id)
    feedback = await repository.feedback(session, principal.tenant, ticket_id)
    context = _work(ticket, draft, feedback)
    return render("ticket.html", before=before, after=after, **context)


def _work(ticket: Ticket, draft: Draft | None, feedback: Feedback | None) -> dict[str, Any]:
    return {
        "ticket": ticket,
        "draft": draft,
        "feedback": feedback,
        "is_final": Snapshot(ticket, draft).is_final,
    }


@streams.get(
    "/inbox/{ticket_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(known_ticket)],
)
async def ticket_events(
    ticket_id: str,
    services: ServicesDep,
    feed: FeedDep,
    principal: Reader,
) -> AsyncIterator[ServerSentEvent]:
    """HTML as it comes: `facts` and `draft` during the work, then `work` and `done`."""
    async for current in watch(services, feed, principal, ticket_id):
        if current is None:
            yield ServerSentEvent(comment="quiet")
            continue
        context = _work(current.ticket, current.draft, None)
        if current.is_final:
            yield _html("work", "_work.html", context)
            yield ServerSentEvent(event="done", raw_data="")
        else:
            yield _html("facts", "_facts.html", context)
            yield _html("draft", "_draft.html", context)


def _html(event: str, template: str, context: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(event=event, raw_data=fragment(template, **context))


@router.post("/inbox/{ticket_id}/feedback", dependencies=[Depends(same_origin)])
async def decide(
    ticket_id: str,
    session: SessionDep,
    principal: Writer,
    decision: Annotated[Decision, Form()],
    text: Annotated[str, Form(max_length=20_000)] = "",
    intent: Annotated[str, Form(max_length=64)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
) -> RedirectResponse:
    """Take the form of a ticket's page. Each button sends the whole form; what it needs is used."""
    try:
        feedback = NewFeedback(
            decision=decision,
            # A browser sends line ends as CRLF, which would count as edits.
            text=text.replace("\r\n", "\n") if decision == "edit" else None,
            intent=intent or None,
            reason=reason or None if decision == "reject" else None,
        )
    except ValidationError:
        raise AppError(
            422, "The answer is empty", "Write an answer, or reject the draft."
        ) from None
    await service.give_feedback(session, principal, ticket_id, feedback)
    return RedirectResponse(f"/inbox/{ticket_id}", 303)


@router.get("/help")
async def help_index(principal: Reader, knowledge: KnowledgeDep) -> HTMLResponse:
    """The keys of the inbox, and all help articles."""
    articles = sorted(knowledge.articles.values(), key=lambda article: article.title)
    return render("help.html", articles=articles)


@router.get("/help/{article_id}")
async def help_article(article_id: str, principal: Reader, knowledge: KnowledgeDep) -> HTMLResponse:
    """A help article, as drafts cite it."""
    article = knowledge.articles.get(article_id)
    if article is None:
        raise AppError(
            404, "No such article", "It may have been renamed; see the list of articles."
        )
    return render("article.html", article=article)
