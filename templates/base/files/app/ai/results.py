"""What the gateway gives back."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from app.ai import pii, safety
from app.ai.budget import BudgetExceeded
from app.ai.classifier import Prediction
from app.ai.meter import Generation
from app.ai.preparation import Prepared
from app.ai.safety import Finding
from app.core.problems import AppError
from app.core.resilience import DeadlineExceeded

# What a large model says when a text is about none of the labels.
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Citation:
    """`number` is what the text has in brackets."""

    number: int
    article_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Classification:
    """`confidence` is a probability by the small model, or what the large one says of itself.

    `escalated`: the small model was not sure. `needs_person`: neither was anybody else, and
    `label` is the best guess.
    """

    label: str
    confidence: float
    escalated: bool
    needs_person: bool
    route: Literal["small", "large"]
    model: str
    prompt_hash: str | None
    tokens_in: int
    tokens_out: int
    cost_usd: float
    cached: bool
    latency_ms: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """`data` is the answer by the prompt's output schema, None for prose. `route` is the model's
    name in models.yaml, `model` its provider's. Names of people are back in `text`; other personal
    data keeps its placeholder.
    """

    text: str
    data: Any
    model: str
    route: str
    prompt_hash: str
    tokens_in: int
    tokens_out: int
    cost_usd: float
    cached: bool
    findings: tuple[Finding, ...]
    citations: tuple[Citation, ...]
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that passed every check, still masked."""

    text: str
    data: Any
    model: str
    route: str
    handover: bool


def classification(
    guess: Prediction,
    answer: Answer | None,
    generation: Generation,
    findings: list[Finding],
) -> Classification:
    label, confidence = guess.label, guess.confidence
    unknown = answer is not None and answer.data["label"] == OTHER
    if answer is not None and not unknown:
        label, confidence = answer.data["label"], float(answer.data.get("confidence", 1.0))
    generation.result = made = Classification(
        label=label,
        confidence=confidence,
        escalated=guess.escalate,
        needs_person=guess.escalate and (answer is None or unknown),
        route="large" if answer else "small",
        model=generation.model,
        prompt_hash=generation.prompt_hash if answer else None,
        tokens_in=generation.tokens_in,
        tokens_out=generation.tokens_out,
        cost_usd=generation.cost_usd,
        cached=generation.cached,
        latency_ms=generation.latency_ms,
        findings=tuple(findings),
    )
    return made


def completion(prepared: Prepared, answer: Answer, generation: Generation) -> Completion:
    numbers = {int(number) for number in re.findall(r"\[(\d{1,3})\]", answer.text)}
    findings = prepared.findings
    if answer.handover:
        findings = (*findings, Finding("no_source", "no article fits the question", blocks=False))
    generation.result = made = Completion(
        text=pii.unmask(answer.text, prepared.vault, safety.SPOKEN),
        data=answer.data,
        model=answer.model,
        route=answer.route,
        prompt_hash=prepared.prompt.sha256,
        tokens_in=generation.tokens_in,
        tokens_out=generation.tokens_out,
        cost_usd=generation.cost_usd,
        cached=generation.cached,
        findings=findings,
        citations=tuple(
            Citation(number, passage.article_id, passage.title)
            for number, passage in enumerate(prepared.passages, 1)
            if number in numbers
        ),
        latency_ms=generation.latency_ms,
    )
    return made


def no_answer(errors: list[Exception], refused: frozenset[str] = frozenset()) -> AppError:
    """Say the most useful thing about why no model answered."""
    if errors and all(isinstance(error, BudgetExceeded) for error in errors):
        error = errors[-1]
        assert isinstance(error, BudgetExceeded)  # noqa: S101
        return error
    if errors and isinstance(errors[-1], DeadlineExceeded):
        return AppError(504, "Took too long", "The models did not answer in time. Try again later.")
    if not errors and refused:
        return AppError(
            403,
            "No model may answer",
            "None of the route's models may see this tenant's data for this use.",
        )
    if not errors:
        return AppError(
            503, "No model is configured", "Name one that is in models.yaml, for this route."
        )
    return AppError(
        503,
        "No model could answer",
        "Every model of the route failed or is resting. Try again in half a minute.",
        headers={"Retry-After": "30"},
    )
