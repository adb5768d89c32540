"""``halfsmile serve``: the application on a port, until Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from halfsmile.faces.detect import detector_title
from halfsmile.predict.answers.prior import Prior
from halfsmile.predict.summary import UNKNOWN
from halfsmile.serve.app import create_app
from halfsmile.serve.limits import ServerLimits
from halfsmile.serve.services import Services
from halfsmile.utils.console import make_console
from halfsmile.utils.cpu import processors
from halfsmile.utils.signals import sigterm_as_ctrl_c

if TYPE_CHECKING:
    from fastapi import FastAPI

KEY_VARIABLE = "HALFSMILE_API_KEY"
STOP_SECONDS = 15
MOST_WORKERS = 8


def serve(
    model: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    detector: str = "auto",
    threshold: float | None = None,
    prior: Prior | None = None,
    threads: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    api_key: str | None = None,
    unprotected: bool = False,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    root_path: str = "",
    limits: ServerLimits | None = None,
    access_log: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM; then requests in hand are answered, videos cancelled, files removed.

    Args:
        model: An exported model or a run folder; None for the model in the box.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        detector: Name of the face detector.
        threshold: Confidence from which an answer counts as certain; None for the model's own.
        prior: How often to expect each expression, see :class:`~halfsmile.predict.predictor.Predictor`.
        threads: Of the model, the detector and OpenCV; None for all cores.
        device: What computes the expressions; see :mod:`halfsmile.predict.options.devices`.
        workers: Predictors that answer side by side, each with its share of the threads; None for one for
            each processor, at most 8, and one on another device.
        api_key: Key that clients must send; None for the environment variable ``HALFSMILE_API_KEY``, or none.
        unprotected: Allow an address that others can reach without a key.
        allowed_hosts: Names under which the server may be reached, besides ``localhost`` and addresses.
        allowed_origins: Origins whose pages may use the server, as ``http://localhost:3000``.
        root_path: Path below which a proxy offers the server, as ``/faces``.
        limits: Of everything; None for the usual ones.
        access_log: Log a line for each request: method, path pattern, status and time; no names, no
            addresses.

    Raises:
        ValueError: If the model can't be had, a number is out of range, the port is in use, or others could
            reach the server without a key and ``unprotected`` was not given.
    """
    from halfsmile.predict.predictor import Predictor

    api_key = api_key or os.environ.get(KEY_VARIABLE) or None
    check_exposure(host, api_key=api_key, unprotected=unprotected)
    listener = listen(host, port)
    with sigterm_as_ctrl_c(), closing(listener):
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, found {threads}.")
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, found {workers}.")
        total = threads or processors()
        count = workers or min(total, MOST_WORKERS)

        def predictor_of(model: str | Path | None, count: int) -> Predictor:
            return Predictor(
                model,
                detector=detector,  # type: ignore[arg-type]
                threshold=threshold,
                threads=max(1, total // count),
                device=device,  # type: ignore[arg-type]
                prior=prior,
            )

        predictor = predictor_of(model, count)
        if workers is None and predictor.model.device != "cpu":
            count, predictor = 1, predictor_of(model, 1)
        more = [predictor_of(model, count) for _ in range(count - 1)]
        app = create_app(
            predictor,
            limits,
            api_key=api_key,
            allowed_hosts=allowed_hosts,
            allowed_origins=allowed_origins,
            root_path=root_path,
            more=more,
        )
        console = make_console(stderr=True)
        if not is_loopback(host):
            console.print(
                f"Warning: others on the network can reach {host}; traffic is not encrypted.",
                style="bold yellow",
            )
        address = address_of(listener)
        by = f"faces found by {detector_title(predictor.detector)}, answered on {predictor.model.device}"
        what = f"{predictor.model.facts.name} ({by})"
        console.print(f"halfsmile serves {what} at {address} (Ctrl-C stops)", soft_wrap=True)
        if predictor.threshold is None:
            console.print(UNKNOWN)
        with suppress(KeyboardInterrupt):  # uvicorn raises it again when all is done
            make_server(app, access_log=access_log).run(sockets=[listener])


def make_server(app: FastAPI, *, access_log: bool = False) -> Server:
    """A uvicorn server for the application; ``run(sockets=[…])`` starts it."""
    limits: ServerLimits = app.state.limits
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # what is damaged is answered, not logged
    if access_log:
        logger = logging.getLogger("halfsmile.serve")
        logger.setLevel(logging.INFO)
        if not logger.handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            logger.addHandler(handler)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws=TolerantWebSocket,
        ws_max_size=limits.frame_bytes,
        ws_max_queue=4,
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(max(1, limits.idle_seconds)),
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return Server(config, app)


class Server(uvicorn.Server):
    """Ends videos and streams before it waits for requests, which would not end by themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        services: Services = self.app.state.services
        await services.stop()
        await super().shutdown(sockets)


class TolerantWebSocket(WebSocketsSansIOProtocol):
    """Hands on text that is no UTF-8 as an empty one: texts are refused anyway, and the log stays quiet."""

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message to the application."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = [b""]
        super().send_receive_event_to_app()


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that waits for the lines before a body as long as for a silent client, and no longer."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Start the clock when a request begins, stop it when its lines are complete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._unwatch()
        elif self._deadline is None:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._deadline = self.loop.call_later(self.timeout_keep_alive, self._end_of_patience)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end_of_patience(self) -> None:
        self._deadline = None
        if self.conn.their_state is h11.IDLE and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


def check_exposure(host: str, *, api_key: str | None, unprotected: bool) -> None:
    """Refuse to let others in without a key.

    Raises:
        ValueError: If the address is not a loopback one, there is no key, and that was not asked for.
    """
    if is_loopback(host) or api_key is not None or unprotected:
        return
    raise ValueError(
        f"{host} can be reached by others. Set a key in the environment variable {KEY_VARIABLE}, or allow "
        "everybody with --unprotected."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ValueError: If the address is none of this machine, or the port is in use or not permitted.
    """
    if not 0 <= port < 2**16:
        raise ValueError(f"Can't listen on {host} port {port}: a port is 0 to {2**16 - 1}.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ValueError(
                f"Port {port} of {host} is in use, perhaps by another halfsmile. Choose another with --port."
            ) from error
        raise ValueError(f"Can't listen on {host} port {port}: {error}.") from error
    # Connections inherit it. asyncio sets it only on sockets that name their protocol, which these don't;
    # without it the body of an answer waits for the acknowledgment of its head, which clients delay by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """The address of a listening socket, for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
