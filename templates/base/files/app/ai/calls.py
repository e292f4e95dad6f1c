"""One call of one model: breaker, retries, budget, and the strict reading of its answer."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from jsonschema import Draft202012Validator

from app.ai import safety
from app.ai.budget import DailyBudget
from app.ai.meter import Generation, Meter
from app.ai.model import Chunk, Model, ModelError, ModelReply
from app.ai.preparation import Prepared
from app.ai.router import ModelSpec
from app.core.resilience import CircuitBreaker, Deadline, DeadlineExceeded, retry_idempotent

# Left for the models after this one in the route, as a share of the time that remains.
_KEPT_FOR_THE_NEXT = 0.2


@dataclass(slots=True)
class _Spent:
    """Unknown until the provider has said; what is unknown stays reserved."""

    tokens: int | None = None
    cost_usd: float = 0.0


class Caller:
    """The models that are configured, each with a breaker of its own."""

    def __init__(
        self,
        models: Mapping[str, Model],
        specs: Mapping[str, ModelSpec],
        budget: DailyBudget | None,
        meter: Meter,
    ) -> None:
        self.models = dict(models)
        self._specs = specs
        self._budget = budget
        self._meter = meter
        self._breakers = {
            name: CircuitBreaker(name, on_change=meter.breaker) for name in self.models
        }

    def configured(self, route: tuple[str, ...]) -> list[str]:
        return [name for name in route if name in self.models]

    async def complete(
        self, name: str, prepared: Prepared, generation: Generation, *, last: bool
    ) -> tuple[ModelReply, Any]:
        """Return the reply and, where the prompt has an output schema, its data.

        Raises ModelError, CircuitOpen, BudgetExceeded or DeadlineExceeded: each a reason to go on
        to the next model.
        """
        model, breaker = self.models[name], self._breakers[name]
        deadline = _share(prepared.deadline, last)
        request = prepared.request(model.name)

        async def attempt() -> ModelReply:
            breaker.before()
            with _judged(breaker):
                reply = await model.complete(request, deadline)
            breaker.succeeded()
            return reply

        async with self._spending(name, prepared) as spent:
            try:
                with generation.stage("model"):
                    reply = await retry_idempotent(
                        attempt, on=_retryable, deadline=deadline, attempts=prepared.spec.attempts
                    )
            except ModelError:
                spent.tokens = 0
                raise
            self._count(name, reply, spent, generation)
        data = parse(reply.text, prepared.schema)
        findings = safety.check_output(reply.text, prepared.rules)
        refuse(findings, generation)
        return reply, data

    async def stream(
        self, name: str, prepared: Prepared, generation: Generation, *, last: bool
    ) -> AsyncIterator[str | ModelReply]:
        """Yield pieces of text that may be shown, then the reply. Raises as complete() does."""
        model, breaker = self.models[name], self._breakers[name]
        deadline = _share(prepared.deadline, last)
        request = prepared.request(model.name)
        output = safety.OutputFilter(prepared.rules)

        async def begin() -> tuple[AsyncIterator[Chunk], Chunk]:
            # Only until the first piece: what was shown cannot be taken back.
            breaker.before()
            chunks = aiter(model.stream(request, deadline))
            with generation.stage("model"), _judged(breaker):
                return chunks, await _next(chunks)

        async with self._spending(name, prepared) as spent:
            try:
                chunks, chunk = await retry_idempotent(
                    begin, on=_retryable, deadline=deadline, attempts=prepared.spec.attempts
                )
            except ModelError:
                spent.tokens = 0
                raise
            try:
                while chunk.reply is None:
                    shown, findings = output.feed(chunk.text)
                    refuse(findings, generation)
                    if shown:
                        yield shown
                    with generation.stage("model"), _judged(breaker):
                        chunk = await _next(chunks)
                breaker.succeeded()
            finally:
                if breaker.state == "half-open":  # its reader left, or its answer was refused
                    breaker.succeeded()
                await _close(chunks)
            self._count(name, chunk.reply, spent, generation)
        shown, findings = output.finish()
        refuse(findings, generation)
        if shown:
            yield shown
        yield chunk.reply

    def _count(self, name: str, reply: ModelReply, spent: _Spent, generation: Generation) -> None:
        spent.tokens = reply.tokens_in + reply.tokens_out
        spent.cost_usd = self._specs[name].price.cost(reply.tokens_in, reply.tokens_out)
        generation.used(reply.tokens_in, reply.tokens_out, spent.cost_usd)

    @asynccontextmanager
    async def _spending(self, name: str, prepared: Prepared) -> AsyncIterator[_Spent]:
        """Reserve the most that the call can use, and settle by what it did use."""
        spent = _Spent()
        spec = self._specs[name]
        if self._budget is None or spec.kind != "openai":
            yield spent
            return
        tokens_out = prepared.spec.max_tokens_out
        reserved = await self._budget.reserve(
            prepared.principal.tenant,
            prepared.tokens_in + tokens_out,
            spec.price.cost(prepared.tokens_in, tokens_out),
        )
        try:
            yield spent
        finally:
            if spent.tokens is not None:
                # Also when the reader has gone away.
                with anyio.CancelScope(shield=True):
                    await self._budget.settle(reserved, spent.tokens, spent.cost_usd)


def parse(text: str, schema: Mapping[str, Any] | None) -> Any:
    """Read an answer by its schema; None without one. Raises ModelError: nothing is repaired."""
    if schema is None:
        return None
    try:
        data = json.loads(text)
    except ValueError:
        raise ModelError("the answer is not JSON") from None
    if error := next(Draft202012Validator(schema).iter_errors(data), None):
        at = ".".join(map(str, error.absolute_path)) or "the answer"
        raise ModelError(f"the answer does not fit its schema at {at} ({error.validator})")
    return data


def refuse(findings: list[safety.Finding], generation: Generation) -> None:
    """Raise ModelError when a finding blocks; note every finding."""
    generation.findings += [finding.kind for finding in findings]
    if safety.blocked(findings):
        kinds = ", ".join(sorted({finding.kind for finding in findings if finding.blocks}))
        raise ModelError(f"the answer was blocked: {kinds}")


@contextmanager
def _judged(breaker: CircuitBreaker) -> Iterator[None]:
    """Count a failure against the model. A missing recording or a cancelled request is none."""
    try:
        yield
    except (ModelError, DeadlineExceeded):
        breaker.failed()
        raise
    except BaseException:
        if breaker.state == "half-open":  # a probe must come to an end
            breaker.failed()
        raise


async def _next(chunks: AsyncIterator[Chunk]) -> Chunk:
    chunk = await anext(chunks, None)
    if chunk is None:
        raise ModelError("the stream ended without its summary", retryable=True)
    return chunk


async def _close(chunks: AsyncIterator[Chunk]) -> None:
    if isinstance(chunks, AsyncGenerator):
        with anyio.CancelScope(shield=True):
            await chunks.aclose()


def _retryable(error: Exception) -> bool:
    return isinstance(error, ModelError) and error.retryable


def _share(deadline: Deadline, last: bool) -> Deadline:
    return deadline if last else deadline.at_most(deadline.remaining() * (1 - _KEPT_FOR_THE_NEXT))
