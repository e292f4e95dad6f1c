"""What became of a job that a request has started."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Security
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from app.core.db import ReaderDep
from app.core.principal import Principal, principal_of
from app.core.problems import AppError
from app.jobs.models import Job, State

router = APIRouter(prefix="/jobs", tags=["jobs"])
Reader = Annotated[Principal, Security(principal_of, scopes=["jobs:read"])]


class JobStatus(BaseModel):
    """A job as its tenant sees it. Done jobs are kept for a day."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    task: str
    state: State
    attempts: int
    created_at: datetime
    finished_at: datetime | None


@router.get("/{job_id}")
async def show_job(job_id: str, session: ReaderDep, principal: Reader) -> JobStatus:
    """Poll this after an answer 202."""
    job = await session.scalar(
        select(Job).where(Job.id == job_id, Job.tenant_id == principal.tenant)
    )
    if job is None:
        raise AppError(404, "No such job", "It never existed, or was done more than a day ago.")
    return JobStatus.model_validate(job)
