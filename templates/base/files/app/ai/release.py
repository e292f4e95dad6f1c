"""What answers a request: which models, asked with which prompts, and from which doubt on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.ai.classifier import Prediction
from app.ai.prompts import PromptSet
from app.ai.router import ModelsFile, RequestClass
from app.core.principal import Principal

if TYPE_CHECKING:
    from app.ai.calls import Caller


@dataclass(frozen=True, slots=True)
class Release:
    """A models file and a set of prompts that were judged together.

    `threshold`: below it the small model is not sure; None leaves that to its training.
    `escalates`: what it is not sure of goes on to the large model. `remote`: models that are called
    over a network may answer; without them the rest of each route does. `refused` are models that
    may not see what this request is about.
    """

    name: str
    config: ModelsFile
    prompts: PromptSet
    caller: "Caller"
    threshold: float | None = None
    escalates: bool = True
    remote: bool = True
    refused: frozenset[str] = frozenset()

    def request_class(self, name: str) -> RequestClass:
        """Raises ModelsFileError when there is none of that name."""
        spec = self.config.request_class(name)
        if self.remote and not self.refused:
            return spec
        route = tuple(model for model in spec.route if self._may_answer(model))
        return spec.model_copy(update={"route": route})

    def _may_answer(self, model: str) -> bool:
        is_near = self.remote or self.config.models[model].kind != "openai"
        return is_near and model not in self.refused

    def is_unsure(self, guess: Prediction) -> bool:
        if self.threshold is None:
            return guess.escalate
        return guess.confidence < self.threshold


# Says which release answers whom. Called for each request: it must be quick, and must not fail.
Choose = Callable[[Principal], Release]

# Says what of a release may answer this caller's request of a class, by `refused`. The same holds.
Permit = Callable[[Release, Principal, str], Release]
