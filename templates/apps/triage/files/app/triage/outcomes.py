"""What people did with drafts, for experiments: the subject is the ticket, as in pipeline.py."""

from sqlalchemy import select

from app.core.outcomes import Outcome
from app.triage.models import Feedback

_DECISIONS = select(
    Feedback.tenant_id.label("tenant_id"),
    Feedback.ticket_id.label("subject"),
    Feedback.decision.label("outcome"),
    Feedback.created_at.label("at"),
)

OUTCOMES = {
    "draft-accepted": Outcome(_DECISIONS, good=frozenset({"accept"})),
    "draft-used": Outcome(_DECISIONS, good=frozenset({"accept", "edit"})),
}
