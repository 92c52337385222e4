"""Jobs: estimate, submit, watch, cancel, resume."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from starlette.responses import StreamingResponse

from ...errors import ConfigError
from ...schema.base import Frozen, field
from ...schema.manifest import LARGEST_N
from ...text import not_among
from ..auth import Token, needs
from ..job import FINAL, Job, Priority
from ..server import Here, Server

router = APIRouter(prefix="/api/v1", tags=["jobs"], dependencies=[needs("read")])

_POLL_S = 0.2
_ALIVE_S = 15.0
Submitter = Annotated[Token, needs("submit")]


class EstimateRequest(Frozen):
    """Asks what a build would take."""

    recipe: dict[str, Any] | str = field("the recipe, or the name of a stored one", "1")
    n: int = field("rows", "row", ge=1, le=LARGEST_N)


class JobRequest(EstimateRequest):
    """Asks for a dataset."""

    name: str = field("name of the dataset, ending in .zarr or .h5", "1")
    priority: Priority = field("higher ones are built first", "1", 0)
    executor: str = field("which of the server's executors builds it", "1", "threads")


class PriorityRequest(Frozen):
    """Changes the priority of a job."""

    priority: Priority = field("higher ones are built first", "1")


@router.post("/estimate")
def estimate(server: Here, request: EstimateRequest) -> dict[str, Any]:
    """Return what a build would take, measured now in memory; writes nothing."""
    ready = server.ready_of(request.recipe)
    expected = server.jobs.estimate(ready, request.n).model_dump(mode="json")
    return {**expected, "recipe_digest": ready.digest, "warnings": ready.warnings}


@router.post("/jobs", responses={201: {"model": Job}, 403: {}, 409: {}, 507: {}})
def submit(server: Here, request: JobRequest, response: Response, token: Submitter) -> Job:
    """Queue a build; the same recipe and number of rows give the job that is there already."""
    known = ("threads", *server.settings.executors)
    if request.executor not in known:
        raise ConfigError(f"executor: {not_among(request.executor, known)}")
    ready = server.ready_of(request.recipe)
    job, is_new = server.jobs.submit(
        ready, request.n, request.name, token, request.priority, request.executor
    )
    server.database.audit(token.name, "submit", job.id)
    response.status_code = 201 if is_new else 200
    return job


@router.get("/jobs")
def jobs(server: Here) -> list[Job]:
    """Return all jobs, newest first."""
    return server.jobs.all()


@router.get("/jobs/{id}")
def job(server: Here, id: str) -> Job:
    """Return a job and how far it is."""
    return server.jobs.get(id)


@router.post("/jobs/{id}/cancel", responses={409: {}})
def cancel(server: Here, id: str, token: Submitter) -> Job:
    """End a job; what is built stays, and can be resumed."""
    server.database.audit(token.name, "cancel", id)
    return server.jobs.cancel(id, token)


@router.post("/jobs/{id}/resume", responses={409: {}})
def resume(server: Here, id: str, token: Submitter) -> Job:
    """Queue a job again that ended before its dataset was complete."""
    server.database.audit(token.name, "resume", id)
    return server.jobs.resume(id)


@router.patch("/jobs/{id}")
def change(server: Here, id: str, request: PriorityRequest, token: Submitter) -> Job:
    """Change the priority of a job."""
    server.database.audit(token.name, f"priority {request.priority}", id)
    return server.jobs.set_priority(id, request.priority, token)


@router.get("/jobs/{id}/events", response_class=Response)
def events(
    server: Here,
    request: Request,
    id: str,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Return server-sent events, each with the whole job, until it ends.

    A client that reconnects with ``Last-Event-ID`` gets the job as it is now if it has changed
    since; no content (204), after which browsers do not reconnect, if it had ended by then.
    """
    now = server.jobs.get(id)
    if now.state in FINAL and str(now.revision) == last_event_id:
        return Response(status_code=204)
    return StreamingResponse(
        _events(server, request, id, last_event_id), media_type="text/event-stream"
    )


async def _events(
    server: Server, request: Request, id: str, last: str | None
) -> AsyncIterator[str]:
    """Yield events of a job, and a comment where nothing has happened for long."""
    silent_s = 0.0
    while not server.stopping.is_set() and not await request.is_disconnected():
        job = server.jobs.get(id)
        if str(job.revision) != last:
            last, silent_s = str(job.revision), 0.0
            yield f"id: {last}\nevent: job\ndata: {job.model_dump_json()}\n\n"
        if job.state in FINAL:
            return
        if silent_s >= _ALIVE_S:
            silent_s = 0.0
            yield ": still there\n\n"
        await asyncio.sleep(_POLL_S)
        silent_s += _POLL_S
