"""The same work on Ray, started on this machine: order, crashes, kill -9, and the very same files."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.utils.parallel.tasks import worker

from halfsmile.data.synthetic import generate
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.faces.prepare.pipeline import prepare
from halfsmile.faces.prepare.settings import Settings
from halfsmile.predict.pseudo_labels.run import pseudo_label
from halfsmile.predict.pseudo_labels.work import Labeler
from halfsmile.utils.parallel.pool import TaskError
from halfsmile.utils.parallel.ray import RayPool, require_reachable

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed (extra [ray])", allow_module_level=True)

FACES = 400
PREPARE = """
import functools, sys
from pathlib import Path
import halfsmile.faces.prepare.pipeline as module
from halfsmile.faces.prepare.settings import Settings
module.StoreWriter = functools.partial(module.StoreWriter, commit_seconds=0.0)
module.prepare(["faces.zip"], Path("store"), settings=Settings(detector="aligned", size=112), engine="ray",
               workers=2, shard_size=2**19, progress=False)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of Ray with two processors."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = import_module("ray")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _system_config={"worker_niceness": 0},
    )
    yield str(ray.get_runtime_context().gcs_address)
    ray.shutdown()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of faces, some damaged, and ``local``: their store."""
    root = tmp_path_factory.mktemp("place")
    pool = [encode_png(image) for image in generate(50, size=64, seed=0, people=9).images]
    with zipfile.ZipFile(root / "faces.zip", "w") as archive:
        for index in range(FACES):
            archive.writestr(f"{index:05d}.png", pool[index % 50] if index % 97 else b"damaged")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        quietly(Path("local"), workers=0)
    return root


def quietly(out: Path, **options: Any) -> Any:
    settings = Settings(detector="aligned", size=112)
    return prepare(["faces.zip"], out, settings=settings, shard_size=2**19, progress=False, **options)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def kill_while_it_works(program: str, folder: Path, address: str, parts: Path) -> None:
    """Start a program, and end it with kill -9 when it has written two parts."""
    environment = {**os.environ, "RAY_ADDRESS": address}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=folder, env=environment)
    deadline = time.monotonic() + 120
    while len(list(parts.glob("part-*"))) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it must not have been finished yet"


def test_pieces_come_in_order_and_failures_with_their_task(cluster: str) -> None:
    tasks = [5, 0, 1, 200, 13, 2, 14, 3, 4, 1, 0, 7]
    found: list[Any] = []
    with RayPool(worker, workers=2) as pool:
        for task, pieces in pool.run(tasks):
            try:
                found.append(next(pieces, None) if task == 4 else list(pieces))
            except TaskError as failure:
                found.append(str(failure))
    expected: list[Any] = [[(task, piece) for piece in range(task)] for task in tasks]
    expected[tasks.index(4)] = (4, 0)
    expected[tasks.index(13)] = "its process ended (signal 9, SIGKILL)"
    expected[tasks.index(14)] = "ZeroDivisionError: a mistake in the code"
    assert found == expected


def test_a_store_made_by_ray_and_killed_is_that_of_local_processes(
    cluster: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    kill_while_it_works(PREPARE, place, cluster, place / "store" / "parts")
    assert not (place / "store" / "index.parquet").exists()
    summary = quietly(Path("store"), engine="ray", workers=2)
    assert 0 < summary.known_sources < FACES
    assert len(summary.left_out) == 5
    assert files(place / "store") == files(place / "local")


def test_a_table_made_by_ray_is_that_of_local_processes(
    cluster: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first faces are classified without Ray, the others with it."""
    monkeypatch.chdir(place)
    monkeypatch.setattr("halfsmile.predict.pseudo_labels.parts.RANGE", 8)
    monkeypatch.setattr("halfsmile.predict.pseudo_labels.parts.PART", 2)
    local = functools.partial(pseudo_label, Path("local"), workers=0, progress=False)
    local(Path("whole.parquet"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Labeler, "__call__", stopped_after(5, Labeler.__call__))
        with pytest.raises(KeyboardInterrupt):
            local(Path("half.parquet"))
    assert not (place / "half.parquet").exists()
    summary = pseudo_label(Path("local"), Path("half.parquet"), engine="ray", workers=1, progress=False)
    assert (summary.known_faces, summary.faces) == (32, FACES - 5)
    assert (place / "half.parquet").read_bytes() == (place / "whole.parquet").read_bytes()
    assert not list(place.glob("*.parts"))


def stopped_after(calls: int, real: Callable[..., Any]) -> Callable[..., Any]:
    left = iter(range(calls))

    def work(*arguments: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(*arguments)

    return work


def test_an_address_where_nobody_listens_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        require_reachable(address)
        require_reachable(f"ray://{address}")
    start = time.monotonic()
    with pytest.raises(OSError, match=rf"at {address} \(RAY_ADDRESS\).*ray start --head"):
        require_reachable(address)
    with pytest.raises(OSError, match="RAY_ADDRESS"):
        require_reachable("127.0.0.1:99999")
    assert time.monotonic() - start < 4
    for left_to_ray in ("", "auto", "local"):
        require_reachable(left_to_ray)
