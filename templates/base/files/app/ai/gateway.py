"""The single path to any model.

mask personal data -> compile the prompt -> refuse what is over budget -> cache -> the models of the
route in order, each behind its breaker and inside the deadline -> read the answer strictly -> check
what it says -> count -> put names back for the reader.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import cached_property

import structlog

from app.ai import pii, safety
from app.ai.budget import BudgetExceeded, DailyBudget
from app.ai.cache import ResponseCache
from app.ai.calls import Caller
from app.ai.classifier import Classifier, ModelFileError, Prediction
from app.ai.meter import Generation, Meter
from app.ai.model import Model, ModelError
from app.ai.openai_model import OpenAIModel
from app.ai.preparation import Prepared, prepare, without_placeholders
from app.ai.prompts import PromptSet
from app.ai.release import Choose, Permit, Release
from app.ai.results import (
    OTHER,
    Answer,
    Citation,
    Classification,
    Completion,
    classification,
    completion,
    no_answer,
)
from app.ai.retrieval import KnowledgeBase
from app.ai.router import ModelsFile
from app.core.egress import Egress
from app.core.flows import answered_by
from app.core.principal import Principal
from app.core.problems import AppError
from app.core.resilience import CircuitOpen, Deadline, DeadlineExceeded

log = structlog.get_logger("app.ai")

__all__ = ["Citation", "Classification", "Completion", "Gateway"]

# Asks the small model, by the deadline if there is one. Its answers are those of `classifier`.
Predict = Callable[[str, Deadline | None], Awaitable[Prediction]]

_PASSED_OVER = (ModelError, CircuitOpen, DeadlineExceeded, BudgetExceeded)


class Gateway:
    def __init__(
        self,
        config: ModelsFile,
        *,
        models: Mapping[str, Model],
        classifier: Callable[[], Classifier],
        prompts: PromptSet,
        knowledge: KnowledgeBase,
        cache: ResponseCache,
        budget: DailyBudget | None,
        meter: Meter,
        egress: Egress,
    ) -> None:
        """`models` are those configured, by their name in models.yaml; a route skips the others.

        `classifier` is called at the first use. Without `budget`, days have no limit.
        """
        self.config = config
        self.prompts = prompts
        self.knowledge = knowledge
        self.egress = egress
        self._load_classifier = classifier
        self._cache = cache
        self._budget = budget
        self.meter = meter
        self._caller = Caller(models, config.models, budget, meter)
        self._callers = [self._caller]
        self.release = Release("current", config, prompts, self._caller)
        # A feature may put its own in place while it is set up.
        self.choose: Choose = lambda _principal: self.release
        self.permit: Permit = lambda release, _principal, _request_class: release
        self.predict: Predict = self._predict

    def released(
        self, name: str, config: ModelsFile, prompts: PromptSet, models: Mapping[str, Model]
    ) -> Release:
        """Return another release, on this gateway's budget and meter; `choose` may answer it."""
        caller = Caller(models, config.models, self._budget, self.meter)
        self._callers.append(caller)
        return Release(name, config, prompts, caller)

    def with_models(self, *, small: Classifier | None = None, **models: Model) -> "Gateway":
        """Return a gateway in which these models stand for their names; for evals and recording.

        Its cache is its own, and it spends nobody's daily budget. `small`: another classifier.
        """
        return self._having({**self._caller.models, **models}, small)

    def offline(self) -> "Gateway":
        """Return a gateway without the models that are called over a network: nothing is spent."""
        models = self._caller.models.items()
        return self._having({n: m for n, m in models if not isinstance(m, OpenAIModel)}, None)

    def _having(self, models: Mapping[str, Model], small: Classifier | None) -> "Gateway":
        return Gateway(
            self.config,
            models=models,
            classifier=lambda: small or self.classifier,
            prompts=self.prompts,
            knowledge=self.knowledge,
            cache=ResponseCache(),
            budget=None,
            meter=self.meter,
            egress=self.egress,
        )

    @cached_property
    def classifier(self) -> Classifier:
        """The small model. Raises AppError 503 until it is trained."""
        try:
            return self._load_classifier()
        except ModelFileError as error:
            raise AppError(
                503, "The small model is not ready", f"{error}. Train it: app model train"
            ) from error

    @property
    def models(self) -> Mapping[str, Model]:
        """The configured models by their name in models.yaml; to be wrapped, not to be called."""
        return self._caller.models

    async def ready(self) -> str | None:
        """Return None when requests can be answered, else the reason."""
        routes = {model for spec in self.config.request_classes.values() for model in spec.route}
        if any(self.config.models[name].kind == "classifier" for name in routes):
            try:
                _ = self.classifier
            except AppError as error:
                return error.detail
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close what was opened meanwhile: the cache and the models' connections."""
        try:
            yield
        finally:
            await self._cache.close()
            for caller in self._callers:
                for model in caller.models.values():
                    if isinstance(model, OpenAIModel):
                        await model.close()

    async def classify(
        self,
        request_class: str,
        text: str,
        *,
        principal: Principal,
        deadline: Deadline | None = None,
    ) -> Classification:
        """Ask the small model, and the rest of the route when it is not sure.

        Never fails for want of a large model: the best guess comes back with `needs_person`.
        """
        with self._generation(request_class, principal) as generation:
            masked = pii.mask(text).text
            generation.asked = {"text": masked}
            generation.findings += [finding.kind for finding in safety.check_input(masked)]
            with generation.stage("model"):
                guess = await self.predict(without_placeholders(masked), deadline)
            generation.route, generation.model = "small", self.classifier.sha256[:12]
            guess = replace(guess, escalate=generation.release.is_unsure(guess))
            answer = None
            if guess.escalate and generation.release.escalates:
                answer = await self._escalate(request_class, text, principal, deadline, generation)
            generation.outcome = "ok" if not guess.escalate or answer else "needs_person"
            return classification(guess, answer, generation, safety.check_input(masked))

    async def complete(
        self,
        request_class: str,
        variables: Mapping[str, object],
        *,
        principal: Principal,
        deadline: Deadline | None = None,
    ) -> Completion:
        """Answer by the first model of the route that can.

        Raises BudgetExceeded (413 or 429), AppError 503 when no model answered, 504 when the time
        was used up, PromptError for wrong variables.
        """
        with self._generation(request_class, principal) as generation:
            prepared = self._prepare(request_class, variables, principal, deadline, generation)
            answer = await self._answer(prepared, generation)
            generation.outcome = "ok"
            return completion(prepared, answer, generation)

    async def stream(
        self,
        request_class: str,
        variables: Mapping[str, object],
        *,
        principal: Principal,
        deadline: Deadline | None = None,
    ) -> AsyncIterator[str | Completion]:
        """Yield the text as it comes, then the Completion. A model that fails before anything was
        shown is followed by the next; afterwards AppError 502 says that the text is worthless.

        Raises as complete() does, too. Prompts with an output schema cannot be streamed.
        """
        with self._generation(request_class, principal) as generation:
            prepared = self._prepare(request_class, variables, principal, deadline, generation)
            if prepared.schema is not None:
                raise ValueError(f"{request_class} answers by a schema: use complete()")
            answer = await self._cached(prepared, generation)
            if answer:
                yield pii.unmask(answer.text, prepared.vault, safety.SPOKEN)
            else:
                async for piece in self._stream(prepared, generation):
                    if isinstance(piece, Answer):
                        answer = piece
                    else:
                        yield pii.unmask(piece, prepared.vault, safety.SPOKEN)
            assert answer is not None  # noqa: S101  _stream ends with one or raises
            generation.outcome = "ok"
            yield completion(prepared, answer, generation)

    async def _predict(self, text: str, _deadline: Deadline | None) -> Prediction:
        return self.classifier.predict(text)

    def _prepare(
        self,
        request_class: str,
        variables: Mapping[str, object],
        principal: Principal,
        deadline: Deadline | None,
        generation: Generation,
        labels: tuple[str, ...] = (),
    ) -> Prepared:
        prepared = prepare(
            request_class,
            variables,
            principal=principal,
            deadline=deadline,
            knowledge=self.knowledge,
            generation=generation,
            labels=labels,
        )
        generation.findings += [finding.kind for finding in prepared.findings]
        return prepared

    async def _escalate(
        self,
        request_class: str,
        text: str,
        principal: Principal,
        deadline: Deadline | None,
        generation: Generation,
    ) -> Answer | None:
        release = generation.release
        spec = release.request_class(request_class)
        if not spec.prompt or not release.caller.configured(spec.route):
            return None
        labels = self.classifier.labels
        try:
            prepared = self._prepare(
                request_class,
                {"text": text, "labels": list(labels)},
                principal,
                deadline,
                generation,
                (*labels, OTHER),
            )
            return await self._answer(prepared, generation)
        except AppError as error:
            log.warning("not_escalated", request_class=request_class, reason=error.title)
            return None

    async def _answer(self, prepared: Prepared, generation: Generation) -> Answer:
        """From the cache, or from a model: for one caller at a time, when answers are cached."""
        if not prepared.spec.cache_ttl_s:
            return await self._ask(prepared, generation)
        try:
            async with self._cache.only_one(self._key(prepared), prepared.deadline):
                if found := await self._cached(prepared, generation):
                    return found
                answer = await self._ask(prepared, generation)
                await self._keep(prepared, answer)
                return answer
        except DeadlineExceeded as error:
            raise no_answer([error]) from error

    async def _ask(self, prepared: Prepared, generation: Generation) -> Answer:
        errors: list[Exception] = []
        for name, last in self._route(prepared):
            try:
                reply, data = await prepared.release.caller.complete(
                    name, prepared, generation, last=last
                )
            except _PASSED_OVER as error:
                self._passed_over(name, error, prepared, generation, errors)
                continue
            generation.model, generation.route = reply.model, name
            return Answer(reply.text, data, reply.model, name, reply.finish == "handover")
        raise no_answer(errors, prepared.release.refused)

    async def _stream(
        self, prepared: Prepared, generation: Generation
    ) -> AsyncIterator[str | Answer]:
        errors: list[Exception] = []
        for name, last in self._route(prepared):
            shown: list[str] = []
            try:
                async for piece in prepared.release.caller.stream(
                    name, prepared, generation, last=last
                ):
                    if isinstance(piece, str):
                        shown.append(piece)
                        yield piece
                        continue
                    generation.model, generation.route = piece.model, name
                    handover = piece.finish == "handover"
                    answer = Answer("".join(shown), None, piece.model, name, handover)
                    await self._keep(prepared, answer)
                    yield answer
                    return
            except _PASSED_OVER as error:
                self._passed_over(name, error, prepared, generation, errors)
                if shown:
                    raise AppError(
                        502,
                        "The answer broke off",
                        "What was shown of it is not to be used. Ask again.",
                    ) from error
        raise no_answer(errors, prepared.release.refused)

    def _route(self, prepared: Prepared) -> Iterator[tuple[str, bool]]:
        names = prepared.release.caller.configured(prepared.spec.route)
        for position, name in enumerate(names, 1):
            yield name, position == len(names)

    def _passed_over(
        self,
        name: str,
        error: Exception,
        prepared: Prepared,
        generation: Generation,
        errors: list[Exception],
    ) -> None:
        errors.append(error)
        reason = type(error).__name__
        generation.fallbacks.append(f"{name}: {reason}")
        self.meter.failure(prepared.request_class, name, reason)
        # The message is ours, never the provider's: theirs may repeat what was sent.
        log.warning("model_passed_over", model=name, reason=reason, detail=str(error))

    def _key(self, prepared: Prepared) -> str:
        caller = prepared.release.caller
        names = caller.configured(prepared.spec.route)
        return prepared.cache_key(tuple(caller.models[name].name for name in names))

    async def _cached(self, prepared: Prepared, generation: Generation) -> Answer | None:
        if not prepared.spec.cache_ttl_s:
            return None
        with generation.stage("cache"):
            found = await self._cache.get(self._key(prepared))
        self.meter.cache(prepared.request_class, hit=bool(found))
        if not found:
            return None
        generation.cached = True
        generation.model, generation.route = found["model"], found["route"]
        return Answer(**found)

    async def _keep(self, prepared: Prepared, answer: Answer) -> None:
        if prepared.spec.cache_ttl_s:
            value = {name: getattr(answer, name) for name in Answer.__slots__}
            await self._cache.set(self._key(prepared), value, prepared.spec.cache_ttl_s)

    @contextmanager
    def _generation(self, request_class: str, principal: Principal) -> Iterator[Generation]:
        release = self.permit(self.choose(principal), principal, request_class)
        generation = Generation(request_class, principal.tenant, release)
        answered_by.set(generation.release.name)
        try:
            yield generation
        except BudgetExceeded:
            generation.outcome = "over_budget"
            raise
        except (GeneratorExit, asyncio.CancelledError):
            generation.outcome = "left"
            raise
        finally:
            self.meter.record(generation)
