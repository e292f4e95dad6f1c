"""Runs the cases, one row each. What goes wrong in a case is that case's failure, not the run's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from app.evals.rows import Row
from app.evals.suite import Case, RunCase

_LONGEST_ERROR = 600


async def run_cases(
    cases: Sequence[Case], run_case: RunCase, services: Any, concurrency: int
) -> list[Row]:
    """Run every case, at most `concurrency` at a time. Rows come in the order of the cases."""
    limiter = asyncio.Semaphore(concurrency)

    async def one(case: Case) -> Row:
        async with limiter:
            started = time.perf_counter()
            try:
                outcome = await run_case(case, services)
            except Exception as error:
                # Whatever it was, the customer would have got no answer.
                text = f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
                return Row(case.id, case.suite, correct=False, error=text, text=case.text)
            return outcome.row(case, round((time.perf_counter() - started) * 1000, 3))

    return list(await asyncio.gather(*(one(case) for case in cases)))
