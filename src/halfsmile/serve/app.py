"""The application: what the server is put together from, and the page."""

from __future__ import annotations

import mimetypes
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from halfsmile.serve.batcher import BusyError, FacePredictor, StoppingError
from halfsmile.serve.body import BodyLimits
from halfsmile.serve.endpoints import add_pictures, add_server, add_videos
from halfsmile.serve.guard import RequestGuard, require_origin
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.metrics import MetricsMiddleware, ServerMetrics
from halfsmile.serve.root_path import BelowPath, require_root_path
from halfsmile.serve.services import Services

_KEY = re.compile(r"[!-~]+")
STATIC = Path(__file__).parent / "static"
DESCRIPTION = """Facial expressions in pictures, videos and streams. What a face shows is named, not what a
person feels. Pictures are kept in memory, videos in a temporary folder until they have been analyzed;
nothing else is stored, and nothing is sent anywhere. WebSocket `/v1/stream` takes webcam pictures."""


def create_app(
    predictor: FacePredictor,
    limits: ServerLimits | None = None,
    *,
    api_key: str | None = None,
    allowed_hosts: Iterable[str] = (),
    allowed_origins: Iterable[str] = (),
    root_path: str = "",
    more: Sequence[FacePredictor] = (),
) -> FastAPI:
    """The application around a predictor.

    Args:
        predictor: Finds and names faces; used by one thread only.
        limits: Of everything; None for the usual ones.
        api_key: Asked for at ``/v1/`` and ``/metrics``; None asks for none.
        allowed_hosts: Names under which it may be reached, besides ``localhost`` and any IP address.
        allowed_origins: Origins whose pages may use it, besides its own.
        root_path: Path below which a proxy offers it, as ``/faces``; requests are answered with and without.
        more: Further predictors that say the same, each for a thread of its own.

    Raises:
        ValueError: If the key can't be sent in a header, an origin is none, or the path is none.

    Returns:
        An ASGI application. While it runs, ``app.state.services`` is its :class:`Services`.
    """
    require_key(api_key)
    limits = limits or ServerLimits()
    root_path = require_root_path(root_path)
    allowed_origins = [require_origin(origin) for origin in allowed_origins]
    metrics = ServerMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="halfsmile-serve-", ignore_cleanup_errors=True) as folder:
            app.state.services = Services(predictor, limits, metrics, Path(folder), more)
            try:
                yield
            finally:
                await app.state.services.close()

    app = FastAPI(
        title="halfsmile",
        description=DESCRIPTION,
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": root_path}] if root_path else None,
        dependencies=[Depends(HTTPBearer(auto_error=False))] if api_key is not None else None,
    )
    app.state.limits = limits
    app.add_middleware(
        RequestGuard,
        api_key=api_key,
        allowed_hosts=allowed_hosts,
        concurrency=limits.concurrency,
        allowed_origins=allowed_origins,
    )
    app.add_middleware(BodyLimits, limits=limits)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    if root_path:
        app.add_middleware(BelowPath, root_path=root_path)
    _add_refusals(app)
    add_pictures(app, predictor, limits)
    add_videos(app)
    add_server(app, predictor, limits, metrics)
    _add_page(app)
    return app


def require_key(api_key: str | None) -> None:
    """Refuse a key that can't be sent in a header.

    Raises:
        ValueError: If it is one.
    """
    if api_key is not None and not _KEY.fullmatch(api_key):
        raise ValueError(
            "The key must be of ASCII letters, digits and signs without spaces, to fit a header."
        )


def _add_refusals(app: FastAPI) -> None:
    """Every refusal is JSON with one sentence in ``detail``."""

    @app.exception_handler(404)
    async def missing(_: Request, error: HTTPException) -> Response:
        detail = "There is nothing here; /docs says what there is."
        return JSONResponse({"detail": detail if error.detail == "Not Found" else error.detail}, 404)

    @app.exception_handler(405)
    async def wrong_method(request: Request, _: HTTPException) -> Response:
        routes = [route for route in app.routes if isinstance(route, Route)]
        here = [route for route in routes if route.path_regex.match(request.url.path)]
        allowed = ", ".join(sorted({method for route in here for method in route.methods or ()}))
        detail = f"{request.method} is not possible here, but {allowed}."
        return JSONResponse({"detail": detail}, 405, {"Allow": allowed})

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        found = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        return JSONResponse({"detail": f"{found}."}, 422)

    @app.exception_handler(BusyError)
    async def busy(_: Request, __: Exception) -> Response:
        detail = "The server is busy. Try again in a second, or start it with higher --limits (queue, jobs)."
        return JSONResponse({"detail": detail}, 429, {"Retry-After": "1"})

    @app.exception_handler(StoppingError)
    async def stopping(_: Request, __: Exception) -> Response:
        return JSONResponse({"detail": "The server is stopping."}, 503, {"Retry-After": "5"})

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: Exception) -> Response:
        return Response(status_code=499)  # nobody reads it

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return JSONResponse({"detail": "The server failed on this request; its log says more."}, 500)


def _add_page(app: FastAPI) -> None:
    mimetypes.add_type("text/javascript", ".js")  # the registry of Windows may say something else
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> Response:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(STATIC / "docs.html")
