"""Writing the audit, and reading it."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from sqlalchemy import Select, event, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.chain import FIRST, Anchor, content, digest, faults
from app.audit.models import AuditEntry, AuditHead
from app.core.db import utcnow
from app.core.principal import Principal
from app.core.problems import ConfigurationError

log = structlog.get_logger("app.audit")

_SECRET_NAME = re.compile(
    r"(?:^|[_\-.])(?:secret|token|password|passphrase|cookie|authorization|totp|verifier|"
    r"(?:api|private|secret|signing)_?key|credentials?)(?:_hash)?$",
    re.IGNORECASE,
)
# Bearer tokens, JWTs and PEM keys, whatever they are called.
_SECRET_VALUE = re.compile(r"(?i:bearer )\S{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*|-----BEGIN [A-Z ]+-----")
_HIDDEN = "[secret]"


async def record(
    session: AsyncSession,
    principal: Principal,
    action: str,
    target: str,
    *,
    before: Any = None,
    after: Any = None,
    reason: str = "",
) -> AuditEntry:
    """Add one entry to the transaction of `session`: it commits with the change it tells of.

    `action` is `thing.verb`, `target` is `thing:id`; `before` and `after` are JSON. What is named
    or looks like a secret is left out. Others who record wait until this transaction ends.
    """
    head = await session.scalar(
        select(AuditHead)
        .where(AuditHead.id == 1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if head is None:
        raise ConfigurationError("the audit has no head: run `app db upgrade`")
    entry = AuditEntry(
        seq=head.seq + 1,
        at=utcnow(),
        tenant_id=principal.tenant,
        actor=principal.subject[:255],
        action=action,
        target=target[:255],
        before=_without_secrets(before),
        after=_without_secrets(after),
        reason=reason[:500],
        correlation_id=structlog.contextvars.get_contextvars().get("correlation_id", ""),
        previous=head.hash,
        hash="",
    )
    entry.hash = digest(content(entry))
    session.add(entry)
    await session.flush()
    await session.execute(
        update(AuditHead).where(AuditHead.id == 1).values(seq=entry.seq, hash=entry.hash)
    )
    event.listen(session.sync_session, "after_commit", lambda _: _announce(entry), once=True)
    return entry


def _announce(entry: AuditEntry) -> None:
    # Logs go elsewhere: they hold the chain's end where nobody can rewrite it with the table. What
    # a command prints is its answer, and no log.
    if entry.correlation_id:
        log.info("audit", action=entry.action, seq=entry.seq, entry_hash=entry.hash)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _HIDDEN if item and _SECRET_NAME.search(name) else _without_secrets(item)
            for name, item in value.items()
        }
    if isinstance(value, str):
        return _SECRET_VALUE.sub(_HIDDEN, value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [_without_secrets(item) for item in items]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def entries(
    *,
    tenant: str | None = None,
    action: str = "",
    target: str = "",
    actor: str = "",
    before_seq: int | None = None,
) -> Select[AuditEntry]:
    """The entries, newest first, of one tenant unless `tenant` is None.

    `action`, `target` and `actor` may end in `*` for all that begin so.
    """
    query = select(AuditEntry).order_by(AuditEntry.seq.desc())
    if tenant is not None:
        query = query.where(AuditEntry.tenant_id == tenant)
    for column, wanted in (
        (AuditEntry.action, action),
        (AuditEntry.target, target),
        (AuditEntry.actor, actor),
    ):
        if wanted.endswith("*"):
            query = query.where(column.startswith(wanted[:-1], autoescape=True))
        elif wanted:
            query = query.where(column == wanted)
    return query if before_seq is None else query.where(AuditEntry.seq < before_seq)


async def head(session: AsyncSession) -> Anchor:
    """The end of the chain."""
    row = (await session.execute(select(AuditHead.seq, AuditHead.hash))).one_or_none()
    return Anchor(*row) if row else Anchor(0, "none")


async def export(session: AsyncSession, first: int, last: int) -> AsyncIterator[dict[str, Any]]:
    """The entries from `first` to `last` in their order, with the hashes that link them."""
    query = select(AuditEntry).where(AuditEntry.seq.between(first, last)).order_by(AuditEntry.seq)
    async for entry in await session.stream_scalars(query.execution_options(yield_per=500)):
        yield content(entry)


async def verify(session: AsyncSession, known: Anchor | None = None) -> tuple[Anchor, list[str]]:
    """The head, and what is wrong with the chain that leads to it. Others may write meanwhile."""
    beyond = select(func.max(AuditEntry.seq)).where(AuditEntry.seq > AuditHead.seq)
    query = select(AuditHead.seq, AuditHead.hash, beyond.scalar_subquery())
    row = (await session.execute(query)).one_or_none()
    if row is None:
        return Anchor(0, "none"), ["the head of the chain is gone"]
    end = Anchor(row[0], row[1])
    if row[2]:
        return end, [f"entry {row[2]} was added behind the head, {end.seq}"]
    return end, await faults(export(session, 1, end.seq), Anchor(0, FIRST), end, known)
