"""From variables to a request that may be sent: masked, grounded, compiled, within budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.ai import pii, safety
from app.ai.budget import BudgetExceeded, estimate_tokens
from app.ai.cache import cache_key
from app.ai.meter import Generation
from app.ai.model import Message, ModelRequest
from app.ai.prompts import Prompt
from app.ai.release import Release
from app.ai.retrieval import KnowledgeBase, Passage
from app.ai.router import RequestClass
from app.core.principal import Principal
from app.core.resilience import Deadline


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request with all personal data in `vault` and nowhere else."""

    request_class: str
    release: Release
    spec: RequestClass
    principal: Principal
    deadline: Deadline
    prompt: Prompt
    schema: Mapping[str, Any] | None
    messages: tuple[Message, ...]
    variables: Mapping[str, object]
    vault: pii.Vault
    passages: tuple[Passage, ...]
    rules: safety.OutputRules
    findings: tuple[safety.Finding, ...]
    tokens_in: int  # estimated

    def request(self, model: str) -> ModelRequest:
        return ModelRequest(
            model=model,
            messages=self.messages,
            max_tokens=self.spec.max_tokens_out,
            temperature=self.spec.temperature,
            seed=self.spec.seed,
            schema=self.schema,
            variables=self.variables,
        )

    def cache_key(self, models: tuple[str, ...]) -> str:
        return cache_key(
            tenant=self.principal.tenant,
            request_class=self.request_class,
            models=models,
            prompt_sha256=self.prompt.sha256,
            parameters={
                "max_tokens": self.spec.max_tokens_out,
                "temperature": self.spec.temperature,
                "seed": self.spec.seed,
                "schema": self.schema,
            },
            variables=self.variables,
        )


def prepare(
    request_class: str,
    variables: Mapping[str, object],
    *,
    principal: Principal,
    deadline: Deadline | None,
    knowledge: KnowledgeBase,
    generation: Generation,
    labels: Sequence[str] = (),
) -> Prepared:
    """Raises PromptError for wrong variables, BudgetExceeded when the request is too long."""
    release = generation.release
    spec = release.request_class(request_class)
    prompt = release.prompts[spec.prompt]
    masked, vault = _mask(variables, prompt.untrusted)
    findings = tuple(
        finding
        for name in sorted(prompt.untrusted & set(masked))
        for text in _texts(masked[name])
        for finding in safety.check_input(text)
    )
    passages: tuple[Passage, ...] = ()
    if spec.retrieve:
        with generation.stage("retrieve"):
            passages = _retrieve(knowledge, masked, spec.retrieve)
        masked["passages"] = [
            {
                "number": number,
                "title": found.title,
                "text": found.text,
                "relevance": found.relevance,
            }
            for number, found in enumerate(passages, 1)
        ]
    messages = prompt.compile(masked)
    tokens_in = estimate_tokens(*messages)
    if tokens_in > spec.max_tokens_in:
        raise BudgetExceeded(
            413,
            f"The request is about {tokens_in} tokens long; {request_class} takes "
            f"{spec.max_tokens_in}.",
            "Shorten the text, or send its parts one by one.",
        )
    generation.asked = masked
    generation.prompt, generation.prompt_hash = prompt.name, prompt.sha256
    generation.temperature = spec.temperature
    trusted = [
        text for name in masked if name not in prompt.untrusted for text in _texts(masked[name])
    ]
    return Prepared(
        request_class=request_class,
        release=release,
        spec=spec,
        principal=principal,
        deadline=(deadline or Deadline.after(spec.deadline_s)).at_most(spec.deadline_s),
        prompt=prompt,
        schema=_with_labels(prompt.output, labels) if labels else prompt.output,
        messages=messages,
        variables=masked,
        vault=vault,
        passages=passages,
        rules=safety.OutputRules(
            canary=prompt.canary,
            confidential=prompt.confidential,
            vault=vault,
            sources=tuple(trusted),
            citations=len(passages) if spec.retrieve else None,
        ),
        findings=findings,
        tokens_in=tokens_in,
    )


def without_placeholders(masked: str) -> str:
    """For models that look at words only: a placeholder is not one."""
    return pii.PLACEHOLDER.sub(" ", masked)


def _mask(
    variables: Mapping[str, object], untrusted: frozenset[str]
) -> tuple[dict[str, object], pii.Vault]:
    """Mask strings and lists of strings among the untrusted variables, all into one vault."""
    texts = {
        f"{name}\0{position}": text
        for name in untrusted & set(variables)
        for position, text in enumerate(_texts(variables[name]))
    }
    masked, vault = pii.mask_all(texts)
    result = dict(variables)
    for name in untrusted & set(variables):
        if isinstance(variables[name], str):
            result[name] = masked[f"{name}\0{0}"]
        elif isinstance(variables[name], list | tuple):
            count = len(_texts(variables[name]))
            result[name] = [masked[f"{name}\0{position}"] for position in range(count)]
    return result, vault


def _texts(value: object) -> list[str]:
    """All strings in a variable, in order."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return []


def _retrieve(
    knowledge: KnowledgeBase, variables: Mapping[str, object], k: int
) -> tuple[Passage, ...]:
    text, intent = variables.get("text"), variables.get("intent")
    query = without_placeholders(text) if isinstance(text, str) else ""
    return tuple(knowledge.search(query, k, intent if isinstance(intent, str) else None))


def _with_labels(schema: Mapping[str, Any] | None, labels: Sequence[str]) -> Mapping[str, Any]:
    """Let `label` be one of `labels`, so that a model can be held to them while it writes."""
    schema = dict(schema or {"type": "object"})
    properties = dict(schema.get("properties", {}))
    properties["label"] = {**properties.get("label", {}), "enum": list(labels)}
    return {**schema, "properties": properties}
