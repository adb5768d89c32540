"""A server that a proxy offers below a path of its own, as ``https://example.org/faces/``.

Proxies either take that path off a request or pass it on; here it is taken off, where it is still there, so
that everything else knows one form of address.
"""

from __future__ import annotations

import re

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class BelowPath:
    """Takes a path off the beginning of requests.

    Args:
        app: What serves the requests.
        root_path: Of :func:`require_root_path`, not empty.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path == self.root_path:
            await RedirectResponse(f"{self.root_path}/")(scope, receive, send)
            return
        if scope["type"] in ("http", "websocket") and path.startswith(f"{self.root_path}/"):
            raw = scope.get("raw_path")
            begin = self.root_path.encode()
            scope = dict(scope) | {"path": path.removeprefix(self.root_path)}
            scope["raw_path"] = raw.removeprefix(begin) if raw is not None else None
        await self.app(scope, receive, send)


def require_root_path(root_path: str) -> str:
    """A path that begins with a slash and does not end with one, or nothing.

    Raises:
        ValueError: If it is no path.

    Example:
        >>> require_root_path("faces/"), require_root_path("/tools/faces"), require_root_path("/")
        ('/faces', '/tools/faces', '')
    """
    path = "/" + root_path.strip().strip("/")
    if path == "/":
        return ""
    if not _PATH.fullmatch(path):
        raise ValueError(f"--root-path {root_path!r} is no path: expected letters, digits and /, as /faces.")
    return path
