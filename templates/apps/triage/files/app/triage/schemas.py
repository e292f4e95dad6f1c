"""What the API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from app.triage.models import Decision, Status
from app.triage.priority import Priority


def _without_nul(text: str) -> str:
    # PostgreSQL stores no NUL in a text.
    if "\0" in text:
        raise ValueError("the text contains the character NUL")
    return text


Plain = AfterValidator(_without_nul)
TicketText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), Plain
]
AnswerText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), Plain
]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


def _personal(handling: str) -> Any:
    """Say in the API's document that a property may carry personal data, and how it is treated."""
    return Field(json_schema_extra={"x-personal-data": handling})


MASKED, PSEUDONYM = _personal("masked"), _personal("pseudonym")


class NewTicket(BaseModel):
    """A ticket as a customer or a help desk files it."""

    model_config = ConfigDict(extra="forbid")

    text: TicketText = Field(
        description="What the customer wrote",
        json_schema_extra={
            "x-personal-data": "stored: for TRIAGE_KEEP_TEXT_DAYS after the end; masked elsewhere"
        },
    )
    customer_id: Annotated[Reference | None, PSEUDONYM] = Field(
        default=None, description="The help desk's number of the customer; no name, no address"
    )


class Accepted(BaseModel):
    """The ticket is stored and will be worked on; follow it at `url` or `events_url`."""

    id: str
    status: Status
    url: str
    events_url: str


class CitationView(BaseModel):
    """The help article behind [number] in a draft."""

    number: int
    article_id: str
    title: str


class DraftView(BaseModel):
    """The drafted answer; personal data stays masked."""

    model_config = ConfigDict(from_attributes=True)

    state: str
    text: Annotated[str, MASKED]
    citations: list[CitationView]
    findings: list[str]
    model: str | None
    route: str | None
    tokens_in: int
    tokens_out: int
    cost_usd: float
    latency_ms: float | None


class FeedbackView(BaseModel):
    """What a person decided. The final text is masked."""

    model_config = ConfigDict(from_attributes=True)

    decision: Decision
    intent: str | None
    final_text: Annotated[str | None, MASKED]
    reason: Annotated[str | None, MASKED]
    edit_distance: int
    edit_share: float
    given_by: Annotated[str, _personal("shown: to colleagues, who can ask whoever decided")]
    created_at: datetime


class TicketSummary(BaseModel):
    """A ticket in a list; `masked_text` holds no personal data."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    status: Status
    source: str
    customer_id: Annotated[str | None, PSEUDONYM]
    masked_text: Annotated[str, MASKED]
    intent: str | None
    family: str | None
    team: str | None
    priority: Priority | None
    confidence: float | None
    is_unsure: bool
    created_at: datetime
    updated_at: datetime


class TicketView(TicketSummary):
    """A ticket with its draft and what a person made of it."""

    draft: DraftView | None
    feedback: FeedbackView | None


class TicketPage(BaseModel):
    """Newest first. `next_cursor` leads to the following page; null on the last."""

    items: list[TicketSummary]
    next_cursor: str | None


class NewFeedback(BaseModel):
    """A person's decision on a draft. `text` is what is sent instead, for `edit` only.

    `intent` corrects the classification.
    """

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    text: Annotated[AnswerText | None, MASKED] = None
    intent: Annotated[str, StringConstraints(max_length=64)] | None = None
    reason: Annotated[
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Plain] | None,
        MASKED,
    ] = None

    @model_validator(mode="after")
    def _text_belongs_to_an_edit(self) -> Self:
        if (self.decision == "edit") != (self.text is not None):
            raise ValueError("`edit` needs `text`; `accept` and `reject` take none")
        return self
