"""Who may ask: the checks before a request is served, and the headers that every answer carries.

A server on a loopback address is reached by any web page that the user opens. Three checks keep such pages
out: the Host header must be an address or an allowed name (a page whose name was re-pointed to 127.0.0.1
sends its own name), requests that a page of another origin sends are refused unless that origin is allowed,
and no answer lets others read it.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SUBPROTOCOL = "halfsmile"
_KEY_PREFIX = "halfsmile.key."
_PROTECTED = ("/v1/", "/metrics")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_UNCOUNTED = ("/healthz", "/metrics")
_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class RequestGuard:
    """Refuses what may not be asked, and more at once than the server serves.

    Args:
        app: What serves the requests.
        api_key: Asked for at ``/v1/`` and ``/metrics``; None asks for none.
        allowed_hosts: Names under which the server may be reached besides ``localhost`` and any address;
            ``*`` allows every name.
        concurrency: Requests served at once.
        allowed_origins: Origins whose pages may use the server, as ``http://localhost:3000``; ``*`` allows
            all.

    Raises:
        ValueError: If an origin is none.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        api_key: str | None,
        allowed_hosts: Iterable[str],
        concurrency: int,
        allowed_origins: Iterable[str] = (),
    ) -> None:
        self.app = app
        self.api_key = api_key
        self.allowed_hosts = frozenset(name.lower() for name in allowed_hosts) | {"localhost"}
        self.concurrency = concurrency
        self.allowed_origins = frozenset(map(require_origin, allowed_origins))
        self._serving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        origin = headers.get("origin", "")
        shared = self._shares_with(origin)
        if scope["type"] == "websocket":
            if refused is not None:
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": refused[1][:120]})
                return
            await self.app(scope, receive, send)
            return
        guarded = _secured(send, headers.get("host", ""), origin if shared else None)
        if shared and is_preflight(scope, headers) and self._is_allowed(headers.get("host", "")):
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, guarded)
            return
        if refused is None and self._serving >= self.concurrency and scope["path"] not in _UNCOUNTED:
            refused = (
                429,
                (
                    f"The server is busy with {self._serving} requests. Try again in a second, or start it "
                    f"with --limits concurrency={2 * self.concurrency}."
                ),
            )
        if refused is not None:
            status, detail = refused
            extra = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}.get(status)
            await JSONResponse({"detail": detail}, status, extra)(scope, receive, guarded)
            return
        self._serving += 1
        try:
            await self.app(scope, receive, guarded)
        finally:
            self._serving -= 1

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and reason, or None."""
        host = headers.get("host", "")
        if "content-length" in headers and "transfer-encoding" in headers:
            return 400, "Content-Length and Transfer-Encoding contradict each other: send one of them."
        if not self._is_allowed(host):
            return 400, (
                f"This server is not known as {host[:100]!r}. Use its address, or start it with "
                "--allowed-hosts and this name."
            )
        origin = headers.get("origin")
        asks_from_page = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        is_own = origin is None or _place(origin) == host.lower() or self._shares_with(origin)
        if asks_from_page and not is_own:
            return 403, (
                f"Pages of {str(origin)[:100]} may not use this server; its own page may. Start it with "
                f"--allowed-origins and this origin to allow them."
            )
        if self.api_key is not None and scope["path"].startswith(_PROTECTED):
            given = sent_key(headers)
            if given is None:
                return 401, "This server asks for a key: send the header 'Authorization: Bearer KEY'."
            if not secrets.compare_digest(given.encode(), self.api_key.encode()):
                return 401, "The key is not the one of this server."
        return None

    def _is_allowed(self, host: str) -> bool:
        if "*" in self.allowed_hosts:
            return True
        match = _HOST.fullmatch(host)
        if match is None or int(match["port"] or 0) >= 2**16:
            return False
        name = (match["name"] or match["ipv6"]).lower()
        return name in self.allowed_hosts or is_address(name)

    def _shares_with(self, origin: str) -> bool:
        """Whether pages of an origin may use the server and read its answers."""
        allowed = self.allowed_origins
        return bool(origin) and origin != "null" and ("*" in allowed or origin.lower() in allowed)


def is_preflight(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asks what a page of another origin may do."""
    return scope.get("method") == "OPTIONS" and "access-control-request-method" in headers


def require_origin(origin: str) -> str:
    """An origin as browsers send it: scheme, host and, where it is not the usual one, port.

    Raises:
        ValueError: If it is none.

    Example:
        >>> require_origin("http://localhost:3000/"), require_origin("*")
        ('http://localhost:3000', '*')
    """
    found = origin.strip().lower().removesuffix("/")
    parts = urlsplit(found)
    if found != "*" and (
        not parts.scheme or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != found or "@" in found
    ):
        raise ValueError(
            f"{origin!r} is no origin for --allowed-origins: it has a scheme and a host and no path, as "
            "http://localhost:3000."
        )
    return found


def _place(origin: str) -> str | None:
    """Host and port of an origin, None if it is malformed."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def is_address(name: str) -> bool:
    """Whether a host is an IP address; those can't be re-pointed as names can.

    Example:
        >>> is_address("127.0.0.1"), is_address("::1"), is_address("127.0.0.1.example.org")
        (True, True, False)
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def sent_key(headers: Headers) -> str | None:
    """The key that a client sent, if any.

    ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``. Pages can't set headers of a WebSocket; they offer
    the subprotocols ``halfsmile`` and ``halfsmile.key.`` + the key in URL-safe Base64 without padding.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    for offered in headers.get("sec-websocket-protocol", "").split(","):
        if offered.strip().startswith(_KEY_PREFIX):
            code = offered.strip().removeprefix(_KEY_PREFIX)
            try:
                return base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).decode()
            except ValueError:
                return None
    return None


def _secured(send: Send, host: str, shared_with: str | None = None) -> Send:
    """Add the headers to what is sent; ``host`` has been checked, ``shared_with`` is an allowed origin."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob:; media-src 'self' blob:; "
        f"connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    safe_host = host and all(c.isalnum() or c in ".-:[]_" for c in host)

    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if shared_with is not None:
                headers["Access-Control-Allow-Origin"] = shared_with
                headers["Access-Control-Expose-Headers"] = "Location, Retry-After"
                headers["Cross-Origin-Resource-Policy"] = "cross-origin"
                headers.add_vary_header("Origin")
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers["Content-Security-Policy"] = policy if safe_host else "default-src 'none'"
        await send(message)

    return secured
