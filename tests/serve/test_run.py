"""Starting and stopping as a user does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from tests.serve.conftest import StandIn, wait_until

from halfsmile.serve.app import create_app
from halfsmile.serve.run import KEY_VARIABLE, check_exposure, listen, make_server, serve

PROGRAM = """
import sys
sys.path.insert(0, {root!r})
import halfsmile.predict.predictor as predictor
from tests.serve.conftest import StandIn
predictor.Predictor = lambda *_, **__: StandIn(seconds={seconds})
from halfsmile.serve.run import serve
serve(port={port}, access_log=True)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_leaves_nothing(
    tmp_path: Path, clip: bytes, sent: signal.Signals
) -> None:
    port = free_port()
    program = PROGRAM.format(root=str(Path(__file__).parents[2]), port=port, seconds=0.3)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, env=environment, text=True
    ) as server:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return httpx.get(f"{url}/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, 30)
        httpx.post(f"{url}/v1/video", files={"file": ("my-secret-name.mp4", clip)}).raise_for_status()
        assert list(tmp_path.rglob("video"))
        server.send_signal(sent)
        said = server.communicate(timeout=20)[1]
    assert server.returncode == 0
    assert f"{url} (Ctrl-C stops)" in said
    assert "POST /v1/video 202" in said
    assert "my-secret-name" not in said
    assert "Traceback" not in said
    assert not list(tmp_path.glob("halfsmile-*"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_part_of_an_answer_waits_for_an_acknowledgment(host: str) -> None:
    try:
        listener = listen(host, 0)
    except ValueError:
        pytest.skip(f"this machine has no {host}")
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client.recv(1) == b""


def test_a_port_in_use_is_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"Port {port} of 127.0.0.1 is in use.*--port"):
            serve(port=port)


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_port_that_is_none(port: int) -> None:
    with pytest.raises(ValueError, match=f"port {port}"):
        serve(port=port)


def test_an_address_that_others_reach_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    for host in ("0.0.0.0", "::", "192.168.1.2", "faces.example"):  # noqa: S104
        with pytest.raises(ValueError, match=KEY_VARIABLE):
            serve(host=host)
        check_exposure(host, api_key="key", unprotected=False)
        check_exposure(host, api_key=None, unprotected=True)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_exposure(host, api_key=None, unprotected=False)


def test_a_damaged_form_is_answered_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(StandIn())
    make_server(app)
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    with TestClient(app, base_url="http://127.0.0.1") as client:
        for body in (b"--x\nfields with bare line feeds", b"--y\r\nanother boundary", b"\x1f\x8b packed"):
            assert client.post("/v1/predict", content=body, headers=form).status_code == 400
    assert [record for record in caplog.records if record.name.startswith("python_multipart")] == []


@pytest.mark.parametrize("option", ["threads", "workers"])
def test_none_of_what_works_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} must be at least 1, found 0"):
        serve(port=free_port(), **{option: 0})  # type: ignore[arg-type]
