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
    over a network may answer; without them the rest of each route does.
    """

    name: str
    config: ModelsFile
    prompts: PromptSet
    caller: "Caller"
    threshold: float | None = None
    escalates: bool = True
    remote: bool = True

    def request_class(self, name: str) -> RequestClass:
        """Raises ModelsFileError when there is none of that name."""
        spec = self.config.request_class(name)
        if self.remote:
            return spec
        route = tuple(model for model in spec.route if self.config.models[model].kind != "openai")
        return spec.model_copy(update={"route": route})

    def is_unsure(self, guess: Prediction) -> bool:
        if self.threshold is None:
            return guess.escalate
        return guess.confidence < self.threshold


# Says which release answers whom. Called for each request: it must be quick, and must not fail.
Choose = Callable[[Principal], Release]
