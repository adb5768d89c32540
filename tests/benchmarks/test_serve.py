"""The server of this tree beside that of another."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from benchmarks.serve import (
    Options,
    Side,
    answerers,
    compared_sides,
    in_turn,
    measure,
    port_of,
    ratio,
    server,
)

from benchmarks import serve


def test_the_port_is_read_from_what_a_server_says() -> None:
    assert port_of("8001\n") == 8001
    assert port_of("halfsmile serves default at http://127.0.0.1:8002 (Ctrl-C stops)\n") == 8002
    assert port_of("Warning: 127 of 300 files\n") is None


def test_a_ratio_is_of_each_round_and_their_median() -> None:
    assert ratio([200.0, 190.0, 240.0], [100.0, 100.0, 100.0]) == "2.00 (1.90 to 2.40, rounds: 3)"


def test_rounds_begin_with_either_side_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def measured(options: Options, side: Side, pictures: list[bytes]) -> dict[str, float]:
        order.append(side.names[0])
        return {"rate": len(order)}

    monkeypatch.setattr(serve, "measure", measured)
    found = in_turn(Options(rounds=3), [Side(("a",), ()), Side(("b",), ())], [])
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [[one["rate"] for one in rounds] for rounds in found] == [[1, 4, 5], [2, 3, 6]]


def test_each_server_runs_the_sources_of_its_own_checkout(tmp_path: Path) -> None:
    other = tmp_path / "older"
    (other / "src" / "halfsmile").mkdir(parents=True)
    says_where = "import halfsmile; print(halfsmile.__file__, flush=True); print(1, flush=True)"
    (other / "src" / "halfsmile" / "__init__.py").touch()
    ours, theirs = compared_sides(Options(), other)
    assert ours.command == theirs.command
    for side, root in ((ours, serve.ROOT), (theirs, other)):
        asked = Side(side.names, ("-c", f"{says_where}; raise SystemExit(halfsmile.__file__)"), side.sources)
        with server(asked) as (port, _):
            assert port == 1
        never = Side(side.names, ("-c", "import halfsmile; print(halfsmile.__file__)"), side.sources)
        with pytest.raises(SystemExit, match="did not start") as refused, server(never):
            pass
        assert str(root / "src" / "halfsmile" / "__init__.py") in str(refused.value)


def test_what_halfsmile_serve_says_is_understood() -> None:
    pytest.importorskip("uvicorn", reason="needs halfsmile[serve]")
    ours, _ = compared_sides(Options(), serve.ROOT)
    with server(ours) as (port, _):
        assert answerers(port) == "default, YuNet"


ANSWERS = """
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    number = 0

    def log_message(self, *args):
        pass

    def say(self, status, told):
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.say(200, {"name": "stand-in"})

    def do_POST(self):
        assert self.rfile.read(int(self.headers["Content-Length"])) == b"a picture"
        Handler.number += 1
        status = 200 if Handler.number % 4 else 500
        self.say(status, {"results": [{"error": None if Handler.number % 2 else "no picture"}]})

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def test_answers_and_failures_of_a_server_are_counted() -> None:
    side = Side(("stand-in",), ("-c", ANSWERS))
    found = measure(Options(seconds=0.5, clients=1), side, [b"a picture"])
    counted = dict(part.split(": ") for part in found["statuses"].split(", "))
    good, refused, wrong = (int(counted[name]) for name in ("200", "500", "error in a result"))
    assert refused > 0
    assert abs(good - 3 * refused) <= 3
    assert abs(good - 3 * wrong) <= 3
    assert found["failures"] == refused + wrong
    assert found["rate"] == pytest.approx(good / 0.5, abs=2.1)
    assert found["model"] == "stand-in, detector not told"


def test_a_server_that_says_much_is_not_stopped_by_it(tmp_path: Path) -> None:
    done = tmp_path / "done"
    talks = (
        "import pathlib, sys, time; print(8001, flush=True); print('warning ' * 50_000, flush=True); "
        f"pathlib.Path({str(done)!r}).touch(); time.sleep(60)"
    )
    with server(Side(("talker",), ("-c", talks))):
        until = time.monotonic() + 20
        while not done.exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert done.exists()


def test_all_sides_are_set_beside_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = iter([120.0, 40.0, 50.0, 100.0])

    def measured(options: Options, side: Side, pictures: list[bytes]) -> dict[str, object]:
        told = dict.fromkeys(("times", "statuses", "memory", "model"), "…")
        return {"rate": next(rates), "failures": 0, **told}

    (tmp_path / "src" / "halfsmile").mkdir(parents=True)
    monkeypatch.setattr(serve, "measure", measured)
    monkeypatch.setattr(sys, "argv", ["serve.py", "--against", str(tmp_path), "--rounds", "2"])
    monkeypatch.setenv("COLUMNS", "200")
    serve.main()
    said = capsys.readouterr().out
    assert "this tree" in said
    assert tmp_path.name in said
    assert "first / last: 2.50 (2.00 to 3.00, rounds: 2)" in said


def test_what_is_no_checkout_or_does_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="another checkout of the project"):
        compared_sides(Options(), tmp_path)
    with pytest.raises(SystemExit, match="leave out --batches"):
        compared_sides(Options(batches=(4,)), serve.ROOT)
