"""The application: the interface, the page, and who may use them."""

from __future__ import annotations

import errno
import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from halfsmile.data.decode import BadImageError
from halfsmile.label.http.endpoints import add_endpoints
from halfsmile.label.http.schema import Health
from halfsmile.label.journal import DiskFullError
from halfsmile.label.names import AnswerError
from halfsmile.label.parts import NotReadyError, UnknownFaceError
from halfsmile.label.session import Labeling
from halfsmile.serve.app import require_key
from halfsmile.serve.body import BodyLimits
from halfsmile.serve.guard import RequestGuard
from halfsmile.serve.limits import MIB, ServerLimits

STATIC = Path(__file__).parents[1] / "static"
LIMITS = ServerLimits(body_bytes=MIB, memory_bytes=64 * MIB, concurrency=64)
_MENDS: dict[int | None, str] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room on the disk"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "let the server write there"),
}
DESCRIPTION = """Label faces while a model learns. Answers lie in the folder that `stored` of
`/v1/project` names, on disk before they are confirmed; nothing is sent anywhere."""


def create_app(
    labeling: Labeling, *, api_key: str | None = None, allowed_hosts: Iterable[str] = (), closes: bool = True
) -> FastAPI:
    """The application around a session.

    Args:
        labeling: The session.
        api_key: Asked for at ``/v1/``; None asks for none.
        allowed_hosts: Names under which it may be reached, besides ``localhost`` and any IP address.
        closes: Whether to close the session when the application ends.

    Raises:
        ValueError: If the key can't be sent in a header.

    Returns:
        An ASGI application.
    """
    require_key(api_key)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        if closes:
            labeling.close()

    app = FastAPI(
        title="halfsmile label",
        description=DESCRIPTION,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(HTTPBearer(auto_error=False))] if api_key is not None else None,
    )
    app.state.limits = LIMITS
    app.add_middleware(
        RequestGuard, api_key=api_key, allowed_hosts=allowed_hosts, concurrency=LIMITS.concurrency
    )
    app.add_middleware(BodyLimits, limits=LIMITS)
    _add_refusals(app)
    add_endpoints(app, labeling)

    @app.get("/healthz", response_model=Health)
    async def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    _add_page(app)
    return app


def _add_refusals(app: FastAPI) -> None:
    """Every refusal is JSON with one sentence in ``detail``."""

    def refuse(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handler(_: Request, error: Exception) -> Response:
            return JSONResponse({"detail": str(error)}, status)

        return handler

    kinds: list[tuple[type[Exception], int]] = [
        (UnknownFaceError, 404),
        (BadImageError, 404),
        (AnswerError, 422),
        (NotReadyError, 503),
        (ValueError, 409),
    ]
    for kind, status in kinds:
        app.exception_handler(kind)(refuse(status))

    @app.exception_handler(OSError)
    async def full(_: Request, error: Exception) -> Response:
        said = error.strerror if isinstance(error, DiskFullError) else str(error)
        number = error.errno if isinstance(error, OSError) else None
        mend = _MENDS.get(number, "see to the disk")
        detail = f"{said} Nothing was taken and nothing is lost: {mend}, then answer again."
        return JSONResponse({"detail": detail}, 507)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        detail = error.detail
        if error.status_code == 404 and detail == "Not Found":
            detail = "There is nothing here; /openapi.json says what there is."
        return JSONResponse({"detail": detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        found = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        return JSONResponse({"detail": f"{found}."}, 422)

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return JSONResponse({"detail": "The server failed on this request; its log says more."}, 500)


def _add_page(app: FastAPI) -> None:
    mimetypes.add_type("text/javascript", ".js")  # the registry of Windows may say something else
    if not (STATIC / "index.html").is_file():
        return
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> Response:
        return FileResponse(STATIC / "index.html")
