"""What goes over the wire of POST /classify."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# The model reads the first two thousand characters of a text.
Text = Annotated[str, Field(max_length=20_000)]


class One(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Text


class Many(BaseModel):
    model_config = ConfigDict(extra="forbid")

    texts: list[Text] = Field(min_length=1, max_length=256)


class Predicted(BaseModel):
    """`confidence` is calibrated, 0 to 1; `escalate` says that it is too low to act on."""

    label: str
    confidence: float
    escalate: bool


class Answer(Predicted):
    """`model` is the SHA-256 of the model file."""

    model: str


class Answers(BaseModel):
    model: str
    predictions: list[Predicted]
