"""Rollouts of the flag `release`: where each stands, and the flag made so; each step is audited.

Where it stands is in the database before the flag changes, and each look makes the flag what the
database says. So whoever takes over after a crash goes on where it was.
"""

from dataclasses import replace
from pathlib import Path

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.log import record
from app.core.db import Database, utcnow
from app.core.principal import Principal
from app.core.problems import ConfigurationError
from app.delivery.models import OPEN, RolloutRow, State
from app.delivery.rollout import Kind, Rollout, Stage
from app.flags import document
from app.flags.catalogue import RELEASE
from app.flags.changes import change, changes
from app.flags.document import Definition, Document
from app.flags.releases import require_usable

log = structlog.get_logger("app.delivery")


class Rollouts:
    """Rollouts of the flag `release`: at most one at a time is open."""

    def __init__(
        self,
        database: Database,
        flags_file: Path,
        rollout: Rollout,
        region: str | None,
        tenant: str,
    ) -> None:
        """Raises ConfigurationError for a region that rollout.yaml lacks."""
        self.rollout = rollout
        self.region = region or rollout.regions[0]
        if self.region not in rollout.regions:
            raise ConfigurationError(
                f"no region {region!r}; rollout.yaml has {', '.join(rollout.regions)}"
            )
        self.database = database
        self._flags_file = flags_file
        self.controller = Principal(tenant, "rollout")

    async def start(
        self, kind: Kind, candidate: str, baseline: str, by: Principal, reason: str
    ) -> RolloutRow:
        """Open a rollout and give the candidate its first share. Raises ConfigurationError."""
        if kind == "application":
            raise ConfigurationError(
                "another version of the application is no flag: whoever moves the traffic walks "
                "its steps. See `app rollout render`"
            )
        variants = self.flags()["flags"][RELEASE.name]["variants"]
        for variant in (candidate, baseline):
            if variant not in variants:
                raise ConfigurationError(
                    f"no release {variant!r}; there are: {', '.join(variants)}"
                )
            require_usable(variants[variant])
        if variants[candidate] == variants[baseline]:
            raise ConfigurationError(
                f"{candidate} and {baseline} are the same. `app flags keep` copies what is now, "
                "before it is changed"
            )
        now = utcnow()
        async with self.database.session() as session:
            if await session.scalar(select(RolloutRow.id).where(RolloutRow.state.in_(OPEN))):
                raise ConfigurationError("a rollout is open: see `app rollout status`")
            row = RolloutRow(
                kind=kind,
                candidate=candidate,
                baseline=baseline,
                state="going",
                stage=0,
                stage_since=now,
                reason=reason[:500],
                started_by=by.subject[:128],
                started_at=now,
                updated_at=now,
            )
            session.add(row)
            await session.flush()
            await self._note(session, row, by, "start", reason)
        await self.apply(row, by)
        return row

    def flags(self) -> Document:
        return document.read(self._flags_file)

    async def newest(self) -> RolloutRow | None:
        """The open rollout, or the last one."""
        async with self.database.reader() as session:
            return await session.scalar(select(RolloutRow).order_by(RolloutRow.id.desc()).limit(1))

    async def act(
        self,
        row: RolloutRow,
        verb: str,
        by: Principal,
        reason: str,
        *,
        state: State,
        stage: int | None = None,
    ) -> RolloutRow:
        """Move a rollout on, unless somebody else did; then make the flag follow.

        Raises ConfigurationError when it is no longer as `row` says.
        """
        now = utcnow()
        moved = {"stage": stage, "stage_since": now} if stage is not None else {}
        async with self.database.session() as session:
            changed = await session.scalar(
                update(RolloutRow)
                .where(
                    RolloutRow.id == row.id,
                    RolloutRow.state == row.state,
                    RolloutRow.stage == row.stage,
                )
                .values(state=state, reason=reason[:500], updated_at=now, **moved)
                .returning(RolloutRow)
                .execution_options(populate_existing=True)
            )
            if changed is None:
                raise ConfigurationError("somebody else moved the rollout; see its status")
            await self._note(session, changed, by, verb, reason)
        await self.apply(changed, by)
        return changed

    async def take_back(self, row: RolloutRow, by: Principal, reason: str) -> RolloutRow:
        """Give everybody the baseline: first said, then done, then noted as done."""
        if row.state != "taking_back":
            row = await self.act(row, "abort", by, reason, state="taking_back")
        else:
            await self.apply(row, by)
        return await self.act(row, "aborted", by, row.reason, state="rolled_back")

    async def apply(self, row: RolloutRow, by: Principal) -> None:
        """Make the flag what the rollout says; in the audit, in the tenant of who moved it."""
        await change(
            self.database,
            self._flags_file,
            RELEASE.name,
            lambda definition: self._wanted(row, definition),
            principal=replace(self.controller, tenant=by.tenant),
            reason=f"{row.name} {row.state}: {row.reason}",
        )

    def stage(self, row: RolloutRow) -> Stage:
        stages = self.rollout.stages(row.kind)
        return stages[min(row.stage, len(stages) - 1)]

    async def was_changed_by_others(self, row: RolloutRow) -> bool:
        """Whether somebody changed the flag since: a person's decision is not undone."""
        async with self.database.reader() as session:
            last = next(iter(await changes(session, RELEASE.name, 1)), None)
        now = self.flags()["flags"][RELEASE.name]
        if last is None or last.at < row.started_at:
            return False
        return last.actor != self.controller.subject or now not in (last.before, last.after)

    def _wanted(self, row: RolloutRow, definition: Definition) -> Definition:
        if row.state == "left":
            return definition
        if row.state == "promoted":
            return document.pinned(definition, row.candidate)
        if row.state in ("taking_back", "rolled_back"):
            return document.pinned(definition, row.baseline)
        percent = self.stage(row).percent[self.region]
        shares = {row.candidate: percent, row.baseline: 100 - percent}
        return document.split(definition, shares, row.name)

    async def _note(
        self, session: AsyncSession, row: RolloutRow, by: Principal, verb: str, reason: str
    ) -> None:
        await record(
            session,
            by,
            f"rollout.{verb}",
            row.name.replace("-", ":"),
            after={"state": row.state, "candidate": row.candidate, "stage": str(self.stage(row))},
            reason=reason,
        )
        log.info("rollout", rollout=row.id, action=verb, state=row.state, reason=reason)
