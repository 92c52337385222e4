"""Libraries of species that users upload."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from ..auth import Token, needs
from ..server import Here

router = APIRouter(prefix="/api/v1/libraries", tags=["libraries"], dependencies=[needs("read")])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
def libraries(server: Here) -> list[dict[str, Any]]:
    """Return the uploaded libraries; recipes name them by their ``source``."""
    return [one.content() for one in server.libraries.all()]


@router.put("/{name}", responses={201: {}, 409: {}, 413: {}}, openapi_extra=_BODY)
async def upload(
    server: Here,
    request: Request,
    response: Response,
    name: str,
    token: Annotated[Token, needs("submit")],
    ending: Annotated[str, Query(description="ending of the file's name")] = "tlib",
) -> dict[str, Any]:
    """Store the species in a file, of any format that ``tersgen library import`` reads."""
    content = await request.body()
    library, is_new = await run_in_threadpool(server.libraries.put, name, content, ending)
    server.database.audit(token.name, "upload", name)
    response.status_code = 201 if is_new else 200
    return library.content()
