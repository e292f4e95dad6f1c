"""What the stacks on Google Cloud take from the rest of the repository."""

from pathlib import Path

import pytest

from app.delivery.rendering import ecs
from app.delivery.rollout import load

ROOT = Path(__file__).parents[2]


@pytest.mark.contract
def test_the_weights_are_those_of_the_rollout() -> None:
    rollout = load(ROOT / "rollout.yaml")
    for name, text in ecs(rollout, "application", rollout.regions[0]).items():
        assert (ROOT / "infra/gcp" / name).read_text() == text, "run `just gcp-render`"


def test_no_variable_file_holds_a_secret() -> None:
    for path in (ROOT / "infra/gcp").glob("*.tfvars"):
        assert not {"database_password", "access_token"} & set(path.read_text().split()), path
