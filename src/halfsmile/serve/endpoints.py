"""The end points under ``/v1/``, ``/healthz`` and ``/metrics``."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi import Path as PathPart
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect
from starlette.routing import WebSocketRoute
from starlette.types import Message

from halfsmile.data.decode import BadImageError
from halfsmile.faces.detect import detector_title
from halfsmile.predict.answers.baseline import Baseline
from halfsmile.serve.batcher import FacePredictor
from halfsmile.serve.jobs import Job
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.metrics import ServerMetrics
from halfsmile.serve.openapi import LINES, PICTURES_BODY, STOPPING, TEXT, VIDEO_BODY, answers
from halfsmile.serve.pictures import (
    Sent,
    claimed_pixels,
    decode_picture,
    file_name,
    read_pictures,
    require_plain,
)
from halfsmile.serve.schema import Health, JobAnswer, JobStarted, ModelAnswer, PredictAnswer
from halfsmile.serve.services import Services

JobId = Annotated[str, PathPart(alias="id", description="As given at the start.")]
Result = TypeVar("Result")
_ending: set[asyncio.Task[Any]] = set()  # the loop itself would forget them


def services(app: FastAPI) -> Services:
    """What runs beside the end points."""
    found: Services = app.state.services
    return found


def add_pictures(app: FastAPI, predictor: FacePredictor, limits: ServerLimits) -> None:
    """``/v1/predict``."""
    facts = predictor.model.facts
    model = {"name": facts.name, "labels": list(facts.labels)}

    async def look(sent: list[Sent]) -> list[dict[str, Any]]:
        batcher = services(app).batcher
        claimed: dict[int, int] = {}
        results: list[dict[str, Any]] = [
            {"name": one.name, "width": None, "height": None, "faces": [], "error": None} for one in sent
        ]
        for i, one in enumerate(sent):
            try:
                claimed[i] = claimed_pixels(one, limits.pixels)
            except BadImageError as error:
                results[i]["error"] = str(error)
        total = sum(claimed.values())
        if total > limits.queue_pixels:
            raise HTTPException(
                413,
                f"The pictures have {total:,} pixels together; at most {limits.queue_pixels:,} are taken in "
                "one request. Send fewer at once, or start the server with --limits queue_pixels=….",
            )
        with batcher.reserve(list(claimed.values())):
            images = {}
            for i in claimed:
                try:
                    images[i] = await _in_a_thread(decode_picture, sent[i], limits.pixels)
                except BadImageError as error:
                    results[i]["error"] = str(error)
            found = await batcher.faces(list(images.values()), [sent[i].source for i in images])
        for (i, image), answer in zip(images.items(), found, strict=True):
            results[i]["height"], results[i]["width"] = image.shape[:2]
            if isinstance(answer, ValueError):
                results[i]["error"] = str(answer)
            elif isinstance(answer, Exception):
                raise answer
            else:
                results[i]["faces"] = [face.to_dict() for face in answer]
        return results

    @app.post(
        "/v1/predict",
        summary="Faces of one or more pictures",
        tags=["pictures"],
        response_class=JSONResponse,
        responses=answers(PredictAnswer, 400, 408, 413, 415, 429, 503),
        openapi_extra={"requestBody": PICTURES_BODY},
    )
    async def predict(request: Request) -> Response:
        """Send the multipart field `files` (one or more), one picture as the body, or JSON with Base64.

        A picture that can't be read has an `error` in its result; the others are answered all the same.
        With `boxes` no faces are looked for: in JSON beside the `image`, in a form as a field with a list for
        each file, [left, top, right, bottom] or ten numbers for five landmarks, in pixels.
        """
        start = time.perf_counter()
        sent = await read_pictures(request, limits.files)
        results = await _while_connected(request, look(sent), limits.request_seconds)
        took = round(1e3 * (time.perf_counter() - start), 2)
        return JSONResponse({"results": results, "model": model, "took_ms": took})


async def _require_client(request: Request) -> None:
    """Stop where nobody would learn the number of the job.

    Raises:
        ClientDisconnect: If the client has gone.
    """
    if await request.is_disconnected():
        raise ClientDisconnect


def add_videos(app: FastAPI) -> None:
    """``/v1/video``: start, follow, read and delete."""

    def found(job_id: str) -> Job:
        job = services(app).jobs.get(job_id)
        if job is None:
            raise HTTPException(404, "There is no such video; it may have been deleted or have expired.")
        return job

    @app.post(
        "/v1/video",
        summary="Start to analyze a video",
        tags=["videos"],
        status_code=202,
        responses=answers(JobStarted, 400, 408, 413, 415, 422, 429, 503, status=202),
        openapi_extra={"requestBody": VIDEO_BODY},
    )
    async def start_video(request: Request, baseline: Baseline | None = None) -> Response:
        """Send the multipart field `file`. The answer names the job; ask for its state and its results.

        With `?baseline=person` answers are relative to each person's resting face, that of the frames so far.
        """
        require_plain(request)
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise HTTPException(415, "Expected multipart/form-data with the field 'file'.")
        jobs = services(app).jobs
        job = jobs.open()
        job.baseline = baseline
        try:
            async with request.form(max_files=1, max_fields=16, max_part_size=65536) as form:
                upload = form.get("file")
                if not isinstance(upload, UploadFile):
                    raise HTTPException(400, "Expected a video in the field 'file'.")
                if "baseline" in form:
                    raise HTTPException(
                        400, "'baseline' belongs to the address: /v1/video?baseline=person; found a field."
                    )
                name = file_name(upload, "video")
                await asyncio.to_thread(_copy, upload, job.path)
            await _require_client(request)
            await jobs.begin(job, name)
            await _require_client(request)
        except BaseException as error:
            jobs.remove(job)
            if isinstance(error, ValueError):
                raise HTTPException(400, str(error)) from error
            if isinstance(error, OSError):
                raise HTTPException(
                    503, f"The server can't keep the video ({error.strerror}).", {"Retry-After": "30"}
                ) from error
            raise
        return JSONResponse({"id": job.id}, 202, {"Location": f"video/{job.id}"})

    @app.get(
        "/v1/video/{id}",
        summary="How far a video is",
        tags=["videos"],
        responses=answers(JobAnswer, 404, 429),
    )
    async def video_state(job_id: JobId) -> Response:
        """Status, progress from 0 to 1, size of a frame, and why it failed if it did."""
        return JSONResponse(found(job_id).state())

    @app.get(
        "/v1/video/{id}/results",
        summary="Faces of a video, as they are found",
        tags=["videos"],
        response_class=StreamingResponse,
        responses=answers(None, 404, 429) | LINES,
    )
    async def video_results(job_id: JobId) -> Response:
        """All results from the first on; while the video is analyzed, new ones follow."""
        return StreamingResponse(found(job_id).lines(), media_type="application/x-ndjson")

    @app.delete(
        "/v1/video/{id}",
        summary="Cancel and delete a video",
        tags=["videos"],
        status_code=204,
        responses=answers(None, 404, 429),
    )
    async def delete_video(job_id: JobId) -> Response:
        """Nothing of it is kept."""
        services(app).jobs.remove(found(job_id))
        return Response(status_code=204)


def add_server(app: FastAPI, predictor: FacePredictor, limits: ServerLimits, metrics: ServerMetrics) -> None:
    """``/v1/model``, ``/v1/stream``, health and numbers."""
    facts = predictor.model.facts

    @app.get("/v1/model", summary="The model", tags=["server"], responses=answers(ModelAnswer, 429))
    async def model() -> Response:
        """Name, labels, threshold of certainty, detector, card, and what this server takes."""
        return JSONResponse(
            {
                "name": facts.name,
                "labels": list(facts.labels),
                "threshold": predictor.threshold,
                "detector": detector_title(predictor.detector),
                "temperature": facts.temperature,
                "card": facts.card,
                "limits": limits.public(),
            }
        )

    @app.get(
        "/healthz",
        summary="Whether it serves",
        tags=["server"],
        responses=answers(Health) | STOPPING,
    )
    async def health() -> Response:
        """200 while requests are taken, 503 while the server stops."""
        is_stopping = services(app).is_stopping
        return JSONResponse({"status": "stopping" if is_stopping else "ok"}, 503 if is_stopping else 200)

    @app.get(
        "/metrics",
        summary="Numbers for Prometheus",
        tags=["server"],
        responses=TEXT,
    )
    async def numbers() -> Response:
        """Requests, latencies, batches, queue, faces, videos and streams."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def stream(socket: WebSocket) -> None:
        with suppress(RuntimeError):  # the client went while an answer was on its way
            await services(app).streams.serve(socket)

    # The application's dependencies are for requests; FastAPI before 0.145 fails on them here.
    app.router.routes.append(WebSocketRoute("/v1/stream", stream))


async def _while_connected(request: Request, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
    """The result of some work; given up when the client goes or it takes too long.

    Work that is given up ends by itself, when it has let go of its pictures and gives its places back.
    """

    async def leave() -> Message:
        return await request.receive()

    task, gone = asyncio.create_task(work), asyncio.create_task(leave())
    try:
        done, _ = await asyncio.wait({task, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        if gone in done:
            raise ClientDisconnect
        raise HTTPException(
            503,
            f"There was no answer within {seconds:g} s. Send less, try again, or start the server with "
            "--limits request_seconds=….",
            {"Retry-After": "5"},
        )
    finally:
        gone.cancel()
        task.cancel()
        _ending.add(task)
        task.add_done_callback(_ended)
        await asyncio.wait({gone})


def _ended(task: asyncio.Task[Any]) -> None:
    _ending.discard(task)
    if not task.cancelled():
        task.exception()  # nobody else asks for it


async def _in_a_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns in a thread; when cancelled, this ends when the thread has let go."""
    task = asyncio.create_task(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file, 2**20)
