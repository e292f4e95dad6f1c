"""models.yaml: which models there are, and which of them answers which class of request."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.ai.openai_model import TokenLimit
from app.core import yaml
from app.core.problems import ConfigurationError


class ModelsFileError(ConfigurationError):
    """models.yaml is missing or wrong. Says where, and what is expected."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Part):
    """US dollars per million tokens."""

    input: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.input + tokens_out * self.output) / 1_000_000


class ClassifierSpec(_Part):
    """The small model, trained in this repository."""

    kind: Literal["classifier"]
    price: Price = Price()


class ExtractiveSpec(_Part):
    """The writer that quotes help articles."""

    kind: Literal["extractive"]
    price: Price = Price()


class OpenAISpec(_Part):
    """An OpenAI-compatible endpoint. Without url and name, routes skip it."""

    kind: Literal["openai"]
    url: str = ""
    name: str = ""
    price: Price = Field(default=Price(), alias="price_per_million_usd")
    token_limit: TokenLimit = "max_tokens"  # noqa: S105  no password

    @property
    def configured(self) -> bool:
        return bool(self.url and self.name)


ModelSpec = Annotated[ClassifierSpec | ExtractiveSpec | OpenAISpec, Field(discriminator="kind")]


class DailyBudgetSpec(_Part):
    """Per tenant and UTC day, over all models that are called over the network."""

    tokens: int = Field(default=2_000_000, ge=0)
    cost_usd: float = Field(default=5.0, ge=0)


class RequestClass(_Part):
    """How one kind of request is answered: the models of `route`, tried in order."""

    route: tuple[str, ...] = Field(min_length=1)
    prompt: str = ""
    max_tokens_in: int = Field(default=4_000, ge=1)
    max_tokens_out: int = Field(default=600, ge=1)
    temperature: float | None = 0.0
    seed: int | None = 0
    deadline_s: float = Field(default=20.0, gt=0)
    attempts: int = Field(default=2, ge=1, le=5, description="calls of one model; 1: never retried")
    cache_ttl_s: int = Field(default=0, ge=0, description="0: answers are not cached")
    retrieve: int = Field(default=0, ge=0, description="how many articles go into `passages`")


class ModelsFile(_Part):
    models: dict[str, ModelSpec]
    daily_budget: DailyBudgetSpec = DailyBudgetSpec()
    request_classes: dict[str, RequestClass] = {}

    @model_validator(mode="after")
    def _routes_exist(self) -> Self:
        for name, request_class in self.request_classes.items():
            if unknown := [model for model in request_class.route if model not in self.models]:
                raise ValueError(
                    f"the route of {name} names {unknown[0]!r}; models has {', '.join(self.models)}"
                )
        return self

    def request_class(self, name: str) -> RequestClass:
        if name not in self.request_classes:
            there = ", ".join(self.request_classes) or "none"
            raise ModelsFileError(f"no request class {name!r} in models.yaml; there are: {there}")
        return self.request_classes[name]


def load(path: Path) -> ModelsFile:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ModelsFile.model_validate(content)
    except OSError as error:
        raise ModelsFileError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ModelsFileError(f"{path} is no valid YAML: {error}") from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise ModelsFileError(f"{path} is wrong. {'; '.join(lines)}") from error
