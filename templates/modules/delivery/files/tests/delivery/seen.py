"""Recorded metrics for tests: a minute in each observation."""

from collections.abc import Iterable
from pathlib import Path

from app.core.slo import Flow, Objectives
from app.delivery.observation import Observation, Seen
from app.delivery.rollout import Rollout, load

SHIPPED = Path("rollout.yaml").resolve()
OBJECTIVES = Objectives(
    availability=0.99,
    requests_per_second=30,
    answer_cost_usd=0.01,
    answer_tokens_out=400,
    flows=[Flow(name="draft", p95_ms=2000, error_rate=0.01)],
)


def rollout() -> Rollout:
    return load(SHIPPED)


def minute(
    number: float,
    *,
    requests: int = 40,
    errors: int = 0,
    slow: int = 0,
    seconds: float = 0.5,
    baseline: int = 400,
    **more,
) -> Observation:
    """What one minute brought: the candidate as described, the baseline always good at 0.5 s."""
    flows = (
        Seen(
            flow="draft",
            release="current",
            requests=requests,
            errors=errors,
            slow=slow,
            seconds={seconds: requests},
        ),
        Seen(flow="draft", release="previous", requests=baseline, seconds={0.5: baseline}),
    )
    return Observation(at=number * 60, flows=flows, **more)


def write(path: Path, looks: Iterable[Observation]) -> Path:
    path.write_text("".join(look.model_dump_json() + "\n" for look in looks))
    return path
