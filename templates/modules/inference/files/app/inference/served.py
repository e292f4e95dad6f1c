"""The model that a server answers with, once it is loaded and warm."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from app.ai.classifier import Classifier, Prediction
from app.core.metrics import Metrics
from app.core.problems import AppError

_WARMING = ("my card has not arrived", "", "a text about something else, and a longer one at that")


class Served:
    """`model` is None until it has answered; `reason` says why."""

    def __init__(self, metrics: Metrics) -> None:
        self.model: Classifier | None = None
        self.reason = "the model is being loaded"
        self._predictions = metrics.counter(
            "inference_predictions_total", "Texts classified", ("outcome",)
        )

    def warm(self, load: Callable[[], Classifier]) -> None:
        """Load the model and let it answer, so that no caller pays for the first time."""
        model = load()
        for text in _WARMING:
            model.predict(text)
        self.model = model

    def predict(self, model: Classifier, text: str) -> Prediction:
        prediction = model.predict(text)
        self._predictions.labels("unsure" if prediction.escalate else "sure").inc()
        return prediction


def _model(request: Request) -> Classifier:
    served: Served = request.app.state.served
    if served.model is None:
        raise AppError(503, "The model is not ready", served.reason, headers={"Retry-After": "1"})
    return served.model


ModelDep = Annotated[Classifier, Depends(_model)]
