"""Text over a WebSocket that only takes pictures, valid or not: refused in words, and nothing in the log."""

from __future__ import annotations

import base64
import logging
import os
import socket

import pytest
from tests.serve.conftest import Serve


def opened(address: str) -> socket.socket:
    """A WebSocket by hand, since libraries send no broken text."""
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        "GET /v1/stream HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
    )  # fmt: skip
    connection.sendall("\r\n".join(lines).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert b" 101 " in head
    return connection


@pytest.mark.parametrize("data", [b"hello", b"\xff\xfe\x80", "ü".encode()[:1]])
def test_text_is_refused_without_a_traceback(
    serve: Serve, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), serve() as url, opened(url) as connection:
        connection.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)  # masked with zeros
        answer = connection.recv(2)
        assert answer[0] == 0x88, "a close frame"
        reason = connection.recv(answer[1])
    assert int.from_bytes(reason[:2], "big") == 1003
    assert reason[2:].decode() == "Send pictures as binary messages."
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
