"""What a request and a day may use. Refuses before anything is sent, and names a cheaper way."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import CursorResult, text

from app.ai.model import Message
from app.core.db import Database, utcnow
from app.core.problems import AppError

_RESERVE = text(
    """
    insert into ai_budget_days (tenant_id, day, tokens, micro_usd)
    values (:tenant, :day, :tokens, :micro_usd)
    on conflict (tenant_id, day) do update
    set tokens = ai_budget_days.tokens + excluded.tokens,
        micro_usd = ai_budget_days.micro_usd + excluded.micro_usd
    where ai_budget_days.tokens + excluded.tokens <= :token_limit
      and ai_budget_days.micro_usd + excluded.micro_usd <= :micro_usd_limit
    """
)
_SETTLE = text(
    """
    update ai_budget_days set tokens = tokens + :tokens, micro_usd = micro_usd + :micro_usd
    where tenant_id = :tenant and day = :day
    """
)


class BudgetExceeded(AppError):  # noqa: N818  says what it is
    """A request that would cost more than it may. `cheaper` says what can be done instead."""

    def __init__(self, status: int, detail: str, cheaper: str) -> None:
        super().__init__(status, "Over budget", f"{detail} {cheaper}", cheaper=cheaper)


@dataclass(frozen=True, slots=True)
class Reservation:
    tenant: str
    day: str
    tokens: int
    micro_usd: int


def estimate_tokens(*parts: str | Message) -> int:
    """Estimate tokens without the model's tokenizer: four ASCII characters a token.

    Every other character counts as one. That is the rule of thumb for English prose; numbers, code
    and rare words take more. Budgets reserve by it and settle by what the provider counted.
    """
    total = 0
    for part in parts:
        content = part if isinstance(part, str) else part.content
        ascii_characters = sum(map(str.isascii, content))
        total += math.ceil(ascii_characters / 4) + len(content) - ascii_characters
        total += 0 if isinstance(part, str) else 4  # the role and the marks around a message
    return total


class DailyBudget:
    """Tokens and cost per tenant and UTC day, shared by all processes through the database.

    Uses transactions of its own, as what was spent stays spent when a request fails. So never call
    a model inside a transaction that writes: on SQLite the two would wait for each other.
    """

    def __init__(
        self,
        database: Database,
        *,
        tokens: int,
        cost_usd: float,
        now: Callable[[], datetime] = utcnow,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._micro_usd = _micro(cost_usd)
        self._now = now

    async def reserve(self, tenant: str, tokens: int, cost_usd: float) -> Reservation:
        """Set aside the most that a call can use; one statement, so that callers cannot overshoot.

        Raises BudgetExceeded. Settle afterwards, also when the call failed.
        """
        wanted = Reservation(tenant, self._now().date().isoformat(), tokens, _micro(cost_usd))
        fits = wanted.tokens <= self._tokens and wanted.micro_usd <= self._micro_usd
        if not fits or not await self._add(wanted):
            raise BudgetExceeded(
                429,
                "Today's budget for the large model is used up.",
                "Use a route that ends with a local model, wait until midnight UTC, or raise "
                "daily_budget in models.yaml.",
            )
        return wanted

    async def settle(self, reserved: Reservation, tokens: int, cost_usd: float) -> None:
        """Replace what was reserved by what was used."""
        async with self._database.session() as session:
            await session.execute(
                _SETTLE,
                {
                    "tenant": reserved.tenant,
                    "day": reserved.day,
                    "tokens": tokens - reserved.tokens,
                    "micro_usd": _micro(cost_usd) - reserved.micro_usd,
                },
            )

    async def used(self, tenant: str) -> tuple[int, float]:
        """Return today's tokens and US dollars, reservations included."""
        async with self._database.reader() as session:
            row = (
                await session.execute(
                    text(
                        "select tokens, micro_usd from ai_budget_days "
                        "where tenant_id = :tenant and day = :day"
                    ),
                    {"tenant": tenant, "day": self._now().date().isoformat()},
                )
            ).first()
        return (row.tokens, row.micro_usd / 1e6) if row else (0, 0.0)

    async def _add(self, wanted: Reservation) -> bool:
        async with self._database.session() as session:
            result = await session.execute(
                _RESERVE,
                {
                    "tenant": wanted.tenant,
                    "day": wanted.day,
                    "tokens": wanted.tokens,
                    "micro_usd": wanted.micro_usd,
                    "token_limit": self._tokens,
                    "micro_usd_limit": self._micro_usd,
                },
            )
            return cast(CursorResult, result).rowcount == 1


def _micro(usd: float) -> int:
    """Millionths of a dollar, rounded up: whole numbers add up exactly, and never to nothing."""
    return math.ceil(usd * 1_000_000 - 1e-6)
