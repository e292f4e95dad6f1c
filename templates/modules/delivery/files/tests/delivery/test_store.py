"""A rollout is walked through flag and audit, and stays whole when somebody interferes or dies."""

from typing import Any

import pytest
from sqlalchemy import select

from app.audit.models import AuditEntry
from app.core.problems import ConfigurationError
from app.delivery.models import RolloutRow
from app.delivery.store import Rollouts
from app.flags.changes import change
from app.flags.document import pinned, shares
from tests.delivery.conftest import ADA
from tests.flags.conftest import FlagFile

pytestmark = pytest.mark.anyio


def given(file: FlagFile) -> dict[str, int]:
    return shares(file.read()["flags"]["release"])


def pinned_to(file: FlagFile) -> str | None:
    definition = file.read()["flags"]["release"]
    return None if definition.get("targeting") else definition["defaultVariant"]


async def started(rollouts: Rollouts) -> RolloutRow:
    return await rollouts.start("model", "current", "previous", ADA, "cheaper")


async def step(rollouts: Rollouts, row: RolloutRow) -> RolloutRow:
    return await rollouts.act(row, "promote", ADA, "", state="going", stage=row.stage + 1)


async def audited(rollouts: Rollouts) -> list[tuple[str, str]]:
    async with rollouts.database.reader() as session:
        found = await session.scalars(select(AuditEntry).order_by(AuditEntry.seq))
        return [(entry.actor, entry.action) for entry in found]


async def test_steps_are_shares_and_every_one_is_audited(
    rollouts: Rollouts, two_releases: FlagFile
) -> None:
    row = await started(rollouts)
    assert given(two_releases) == {"current": 5, "previous": 95}
    row = await step(rollouts, row)
    assert given(two_releases) == {"current": 10, "previous": 90}
    await rollouts.act(row, "finish", ADA, "", state="promoted")
    assert pinned_to(two_releases) == "current"
    assert await audited(rollouts) == [
        ("ada", "rollout.start"),
        ("rollout", "flag.change"),
        ("ada", "rollout.promote"),
        ("rollout", "flag.change"),
        ("ada", "rollout.finish"),
        ("rollout", "flag.change"),
    ]


async def test_taken_back_is_pinned_to_the_baseline(
    rollouts: Rollouts, two_releases: FlagFile
) -> None:
    row = await rollouts.take_back(await started(rollouts), ADA, "worse")
    assert row.state == "rolled_back"
    assert row.reason == "worse"
    assert pinned_to(two_releases) == "previous"


async def test_whoever_takes_over_after_a_crash_makes_the_flag_so(
    rollouts: Rollouts, two_releases: FlagFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await started(rollouts)

    async def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Rollouts, "apply", die)
        with pytest.raises(KeyboardInterrupt):
            await rollouts.take_back(row, ADA, "worse")
    assert given(two_releases) == {"current": 5, "previous": 95}
    left = await rollouts.newest()
    assert left is not None
    assert left.state == "taking_back"
    assert not await rollouts.was_changed_by_others(left)
    await rollouts.take_back(left, ADA, left.reason)
    assert pinned_to(two_releases) == "previous"


async def test_of_two_who_move_it_one_is_told(rollouts: Rollouts) -> None:
    row = await started(rollouts)
    await step(rollouts, row)
    with pytest.raises(ConfigurationError, match="somebody else"):
        await step(rollouts, row)


async def test_a_flag_that_a_person_changed_is_noticed(
    rollouts: Rollouts, two_releases: FlagFile
) -> None:
    row = await started(rollouts)
    assert not await rollouts.was_changed_by_others(row)
    before = two_releases.read()["flags"]["release"]
    two_releases.alter("release", defaultVariant="current")
    assert await rollouts.was_changed_by_others(row), "by an editor"
    two_releases.alter("release", **before)
    assert not await rollouts.was_changed_by_others(row)
    await change(
        rollouts.database,
        two_releases.path,
        "release",
        lambda definition: pinned(definition, "previous"),
        principal=ADA,
        reason="",
    )
    assert await rollouts.was_changed_by_others(row), "by command or button"


@pytest.mark.parametrize(
    ("kind", "candidate", "said"),
    [
        ("application", "current", "is no flag"),
        ("model", "unheard", "no release 'unheard'"),
        ("model", "previous", "are the same"),
    ],
)
async def test_what_cannot_be_rolled_out_is_refused(
    rollouts: Rollouts, two_releases: FlagFile, kind: Any, candidate: str, said: str
) -> None:
    before = two_releases.read()
    with pytest.raises(ConfigurationError, match=said):
        await rollouts.start(kind, candidate, "previous", ADA, "")
    assert two_releases.read() == before
    assert await rollouts.newest() is None


async def test_one_at_a_time(rollouts: Rollouts) -> None:
    await started(rollouts)
    with pytest.raises(ConfigurationError, match="a rollout is open"):
        await started(rollouts)
