"""rollout.yaml is read strictly, and walked as it says."""

from pathlib import Path

import pytest

from app.core.problems import ConfigurationError
from app.delivery.rollout import load

SHIPPED = Path("rollout.yaml")


def test_a_step_for_each_region_is_as_many_stages(tmp_path: Path) -> None:
    path = tmp_path / "rollout.yaml"
    path.write_text(SHIPPED.read_text().replace("regions: [main]", "regions: [eu, us]"))
    percents = [stage.percent for stage in load(path).stages("application")]
    assert percents[:4] == [
        {"eu": 1, "us": 1},
        {"eu": 10, "us": 1},
        {"eu": 10, "us": 10},
        {"eu": 10, "us": 10},
    ]
    assert percents[-1] == {"eu": 100, "us": 100}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{percent: 100, minutes: 0}", "{percent: 90, minutes: 0}", "the last step must be"),
        ("{percent: 1, minutes: 30}", "{percent: 60, minutes: 30}", "less than the one before"),
        ("regions: [main]", "regions: [eu, eu]", "stands twice"),
        ("  prompt: *answers\n", "", "nothing is said about prompt"),
        ("objective: error_rate", "objective: beauty", "abort.0.objective"),
        ("percent: 5\n", "percent: 5\n  kindness: 3\n", "shadow.kindness"),
        ("regions: [main]", "regions: [", "is not YAML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    text = SHIPPED.read_text()
    assert before in text
    path = tmp_path / "rollout.yaml"
    path.write_text(text.replace(before, after))
    with pytest.raises(ConfigurationError, match=said):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ROLLOUT_FILE names it"):
        load(tmp_path / "none.yaml")
