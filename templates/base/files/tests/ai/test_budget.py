"""Daily budgets: never overshot, settled by what was used."""

import asyncio
from datetime import UTC, datetime

import pytest

from app.ai.budget import BudgetExceeded, DailyBudget, estimate_tokens
from app.ai.model import Message
from app.core.db import Database


def budget(database: Database, tokens: int = 1_000, cost_usd: float = 1.0) -> DailyBudget:
    return DailyBudget(database, tokens=tokens, cost_usd=cost_usd)


async def test_reserved_is_replaced_by_used(database: Database) -> None:
    daily = budget(database)
    reserved = await daily.reserve("north", 600, 0.5)
    assert await daily.used("north") == (600, 0.5)
    await daily.settle(reserved, 100, 0.01)
    assert await daily.used("north") == (100, 0.01)


@pytest.mark.parametrize(("tokens", "cost"), [(700, 0.1), (100, 0.7)])
async def test_neither_tokens_nor_cost_go_over(
    database: Database, tokens: int, cost: float
) -> None:
    daily = budget(database)
    await daily.reserve("north", tokens, cost)
    with pytest.raises(BudgetExceeded) as caught:
        await daily.reserve("north", tokens, cost)
    assert caught.value.status == 429
    assert "local model" in caught.value.extra["cheaper"]
    assert await daily.used("north") == (tokens, cost)
    await daily.reserve("south", tokens, cost)


async def test_a_first_request_over_the_limit_is_refused_too(database: Database) -> None:
    with pytest.raises(BudgetExceeded):
        await budget(database).reserve("north", 1_001, 0.0)
    assert await budget(database).used("north") == (0, 0.0)


async def test_many_at_once_cannot_overshoot(database: Database) -> None:
    daily = budget(database)

    async def ask() -> bool:
        try:
            await daily.reserve("north", 100, 0.0)
        except BudgetExceeded:
            return False
        return True

    granted = await asyncio.gather(*(ask() for _ in range(30)))
    assert sum(granted) == 10
    assert (await daily.used("north"))[0] == 1_000


async def test_a_new_day_begins_at_nothing(database: Database) -> None:
    now = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)
    daily = DailyBudget(database, tokens=100, cost_usd=1.0, now=lambda: now)
    reserved = await daily.reserve("north", 100, 0.0)
    now = datetime(2026, 11, 22, 0, 1, tzinfo=UTC)
    await daily.reserve("north", 100, 0.0)
    await daily.settle(reserved, 0, 0.0)
    assert (await daily.used("north"))[0] == 100


async def test_small_costs_add_up(database: Database) -> None:
    daily = budget(database)
    for _ in range(10):
        await daily.settle(await daily.reserve("north", 1, 0.001), 1, 0.0000004)
    assert (await daily.used("north"))[1] == pytest.approx(0.00001)


def test_tokens_are_estimated_by_length() -> None:
    assert estimate_tokens("abcd" * 10) == 10
    assert estimate_tokens("日本語") == 3
    assert estimate_tokens(Message("user", "abcd")) == 5
    assert estimate_tokens("") == 0
