"""Bodies under limits while they arrive: in bytes, in time, and in memory over all requests together."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from halfsmile.serve.limits import MIB, ServerLimits

VIDEO_PATH = "/v1/video"
_DRAIN_SECONDS = 2.0  # how long a refused body is read on, so that the client gets to read why


class BodyLimits:
    """Gives the application bodies within limits; what exceeds them ends the request with a reason.

    A body without a stated length is counted as it comes.

    Args:
        app: What serves the requests.
        limits: Of bytes, seconds and memory.
    """

    def __init__(self, app: ASGIApp, limits: ServerLimits) -> None:
        self.app = app
        self.limits = limits
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive, self)
        try:
            await self.app(scope, body.receive, body.sender(send))
        finally:
            self._held -= body.held

    def hold(self, count: int) -> None:
        """Take bytes into account that stay in memory.

        Raises:
            HTTPException: 429, if all requests together hold too many.
        """
        if self._held + count > self.limits.memory_bytes:
            raise HTTPException(
                429,
                "The server holds as much as it can. Try again in a second, or start it with higher --limits "
                "memory_bytes.",
                {"Retry-After": "1"},
            )
        self._held += count


class _Body:
    """The body of one request."""

    def __init__(self, scope: Scope, receive: Receive, owner: BodyLimits) -> None:
        limits = owner.limits
        is_video = scope["path"] == VIDEO_PATH
        self.owner = owner
        self.held = 0
        self._receive = receive
        self._in_memory = not is_video
        self._most = limits.video_bytes if is_video else limits.body_bytes
        self._limit = "video_bytes" if is_video else "body_bytes"
        self._time_limit = "video_body_seconds" if is_video else "body_seconds"
        self._idle = limits.idle_seconds
        seconds = limits.video_body_seconds if is_video else limits.body_seconds
        self._until = asyncio.get_running_loop().time() + seconds
        self._count = 0
        self._is_complete = self._is_late = False
        length = Headers(scope=scope).get("content-length", "")
        self._stated = int(length) if length.isdecimal() else 0

    async def receive(self) -> Message:
        """The next part, as ASGI has it.

        Raises:
            HTTPException: 408 if the client is too slow, 413 if the body is too large, 429 if memory is
                short.
        """
        if self._is_complete:
            return await self._receive()
        if self._stated > self._most:
            raise self._too_large()
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(0.0, min(self._idle, self._until - now))):
                message = await self._receive()
        except TimeoutError:
            self._is_late = True
            raise HTTPException(
                408,
                f"The body did not arrive in time; {self._count:,} bytes came. Send it faster, or start the "
                f"server with higher --limits ({self._time_limit}, idle_seconds).",
            ) from None
        self._take(message)
        if self._count > self._most:
            raise self._too_large()
        if self._in_memory:
            part = len(message.get("body", b""))
            self.owner.hold(part)
            self.held += part
        return message

    def sender(self, send: Send) -> Send:
        """``send`` that reads a refused body on for a moment, and then asks to close the connection."""

        async def patient(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._is_complete:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0 if self._is_late else _DRAIN_SECONDS):
                        while not self._is_complete:
                            self._take(await self._receive())
                if not self._is_complete:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        return patient

    def _take(self, message: Message) -> None:
        self._count += len(message.get("body", b""))
        self._is_complete = message["type"] == "http.disconnect" or not message.get("more_body", False)

    def _too_large(self) -> HTTPException:
        found = max(self._stated, self._count)
        return HTTPException(
            413,
            f"The body has {'' if self._stated else 'more than '}{found / MIB:,.1f} MiB; at most "
            f"{self._most / MIB:,.1f} MiB are taken. Send less at once, or start the server with "
            f"--limits {self._limit}=….",
        )
