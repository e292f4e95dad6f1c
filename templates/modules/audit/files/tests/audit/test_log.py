"""The audit: one entry with its change, in a chain that shows whatever was done to it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from structlog.contextvars import bound_contextvars
from structlog.testing import CapturingLogger

from app.audit.log import entries, record
from app.audit.models import AuditEntry
from app.cli import main
from app.core.db import Database
from app.settings import Settings
from tests.audit.chains import (
    ADA,
    FORBIDDEN,
    checked,
    many_writers_make_one_chain,
    refuses,
    write,
)

pytestmark = pytest.mark.anyio

_TRIGGERS = (
    "audit_entries_no_update",
    "audit_entries_no_delete",
    "audit_entries_in_order",
    "audit_head_only_forward",
    "audit_head_no_delete",
)


async def stored(database: Database) -> list[AuditEntry]:
    async with database.reader() as session:
        return list(await session.scalars(entries()))


async def tamper(database: Database, *statements: str) -> None:
    """As somebody who owns the database can: without the triggers."""
    async with database.session() as session:
        for trigger in _TRIGGERS:
            await session.execute(text(f"drop trigger if exists {trigger}"))
        for statement in statements:
            await session.execute(text(statement))


async def test_an_entry_commits_with_its_change_or_not_at_all(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.session() as session:
            await record(session, ADA, "thing.change", "thing:1")
            raise RuntimeError
    assert await stored(database) == []
    async with database.session() as session:
        await record(session, ADA, "thing.change", "thing:1", after={"a": 1}, reason="asked")
        await record(session, ADA, "thing.change", "thing:2")
    second, first = await stored(database)
    assert (first.seq, first.actor, first.tenant_id) == (1, "ada", "default")
    assert (first.before, first.after, first.reason) == (None, {"a": 1}, "asked")
    assert second.previous == first.hash
    assert (await checked(database))[1] == []


async def test_the_logs_hold_the_end_of_the_chain_once_it_is_committed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = CapturingLogger()
    monkeypatch.setattr("app.audit.log.log", logs)
    with bound_contextvars(correlation_id="request-1"):
        async with database.session() as session:
            entry = await record(session, ADA, "thing.change", "thing:1")
            assert logs.calls == []
    (line,) = logs.calls
    head, _ = await checked(database)
    assert (line.kwargs["seq"], line.kwargs["entry_hash"]) == (entry.seq, head.hash)
    assert entry.correlation_id == "request-1"


async def test_secrets_stay_out(database: Database) -> None:
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."  # pragma: allowlist secret
    given: dict[str, Any] = {
        "client_secret": "s3cret-canary",
        "api_key": "s3cret-canary",
        "key_hash": "kept: it is no secret of that name",
        "nested": [{"password": "s3cret-canary"}, f"sent {token}", "Bearer s3cret-canary"],
        "max_tokens": 800,
        "password": None,
        "scopes": {"b", "a"},
    }
    async with database.session() as session:
        await record(session, ADA, "thing.change", "thing:1", before=given, after=given)
    (entry,) = await stored(database)
    written = json.dumps([entry.before, entry.after])
    assert "s3cret-canary" not in written
    assert token not in written
    assert entry.after["client_secret"] == "[secret]"
    assert (entry.after["max_tokens"], entry.after["password"]) == (800, None)
    assert entry.after["scopes"] == ["a", "b"]


async def test_the_database_refuses_to_rewrite_it(database: Database) -> None:
    await write(database, 3)
    replace = (
        "insert or replace into audit_entries select seq, at, tenant_id, 'eve', action, target, "
        "before, after, reason, correlation_id, previous, hash from audit_entries where seq = 1",
        "insert or replace into audit_head values (1, 4, '')",
    )
    await refuses(database, (*FORBIDDEN, *replace))


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("update audit_entries set actor = 'eve' where seq = 2", "entry 2 was altered"),
        ("update audit_entries set after = '{\"n\": 9}' where seq = 3", "entry 3 was altered"),
        ("update audit_entries set tenant_id = 'b' where seq = 1", "entry 1 was altered"),
        ("delete from audit_entries where seq = 2", "entry 2 is gone"),
        ("delete from audit_entries where seq = 1", "entry 1 is gone"),
        ("delete from audit_entries where seq > 3", "entries 4 to 5 are gone from the end"),
        ("delete from audit_entries", "entries 1 to 5 are gone from the end"),
        ("update audit_head set seq = 4", "entry 5 was added behind the head, 4"),
        ("update audit_head set hash = 'x'", "but its head says"),
    ],
)
async def test_what_is_rewritten_is_found(database: Database, statement: str, fault: str) -> None:
    await write(database, 5)
    await tamper(database, statement)
    (found,) = (await checked(database))[1]
    assert fault in found


async def test_an_anchor_kept_elsewhere_finds_a_whole_new_chain(database: Database) -> None:
    await write(database, 3)
    kept, _ = await checked(database)
    await tamper(
        database,
        "delete from audit_entries",
        "update audit_head set seq = 0, hash = substr(hex(zeroblob(32)), 1, 64)",
    )
    assert (await checked(database))[1] == []
    assert "was cut off" in (await checked(database, kept))[1][0]
    await write(database, 4)
    assert (await checked(database))[1] == []
    assert "was rewritten" in (await checked(database, kept))[1][0]


async def test_processes_share_one_chain(database: Database) -> None:
    await many_writers_make_one_chain(database, processes=2, count=5)


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", settings.database_url)

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, ["audit", *arguments])

    return run


async def test_commands_list_verify_and_export(run, database: Database, tmp_path: Path) -> None:
    await write(database, 2)
    await write(database, 2, action="key.rotate")
    assert [row["seq"] for row in json.loads((await run("list", "--json")).output)] == [4, 3, 2, 1]
    assert "key.rotate" in (await run("list", "--action", "key.*")).output
    assert "thing.change" not in (await run("list", "--action", "key.*")).output
    verified = await run("verify")
    assert verified.exit_code == 0
    anchor = verified.output.split()[-1]
    assert (await run("verify", "--anchor", anchor)).exit_code == 0
    assert "expected SEQ:HASH" in (await run("verify", "--anchor", "x")).output

    file = tmp_path / "audit.jsonl"
    done = await run("export", "--from", "2", "--output", str(file))
    assert anchor in done.output
    assert [json.loads(line)["seq"] for line in file.read_text().splitlines()] == [2, 3, 4]
    assert (await run("verify", "--file", str(file))).exit_code == 0
    file.write_text(file.read_text().replace('"ada"', '"eve"', 1))
    altered = await run("verify", "--file", str(file))
    assert (altered.exit_code, "entry 2 was altered" in altered.output) == (1, True)
    file.write_text("{}")
    assert "is no export" in (await run("verify", "--file", str(file))).output

    await tamper(database, "delete from audit_entries where seq = 4")
    assert "entry 4 is gone" in (await run("verify")).output
