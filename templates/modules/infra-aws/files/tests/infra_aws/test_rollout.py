"""A new version on AWS: which images run and what share each gets, when all is well or not."""

from dataclasses import replace

import click
import pytest

from infra.aws.cloud import RolloutError
from infra.aws.rollout import roll_back, roll_out, start
from infra.aws.stack import Deployed, Images, Step

OLD, NEW = "app@sha256:old", "app@sha256:new"
STEPS = [Step(1, 30), Step(50, 10), Step(100, 0)]


class Stack:
    """Remembers what was applied."""

    def __init__(self, images: Images | None) -> None:
        self.history: list[tuple[Images, bool]] = []
        self._images = images

    def apply(self, images: Images, *, paused: bool = False, refresh: bool = True) -> None:
        self.history.append((images, paused))
        self._images = images

    def deployed(self) -> Deployed | None:
        if self._images is None:
            return None
        return Deployed(
            images=self._images,
            cluster="app",
            services={},
            alarms=[],
            migration="migrate",
            subnets=[],
            group="group",
            log_group="logs",
            url="https://app.example.com",
            token="app/access-token",
        )

    def seen(self) -> list[tuple[str, str, int | None]]:
        return [(images.stable, images.candidate, images.weight) for images, _ in self.history]


class Cloud:
    """Fails at what it is told to; otherwise everything is well."""

    def __init__(self, bad: str = "") -> None:
        self.bad = bad
        self.done: list[str] = []

    def migrate(self, deployed: Deployed) -> None:
        self._do("migrate", deployed)

    def wait_until_well(self, deployed: Deployed) -> None:
        self._do("well", deployed)

    def watch(self, deployed: Deployed, minutes: float) -> None:
        self._do("watch", deployed)

    def tell(self, deployed: Deployed, image: str) -> None:
        self.done.append(f"tell {image}")

    def _do(self, what: str, deployed: Deployed) -> None:
        step = f"{what} {deployed.images.weight}"
        self.done.append(step)
        if step == self.bad:
            raise RolloutError(step)


def test_a_good_version_reaches_everybody_step_by_step() -> None:
    stack, cloud = Stack(Images(OLD, OLD)), Cloud()
    roll_out(stack, cloud, NEW, STEPS)
    assert stack.seen() == [
        (OLD, NEW, None),
        (OLD, NEW, 0),
        (OLD, NEW, 1),
        (OLD, NEW, 50),
        (OLD, NEW, 100),
        (NEW, NEW, 100),
        (NEW, NEW, 0),
        (NEW, NEW, None),
    ]
    assert stack.history[-1][0].previous == OLD
    assert cloud.done == ["migrate None", "well 0", "watch 1", "watch 50", "watch 100", "well 100"]


@pytest.mark.parametrize("bad", ["well 0", "watch 1", "watch 50", "well 100"])
def test_a_bad_version_is_taken_back_and_the_application_told(bad: str) -> None:
    stack, cloud = Stack(Images(OLD, OLD, previous="older")), Cloud(bad)
    with pytest.raises(RolloutError, match=bad):
        roll_out(stack, cloud, NEW, STEPS)
    # First nobody is sent to it any more, then it goes.
    assert stack.seen()[-2:] == [(OLD, NEW, 0), (OLD, OLD, None)]
    assert stack.history[-1][0].previous == "older"
    assert cloud.done[-1] == f"tell {NEW}"


def test_no_task_of_a_version_starts_whose_migration_failed() -> None:
    stack = Stack(Images(OLD, OLD))
    with pytest.raises(RolloutError):
        roll_out(stack, Cloud("migrate None"), NEW, STEPS)
    assert stack.seen() == [(OLD, NEW, None), (OLD, OLD, None)]


def test_whatever_goes_wrong_it_goes_back() -> None:
    class Broken(Stack):
        def apply(self, images: Images, *, paused: bool = False, refresh: bool = True) -> None:
            if images.weight == 50:
                raise OSError("no space left")
            super().apply(images)

    stack = Broken(Images(OLD, OLD))
    with pytest.raises(OSError, match="no space left"):
        roll_out(stack, Cloud(), NEW, STEPS)
    assert stack.seen()[-1] == (OLD, OLD, None)


def test_the_version_before_takes_over_at_once() -> None:
    stack, cloud = Stack(Images(NEW, NEW, previous=OLD)), Cloud()
    roll_back(stack, cloud)
    assert [weight for _, _, weight in stack.seen()] == [0, 100, 100, 0, None]
    assert stack.seen()[-1] == (OLD, OLD, None)
    assert not any(step.startswith("migrate") for step in cloud.done)
    assert cloud.done[-1] == f"tell {NEW}"
    roll_back(stack, cloud)
    assert stack.seen()[-1] == (NEW, NEW, None)


def test_a_rollout_that_nobody_ended_is_ended() -> None:
    stack, cloud = Stack(Images(OLD, NEW, weight=50, previous="older")), Cloud()
    roll_back(stack, cloud)
    assert stack.seen() == [(OLD, NEW, 0), (OLD, OLD, None)]
    assert cloud.done == [f"tell {NEW}"]


def test_there_is_no_way_back_from_the_first_version() -> None:
    with pytest.raises(click.ClickException, match="nothing ran before"):
        roll_back(Stack(Images(OLD, OLD)), Cloud())


def test_an_interruption_goes_back_too(capsys: pytest.CaptureFixture[str]) -> None:
    stack, cloud = Stack(Images(OLD, OLD)), Cloud()

    def interrupted(deployed: Deployed, minutes: float) -> None:
        raise KeyboardInterrupt

    cloud.watch = interrupted  # pyrefly: ignore[bad-assignment]
    with pytest.raises(KeyboardInterrupt):
        roll_out(stack, cloud, NEW, STEPS)
    assert stack.seen()[-1] == (OLD, OLD, None)
    assert "going back: interrupted" in capsys.readouterr().err


def test_the_version_that_runs_is_left_alone() -> None:
    stack = Stack(Images(NEW, NEW))
    roll_out(stack, Cloud(), NEW, STEPS)
    assert stack.history == []


def test_an_unfinished_rollout_of_the_same_version_is_finished() -> None:
    stack = Stack(replace(Images(OLD, NEW), weight=50))
    roll_out(stack, Cloud(), NEW, STEPS)
    assert stack.seen()[-1] == (NEW, NEW, None)


def test_the_first_version_waits_for_its_database() -> None:
    stack, cloud = Stack(None), Cloud()
    start(stack, cloud, NEW)
    assert stack.history == [(Images(NEW, NEW), True), (Images(NEW, NEW), False)]
    assert cloud.done == ["migrate None", "well None"]
