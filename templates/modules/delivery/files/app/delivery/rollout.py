"""rollout.yaml: how a change reaches people, read once and strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.core import yaml
from app.core.problems import ConfigurationError

Kind = Literal["application", "model", "prompt"]
Percent = Annotated[int, Field(ge=0, le=100)]
Region = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """So many percent of the traffic for so many minutes; with `each_region` one by one."""

    percent: Annotated[int, Field(ge=1, le=100)]
    minutes: float = Field(ge=0, le=10_080)
    each_region: bool = False


class Canary(_Part):
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _goes_up_to_everybody(self) -> Self:
        percents = [step.percent for step in self.steps]
        if percents != sorted(percents):
            raise ValueError("a step gives less than the one before")
        if percents[-1] != 100 or self.steps[-1].each_region:
            raise ValueError("the last step must be {percent: 100} in every region")
        return self


class Abort(_Part):
    """Which objective ends a rollout when it is broken; `burn` times faster for a budget."""

    objective: Literal["error_rate", "p95_ms", "availability", "outcomes"]
    burn: float = Field(default=1, ge=1)


class FewestRequests(_Part):
    to_abort: int = Field(ge=1)
    to_promote: int = Field(ge=1)


class Pause(_Part):
    p95_moves_percent: float = Field(gt=0)
    metrics_older_than_s: float = Field(gt=0)


class Shadow(_Part):
    percent: Percent
    daily_copies: int = Field(ge=0)


class BlueGreen(_Part):
    watch_minutes: float = Field(ge=0)
    keep_old_minutes: float = Field(ge=0)


@dataclass(frozen=True, slots=True)
class Stage:
    """A step as it is walked: the candidate's percentage in each region."""

    percent: Mapping[str, int]
    minutes: float

    def __str__(self) -> str:
        if len(set(self.percent.values())) == 1:
            return f"{next(iter(self.percent.values()))} %"
        return ", ".join(f"{region} {percent} %" for region, percent in self.percent.items())


class Rollout(_Part):
    """The whole of rollout.yaml."""

    regions: tuple[Region, ...] = Field(min_length=1)
    canary: dict[Kind, Canary]
    fewest_requests: FewestRequests
    abort: tuple[Abort, ...] = Field(min_length=1)
    pause: Pause
    shadow: Shadow
    blue_green: BlueGreen

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(set(self.regions)) < len(self.regions):
            raise ValueError("a region stands twice in `regions`")
        if missing := {"application", "model", "prompt"} - self.canary.keys():
            raise ValueError(f"canary: nothing is said about {', '.join(sorted(missing))}")
        return self

    def stages(self, kind: Kind) -> tuple[Stage, ...]:
        """The steps of a canary one by one: a step for each region is as many stages."""
        percent = dict.fromkeys(self.regions, 0)
        found: list[Stage] = []
        for step in self.canary[kind].steps:
            if step.each_region:
                for region in self.regions:
                    percent = percent | {region: step.percent}
                    found.append(Stage(percent, step.minutes))
            else:
                percent = dict.fromkeys(self.regions, step.percent)
                found.append(Stage(percent, step.minutes))
        return tuple(found)


def load(path: Path) -> Rollout:
    """Raises ConfigurationError saying what is wrong, and where."""
    try:
        return Rollout.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}. ROLLOUT_FILE names it"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'it'}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        )
        raise ConfigurationError(f"{path}: {wrong}") from None
