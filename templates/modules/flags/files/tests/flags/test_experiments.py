"""Experiments: who saw what, counted once, and what may be said of it."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import Select, func, literal, select, union_all

from app.cli import main
from app.core.db import Database, UtcDateTime, utcnow
from app.core.metrics import Metrics
from app.core.outcomes import Outcome
from app.core.principal import Principal
from app.core.problems import ConfigurationError
from app.flags import experiments
from app.flags.catalogue import RELEASE
from app.flags.document import pinned, read, split
from app.flags.experiments import report
from app.flags.exposures import Exposures
from app.flags.flags import Flags
from app.flags.intervals import Interval, difference, mismatch, share
from app.flags.models import FlagExposure
from app.flags.settings import FlagsSettings
from app.settings import Settings
from tests.flags.conftest import PEOPLE, FlagFile

pytestmark = pytest.mark.anyio


@pytest.fixture
def exposures(database: Database) -> Exposures:
    return Exposures(database)


@pytest.fixture
def flags(flags_file: FlagFile, metrics: Metrics, exposures: Exposures) -> Flags:
    return Flags(FlagsSettings(file=flags_file.path, look_every_s=0), metrics, exposures.note)


def begin(file: FlagFile, name: str | None = "drafts-2") -> None:
    file.alter("release", **split(file.read()["flags"]["release"], {"previous": 50}, name))


def came(outcomes: dict[str, str], after: timedelta = timedelta(0)) -> Outcome:
    """An outcome for each of these subjects of north."""
    rows = [
        select(
            literal("north").label("tenant_id"),
            literal(subject).label("subject"),
            literal(outcome).label("outcome"),
            literal(utcnow() + after, UtcDateTime()).label("at"),
        )
        for subject, outcome in outcomes.items()
    ]
    everything = union_all(*rows).subquery()
    query: Select = select(everything)
    return Outcome(query, good=frozenset({"accept"}))


def measure(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    monkeypatch.setattr(experiments, "outcomes", lambda: {"kept": outcome})


def test_intervals_are_the_published_ones() -> None:
    # Wilson and Newcombe's method 10, from Newcombe (1998), Statistics in Medicine 17, 857 and 873.
    rare = share(81, 263)
    assert (rare.value, rare.low, rare.high) == (
        pytest.approx(0.3080, abs=5e-5),
        pytest.approx(0.2553, abs=5e-5),
        pytest.approx(0.3662, abs=5e-5),
    )
    found = difference(share(56, 70), share(48, 80))
    assert (found.value, found.low, found.high) == (
        pytest.approx(0.2, abs=5e-5),
        pytest.approx(0.0524, abs=5e-5),
        pytest.approx(0.3339, abs=5e-5),
    )
    assert share(0, 10).low == 0.0
    assert share(0, 10).high == pytest.approx(0.2775, abs=5e-5)
    assert share(0, 0) == Interval(0.0, 0.0, 1.0)


def test_a_split_that_is_not_as_meant_is_seen() -> None:
    even = {"a": 50, "b": 50}
    assert mismatch({"a": 500, "b": 500}, even) == pytest.approx(1.0)
    # The p values are scipy's, with one, two and three degrees of freedom.
    assert mismatch({"a": 531, "b": 469}, even) == pytest.approx(0.0499242840)
    thirds = {"a": 1, "b": 1, "c": 1}
    assert mismatch({"a": 1055, "b": 1000, "c": 945}, thirds) == pytest.approx(0.0485578213)
    fourths = {**thirds, "d": 1}
    assert mismatch({"a": 1060, "b": 1010, "c": 990, "d": 940}, fourths) == pytest.approx(
        0.0601843239
    )
    assert mismatch({"a": 700, "b": 300}, even) < 0.001
    assert mismatch({"a": 100, "gone": 1}, even) == 0.0


async def test_exposures_are_stored_once(
    flags: Flags, flags_file: FlagFile, exposures: Exposures, database: Database
) -> None:
    flags.resolve(RELEASE, PEOPLE[0])
    await exposures.flush()
    begin(flags_file)
    ended = []
    for _ in range(2):
        for person in PEOPLE[:100]:
            flags.resolve(RELEASE, person)
        await exposures.flush()
        ended.append(utcnow())
    async with database.reader() as session:
        rows = list(await session.scalars(select(FlagExposure)))
    assert len(rows) == 100, "each once, and nobody before the experiment began"
    assert {(row.experiment, row.flag, row.tenant_id) for row in rows} == {
        ("drafts-2", "release", "north")
    }
    assert {row.variant for row in rows} == {"current", "previous"}
    assert all(row.first_at < ended[0] for row in rows), "the first time counts"


async def test_exposures_wait_for_a_database_that_is_away(
    flags: Flags, flags_file: FlagFile, exposures: Exposures, database: Database
) -> None:
    begin(flags_file)
    flags.resolve(RELEASE, PEOPLE[0])
    working, exposures._database = exposures._database, Database("sqlite+aiosqlite:///:memory:")
    await exposures.flush()
    await exposures._database.close()
    exposures._database = working
    async with exposures.running():
        pass
    async with database.reader() as session:
        assert await session.scalar(select(func.count()).select_from(FlagExposure)) == 1


async def test_a_report_compares_what_came_of_it(
    flags: Flags,
    flags_file: FlagFile,
    exposures: Exposures,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin(flags_file)
    outcomes: dict[str, str] = {}
    for number, person in enumerate(PEOPLE[:600]):
        variant = flags.resolve(RELEASE, person).variant
        good = number % 10 < (8 if variant == "current" else 5)
        if number % 6:
            outcomes[person.subject] = "accept" if good else "reject"
    await exposures.flush()
    # Two subjects saw both; they say nothing about either.
    for person in PEOPLE[:2]:
        for variant in ("current", "previous"):
            exposures.note("drafts-2", "release", variant, person)
    await exposures.flush()
    measure(monkeypatch, came(outcomes))
    document = read(flags_file.path)
    async with database.reader() as session:
        found = await report(session, document, "drafts-2", "kept", control="previous")
        with pytest.raises(ConfigurationError, match="no outcome 'gone'; there are: kept"):
            await report(session, document, "drafts-2", "gone")
        with pytest.raises(ConfigurationError, match="there are: drafts-2"):
            await report(session, document, "gone", "kept")
    control, treated = found.results
    assert (control.variant, treated.variant, found.left_out) == ("previous", "current", 2)
    assert control.exposed + treated.exposed == 598
    assert control.decided + treated.decided == len(outcomes) - 1  # one of the two had decided
    assert treated.by_outcome["accept"] / treated.decided == treated.rate.value
    assert treated.rate.value == pytest.approx(0.8, abs=0.05)
    assert treated.verdict == "better"
    assert treated.against_control is not None
    assert 0 < treated.against_control.low < 0.3 < treated.against_control.high
    assert not found.is_mismatched


async def test_an_outcome_from_before_the_exposure_does_not_count(
    flags: Flags,
    flags_file: FlagFile,
    exposures: Exposures,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin(flags_file)
    variant = flags.resolve(RELEASE, PEOPLE[0]).variant
    await exposures.flush()
    measure(monkeypatch, came({PEOPLE[0].subject: "accept"}, after=-timedelta(hours=1)))
    async with database.reader() as session:
        found = await report(session, read(flags_file.path), "drafts-2", "kept", variant)
    assert (found.results[0].exposed, found.results[0].decided) == (1, 0)


async def test_the_command_reports_an_experiment_that_is_over(
    flags: Flags,
    flags_file: FlagFile,
    exposures: Exposures,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import asyncio

    monkeypatch.setenv("DATABASE_URL", settings.database_url)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["flags", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    await asyncio.to_thread(run, "set", "release", "previous=50", "--experiment", "drafts-2")
    for person in PEOPLE[:40]:
        flags.resolve(RELEASE, person)
    # Only one variant was noted for the others: something loses the rest.
    for number in range(100):
        exposures.note("drafts-2", "release", "current", Principal("north", f"lost-{number}"))
    await exposures.flush()
    await asyncio.to_thread(run, "pin", "release", "current", "--reason", "over")
    measure(monkeypatch, came({person.subject: "accept" for person in PEOPLE[:40]}))
    text = await asyncio.to_thread(run, "experiment", "report", "drafts-2")
    assert "drafts-2: flag release, outcome kept (accept counts)" in text
    assert "SAMPLE RATIO MISMATCH" in text
    assert "may be chance" in text
    made = json.loads(await asyncio.to_thread(run, "experiment", "report", "drafts-2", "--json"))
    assert made["is_mismatched"] is True
    assert made["expected"] == {"current": 50, "previous": 50}
    assert made["verdicts"] == {"current": "control", "previous": "may be chance"}


def test_pinning_ends_an_experiment(flags_file: FlagFile) -> None:
    begin(flags_file)
    release = flags_file.read()["flags"]["release"]
    assert release["metadata"] == {"experiment": "drafts-2"}
    assert "metadata" not in pinned(release, "previous")
