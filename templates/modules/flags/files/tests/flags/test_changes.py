"""Changing flags: by command and from code, with an audit that only grows."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.audit.models import AuditEntry
from app.cli import main
from app.core.db import Database
from app.core.principal import Principal
from app.core.problems import ConfigurationError
from app.flags.changes import change, changes
from app.flags.document import Definition, pinned, split
from app.flags.flags import Flags
from app.settings import Settings
from tests.flags.conftest import ANNA, KNOWN, FlagFile

pytestmark = pytest.mark.anyio

ADA = Principal("default", "ada")


@pytest.fixture
def run(settings: Settings, flags_file: FlagFile, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", settings.database_url)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["flags", *arguments])

    return run


def off(definition: Definition) -> Definition:
    return pinned(definition, "off")


async def audit(database: Database) -> list[AuditEntry]:
    async with database.reader() as session:
        return await changes(session, None, 10)


async def test_a_change_is_in_the_file_and_in_the_audit(
    database: Database, flags_file: FlagFile
) -> None:
    before = flags_file.read()
    await change(database, flags_file.path, "escalation", off, principal=ADA, reason="too slow")
    after = flags_file.read()
    assert after["flags"]["escalation"]["defaultVariant"] == "off"
    assert {**after, "flags": {**after["flags"], "escalation": None}} == {
        **before,
        "flags": {**before["flags"], "escalation": None},
    }
    (row,) = await audit(database)
    assert (row.actor, row.action, row.target) == ("ada", "flag.change", "flag:escalation")
    assert row.reason == "too slow"
    assert (row.before["defaultVariant"], row.after["defaultVariant"]) == ("on", "off")
    assert (
        await change(database, flags_file.path, "escalation", off, principal=ADA, reason="") is None
    )
    assert len(await audit(database)) == 1


async def test_without_an_audit_nothing_changes(flags_file: FlagFile, tmp_path: Path) -> None:
    unmigrated = Database(f"sqlite+aiosqlite:///{tmp_path}/other.db")
    before = flags_file.path.read_bytes()
    with pytest.raises(ConfigurationError, match=r"could not be audited.*edit .*flags\.json"):
        await change(unmigrated, flags_file.path, "escalation", off, principal=ADA, reason="")
    await unmigrated.close()
    assert flags_file.path.read_bytes() == before
    left = [name for name in os.listdir(tmp_path) if name.startswith(".flags")]  # noqa: PTH208
    assert left == [], "nothing half-written"


async def test_what_somebody_else_changed_meanwhile_is_not_lost(
    database: Database, flags_file: FlagFile
) -> None:
    def slow(definition: Definition) -> Definition:
        flags_file.alter("large-model", defaultVariant="off")
        return off(definition)

    with pytest.raises(ConfigurationError, match="changed by somebody else"):
        await change(database, flags_file.path, "escalation", slow, principal=ADA, reason="")
    flags = flags_file.read()["flags"]
    assert (flags["escalation"]["defaultVariant"], flags["large-model"]["defaultVariant"]) == (
        "on",
        "off",
    )
    assert await audit(database) == []


async def test_a_change_that_makes_no_sense_is_refused(
    database: Database, flags_file: FlagFile
) -> None:
    def wrong(definition: Definition) -> Definition:
        return definition | {"defaultVariant": "gone"}

    with pytest.raises(ConfigurationError, match="defaultVariant"):
        await change(database, flags_file.path, "escalation", wrong, principal=ADA, reason="")
    assert await audit(database) == []


def test_shares_keep_the_rules_around_them_and_the_rest_gets_the_default() -> None:
    shipped: dict[str, Any] = json.loads(json.dumps(KNOWN["release"]))
    divided = split(shipped, {"previous": 5}, "drafts-2")
    assert divided["targeting"]["if"][:2] == shipped["targeting"]["if"][:2]
    assert divided["targeting"]["if"][2] == {"fractional": [["current", 95], ["previous", 5]]}
    assert divided["metadata"] == {"experiment": "drafts-2"}
    back = split(divided, {"current": 100}, None)
    assert back == shipped
    fresh = split(pinned(shipped, "previous"), {"current": 10}, None)
    assert fresh["targeting"] == {"fractional": [["current", 10], ["previous", 90]]}
    for percent in ({"current": 5}, {"current": 60, "previous": 60}, {"gone": 5}):
        with pytest.raises(ConfigurationError):
            split(shipped, percent, None)


def test_the_commands_change_and_tell(run, flags_file: FlagFile, flags: Flags) -> None:
    from app.flags.catalogue import LARGE_MODEL

    done = run("pin", "large-model", "off", "--by", "ada", "--reason", "it costs too much")
    assert "large-model: on for everybody -> off for everybody, by ada: it costs too much" in (
        done.output
    )
    assert not flags.enabled(LARGE_MODEL, ANNA)
    assert "is so already" in run("pin", "large-model", "off").output
    made = json.loads(
        run("set", "release", "previous=5", "--experiment", "d2", "--by", "ada", "--json").output
    )
    assert made["to"] == "current 95 %, previous 5 %, rules before, experiment d2"
    shown = json.loads(run("show", "release", "--json").output)
    assert [row["by"] for row in shown["changes"]] == ["ada"]
    assert shown["definition"] == flags_file.read()["flags"]["release"]
    listed = {row["flag"]: row["now"] for row in json.loads(run("list", "--json").output)}
    assert listed["large-model"] == "off for everybody"
    assert "by ada" in run("show", "release").output
    assert "off for everybody" in run("list").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pin", "gone", "on"], "no flag 'gone'; there are: escalation, large-model, release"),
        (["pin", "release", "gone"], "no variant 'gone'; there are: current, previous"),
        (["show", "gone"], "no flag 'gone'"),
        (["set", "release", "previous=lots"], "expected VARIANT=PERCENT"),
        (["set", "release", "current=10"], "the shares come to 10 %"),
        (["keep", "current"], "no name for a release"),
        (["experiment", "report", "gone"], "no experiment 'gone'"),
    ],
)
def test_mistakes_are_explained(run, flags_file: FlagFile, arguments: list, message: str) -> None:
    before = flags_file.path.read_bytes()
    done = run(*arguments)
    assert done.exit_code in (1, 2)
    assert message in done.output
    assert flags_file.path.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_cannot_be_replaced_is_named(run, flags_file: FlagFile) -> None:
    flags_file.path.parent.chmod(0o500)
    done = run("pin", "escalation", "off")
    flags_file.path.parent.chmod(0o700)
    assert "FLAGS_FILE may name a file" in done.output
