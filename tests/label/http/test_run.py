"""Starting and stopping as a user does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs halfsmile[serve]")

import httpx
from tests.serve.conftest import wait_until
from tests.serve.test_run import free_port


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_answers_are_kept(
    drawn: tuple[Path, list[str]], tmp_path: Path, sent: signal.Signals
) -> None:
    port = free_port()
    options = ["--aligned", "--no-browser", "--out", str(tmp_path / "labels"), "--port", str(port)]
    command = [sys.executable, "-m", "halfsmile", "label", str(drawn[0]), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        url = f"http://127.0.0.1:{port}/v1"

        def answers() -> bool:
            try:
                return httpx.get(f"{url}/project").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, 30)
        answer = {"face": "3", "kind": "label", "labels": ["neutral"]}
        httpx.post(f"{url}/answers", json={"annotator": "me", "answers": [answer]}).raise_for_status()
        server.send_signal(sent)
        said = server.communicate(timeout=30)[1]
    assert server.returncode == 0
    assert "Traceback" not in said
    lines = (tmp_path / "labels/answers.jsonl").read_text().splitlines()
    assert any(json.loads(line).get("labels") == ["neutral"] for line in lines)
    assert (tmp_path / "labels/labels.csv").is_file()
