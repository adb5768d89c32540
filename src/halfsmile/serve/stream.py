"""A webcam over a WebSocket: the newest frame is answered, older ones that wait are dropped and counted.

The client sends pictures (JPEG, PNG or WebP) as binary messages. Each answer is a JSON object: ``frame``, the
number of the picture among all that were sent, from 0; ``time`` in seconds since the first; ``width`` and
``height``; ``faces`` with numbers of tracks; and ``dropped``, how many were dropped so far. A picture that
can't be read is answered by ``frame`` and ``error``; the connection stays open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from halfsmile.data.decode import BadImageError
from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.track import Tracker
from halfsmile.predict.face import Face
from halfsmile.serve.batcher import Batcher, BusyError, Reservation, StoppingError
from halfsmile.serve.guard import SUBPROTOCOL
from halfsmile.serve.limits import MIB, ServerLimits
from halfsmile.serve.metrics import ServerMetrics
from halfsmile.serve.pictures import Sent, claimed_pixels, decode_picture

_RETRY_SECONDS = 0.05
_CLOSE_SECONDS = 1.0  # that a client who does not read may hold up its own end
TRY_LATER, POLICY, TOO_BIG, GOING_AWAY, UNSUPPORTED = 1013, 1008, 1009, 1001, 1003


class Streams:
    """All open streams.

    Args:
        batcher: Analyzes the frames.
        limits: Of streams and frames.
        metrics: Where to count.
    """

    def __init__(self, batcher: Batcher, limits: ServerLimits, metrics: ServerMetrics) -> None:
        self.batcher = batcher
        self.limits = limits
        self.metrics = metrics
        self._open: set[WebSocket] = set()
        self._is_stopping = False

    async def serve(self, socket: WebSocket) -> None:
        """One connection from beginning to end."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        if self._is_stopping or len(self._open) >= self.limits.streams:
            reason = f"The server has {len(self._open)} webcams already (--limits streams). Try again later."
            await socket.close(TRY_LATER, "The server is stopping." if self._is_stopping else reason)
            return
        self._open.add(socket)
        self.metrics.streams.inc()
        stream = _Stream(socket, self)
        answering = asyncio.create_task(stream.answer())
        reading = asyncio.create_task(stream.read())
        try:
            await asyncio.wait({answering, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, reading):
                task.cancel()
            self._open.discard(socket)
            self.metrics.streams.dec()
        await asyncio.wait({answering, reading})
        for task in (answering, reading):
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, WebSocketDisconnect | RuntimeError):
                raise error

    async def close(self) -> None:
        """End all streams with a reason."""
        self._is_stopping = True
        ends = [_end(socket, GOING_AWAY, "The server is stopping.") for socket in self._open]
        await asyncio.gather(*ends)


async def _end(socket: WebSocket, code: int, reason: str) -> None:
    """Close a connection whose client has not gone; one that does not read is left to the server to drop."""
    if socket.application_state is WebSocketState.CONNECTED:
        with suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await socket.close(code, reason)


class _Stream:
    def __init__(self, socket: WebSocket, owner: Streams) -> None:
        self.socket = socket
        self.limits, self.batcher, self.metrics = owner.limits, owner.batcher, owner.metrics
        self.tracker = Tracker()
        self.received = self.dropped = 0
        self.newest: tuple[int, float, bytes] | None = None
        self.arrived = asyncio.Event()
        self.start: float | None = None

    async def read(self) -> None:
        """Keep the newest frame, until the client goes or does what it must not."""
        while True:
            try:
                async with asyncio.timeout(self.limits.stream_idle_seconds):
                    message = await self.socket.receive()
            except TimeoutError:
                await _end(
                    self.socket, POLICY, "No picture came for too long (--limits stream_idle_seconds)."
                )
                return
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if data is None:
                await _end(self.socket, UNSUPPORTED, "Send pictures as binary messages.")
                return
            if len(data) > self.limits.frame_bytes:
                most = self.limits.frame_bytes / MIB
                await _end(self.socket, TOO_BIG, f"A frame may have {most:,.1f} MiB (--limits frame_bytes).")
                return
            now = time.perf_counter()
            self.start = now if self.start is None else self.start
            if self.newest is not None:
                self._drop()
            self.newest = (self.received, now - self.start, data)
            self.received += 1
            self.arrived.set()

    async def answer(self) -> None:
        """Answer the newest frame, again and again."""
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            if self.newest is None:
                continue
            (number, seconds, data), self.newest = self.newest, None
            answer = await self._look(number, seconds, data)
            if answer is not None:
                await self.socket.send_json(answer)

    async def _look(self, number: int, seconds: float, data: bytes) -> dict[str, Any] | None:
        """The answer about a frame; None if a newer one shall be answered instead."""
        sent = Sent("webcam", data)
        try:
            place = await self._place(claimed_pixels(sent, self.limits.frame_pixels))
            if place is None:
                self._drop()
                return None
            with place:
                image = await asyncio.to_thread(decode_picture, sent, self.limits.frame_pixels)
                faces = (await self.batcher.faces([image], ["webcam"]))[0]
        except BadImageError as error:
            return {"frame": number, "error": str(error)}
        except StoppingError:
            return {"frame": number, "error": "The server is stopping."}
        if isinstance(faces, Exception):
            return {"frame": number, "error": "This picture could not be analyzed."}
        self.metrics.frames.inc()
        return {
            "frame": number,
            "time": round(seconds, 3),
            "width": image.shape[1],
            "height": image.shape[0],
            "faces": [
                replace(face, frame=number, time=round(seconds, 3)).to_dict()
                for face in tracked(self.tracker, faces, seconds, image)
            ],
            "dropped": self.dropped,
        }

    async def _place(self, pixels: int) -> Reservation | None:
        """A place in the queue; None if a newer frame came before there was one."""
        while True:
            try:
                return self.batcher.reserve([pixels])
            except BusyError:
                if self.newest is not None:
                    return None
                await asyncio.sleep(_RETRY_SECONDS)

    def _drop(self) -> None:
        self.dropped += 1
        self.metrics.dropped.inc()


def tracked(
    tracker: Tracker, faces: Sequence[Face], seconds: float, image: Image | None = None
) -> list[Face]:
    """The same faces with the numbers of their tracks; None for those that no track is sure of yet.

    Args:
        tracker: Of this stream.
        faces: Of the next frame.
        seconds: Its time, later than that of the frame before.
        image: Its pixels, RGB; with them nobody takes over the number of who sat there before a pause.
    """
    detections = [
        Detection(
            np.asarray(face.box, np.float32),
            None if face.landmarks is None else np.asarray(face.landmarks, np.float32),
            face.score,
        )
        for face in faces
    ]
    ids = {tuple(track.box): track.id for track in tracker.update(detections, seconds, image=image)}
    boxes = [tuple(np.asarray(detection.box, np.float64)) for detection in detections]
    return [replace(face, track=ids.get(box)) for face, box in zip(faces, boxes, strict=True)]
