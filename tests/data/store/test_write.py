"""Stores end with the same bytes, whenever their writer was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from halfsmile.data.store import parts as store_parts
from halfsmile.data.store.parts import Parts
from halfsmile.data.store.read import FaceStore, read, read_index
from halfsmile.data.store.verify import verify
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.taxonomy import FERPLUS, RAFDB

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
SETTINGS: dict[str, Any] = {"shard_size": 20_000, "taxonomy": FERPLUS, "quality": ("size", "blur")}

PROGRAM = """
import os, shutil, signal, sys
from pathlib import Path
from tests_store_faces import fill
from halfsmile.data.store.shards import ShardWriter

root, mode = Path(sys.argv[1]), sys.argv[2]
left = 0

def counted(function):
    def call(*args, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)
    return call

def dies(call, root):
    global left
    left = call
    child = os.fork()
    if child == 0:
        fill(root)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0

os.fsync = lambda number: None  # what is written outlives its process all the same
os.fsync, shutil.rmtree, ShardWriter.append = map(counted, (os.fsync, shutil.rmtree, ShardWriter.append))
Path.replace, Path.rename, Path.chmod = map(counted, (Path.replace, Path.rename, Path.chmod))
deaths = 0
if mode in ("slow", "fast"):
    fill(root, pause=0.05 if mode == "slow" else 0.0)
elif mode == "often":
    while dies(1 + deaths % 12, root):
        deaths += 1
else:
    copy = root / "copy"
    while True:
        shutil.copytree(root / "unfinished", copy)
        if not dies(deaths + 1, copy):
            break
        deaths += 1
        assert not dies(0, copy)
        copy.rename(root / str(deaths))
print(deaths)
"""


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1])


def face(seed: int, **more: Any) -> StoredFace:
    return StoredFace(jpeg(seed), width=20, height=30, **more)


def fill(root: Path, *, sources: int = 25, pause: float = 0.0) -> None:
    """Write sources with 0 to 3 faces; every seventh fails at its second face and is left out."""
    with StoreWriter(root, **SETTINGS, commit_seconds=0.0) as writer:
        for number in range(sources):
            name = f"bild {number}·图.jpg"
            if name in writer:
                continue
            time.sleep(pause)

            def faces(number: int = number) -> Any:
                for i in range(2 if number % 7 == 3 else number % 4):
                    if number % 7 == 3 and i == 1:
                        raise OSError("cut short")
                    label = FERPLUS.labels[i]
                    yield face(100 * number + i, quality={"size": 3.0}, label=label, box=np.arange(4.0))

            try:
                writer.add(name, faces())
            except OSError as error:
                writer.leave_out(name, str(error))


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stores") / "unbroken"
    fill(root)
    return root


def command(root: Path, mode: str) -> list[str]:
    loader = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('tests_store_faces', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "sys.modules['tests_store_faces'] = module\n"
        "spec.loader.exec_module(module)\n"
    )
    return [sys.executable, "-c", loader + PROGRAM, str(root), mode]


def deaths(root: Path, mode: str) -> int:
    """How often the program let a process of its own die."""
    done = subprocess.run(command(root, mode), stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return int(done.stdout)


def test_the_store_is_as_expected(unbroken: Path) -> None:
    table, taxonomy = read_index(unbroken)
    assert taxonomy == FERPLUS
    expected = [i for n in range(25) if n % 7 != 3 for i in range(n % 4)]
    assert table["label"].to_pylist() == [FERPLUS.labels[i] for i in expected]
    assert set(table["quality_size"].to_pylist()) == {3.0}
    assert set(table["quality_blur"].to_pylist()) == {None}
    sources = pq.read_table(unbroken / "sources.parquet").to_pylist()
    assert [s["source"] for s in sources] == [f"bild {n}·图.jpg" for n in range(25)]
    assert [s["faces"] for s in sources] == [0 if n % 7 == 3 else n % 4 for n in range(25)]
    assert [s["reason"] for s in sources] == ["cut short" if n % 7 == 3 else None for n in range(25)]
    assert verify(unbroken, pixels=True).ok
    assert set(files(unbroken)) == {
        "index.parquet",
        "sources.parquet",
        *(f"faces-{i:05d}.tar" for i in range(table["shard"].to_numpy().max() + 1)),
    }
    assert table["shard"].to_numpy().max() >= 2


def test_killed_at_any_moment(unbroken: Path, tmp_path: Path) -> None:
    """Real kill -9 while sources are written."""
    root, killed = tmp_path / "store", 0
    for seconds in (0.06, 0.1, 0.13):
        with subprocess.Popen(command(root, "slow")) as process:
            deadline = time.monotonic() + 20
            before = len(list(root.glob("parts/part-*")))
            while len(list(root.glob("parts/part-*"))) <= before and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(seconds)
            process.kill()
            killed += process.wait() == -9
    assert killed == 3
    assert not (root / "index.parquet").exists()
    with pytest.raises(ValueError, match="unfinished"):
        read(root)
    assert deaths(root, "fast") == 0
    assert files(root) == files(unbroken)


@forks
def test_killed_at_every_call(unbroken: Path, tmp_path: Path) -> None:
    """Each run dies at one of its first twelve calls that write, sync, rename or remove; the next goes on."""
    assert deaths(tmp_path / "store", "often") > 12
    assert files(tmp_path / "store") == files(unbroken)


@forks
def test_killed_at_every_call_of_finishing(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All sources are durable, half of them indexed; a run dies at its n-th call, the next one finishes."""
    fill(tmp_path / "unfinished", sources=12)
    with monkeypatch.context() as patched:
        patched.setattr(Parts, "finish", Parts.close)
        fill(tmp_path / "unfinished")
    found = deaths(tmp_path, "finish")
    assert found >= 8
    for run in range(1, found + 1):
        assert files(tmp_path / str(run)) == files(unbroken)


def test_the_index_does_not_tell_when_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_parts, "_ROW_GROUP", 7)
    fill(tmp_path / "once")
    for sources in (3, 9, 10, 25):
        fill(tmp_path / "often", sources=sources)
    assert files(tmp_path / "once") == files(tmp_path / "often")
    metadata = pq.read_metadata(tmp_path / "once" / "index.parquet")
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert set(sizes[:-1]) == {7}
    assert len(sizes) > 3


def test_adding_to_a_finished_store_is_like_never_stopping(unbroken: Path, tmp_path: Path) -> None:
    for sources in (0, 4, 11, 11, 25):
        fill(tmp_path / "store", sources=sources)
        assert verify(tmp_path / "store").ok
    assert files(tmp_path / "store") == files(unbroken)


def test_an_empty_store(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store") as writer:
        writer.leave_out("clip.mp4", "no video stream")
    assert len(read(tmp_path / "store")) == len(FaceStore(tmp_path / "store")) == 0
    assert verify(tmp_path / "store").ok


def test_a_source_that_failed_can_be_tried_again(tmp_path: Path) -> None:
    with StoreWriter(tmp_path) as writer:
        writer.leave_out("a", "unreadable")
        writer.add("b", [face(1)])
    with StoreWriter(tmp_path) as writer:
        assert "a" in writer
        assert writer.left_out == {"a": "unreadable"}
    with StoreWriter(tmp_path, retry=True) as writer:
        assert "a" not in writer
        assert "b" in writer
        writer.add("a", [face(2)])
    found = [
        (s["source"], s["faces"], s["reason"])
        for s in pq.read_table(tmp_path / "sources.parquet").to_pylist()
    ]
    assert found == [("b", 1, None), ("a", 1, None)]
    assert len(read(tmp_path)) == 2


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"data": b"GIF89a..."}, "JPEG, PNG or WebP"),
        ({"label": "boredom"}, "label is one of"),
        ({"split": "dev"}, "split is one of"),
        ({"box": [1, 2]}, "box has 2 numbers, expected 4"),
        ({"landmarks": [1.0] * 8}, "expected 10"),
        ({"votes": [1.0]}, "votes has 1 numbers, expected 8"),
        ({"quality": {"nose": 1.0}}, "unknown measures"),
    ],
)
def test_a_wrong_face_is_refused_and_its_source_leaves_no_trace(
    tmp_path: Path, wrong: dict[str, Any], reason: str
) -> None:
    bad = StoredFace(**{"data": jpeg(0), "width": 20, "height": 30, **wrong})
    for name, sources in (("plain", [[face(1)]]), ("other", [[face(2), bad], [face(1)]])):
        with StoreWriter(tmp_path / name, **SETTINGS) as writer:
            if len(sources) > 1:
                with pytest.raises(ValueError, match=reason):
                    writer.add("a", sources[0])
                assert "a" not in writer
            writer.add("b", sources[-1])
    assert files(tmp_path / "other") == files(tmp_path / "plain")


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path), pytest.raises(ValueError, match="Another process is writing"):
        StoreWriter(tmp_path)
    with StoreWriter(tmp_path):
        pass


def test_other_settings_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, sources=2)
    for change in ({"taxonomy": RAFDB}, {"taxonomy": None}, {"quality": ("size",)}):
        with pytest.raises(ValueError, match="Go on with the same settings"):
            StoreWriter(tmp_path, **{**SETTINGS, **change})
    fill(tmp_path, sources=3)


@pytest.mark.parametrize("name", ["a", "\udcff.jpg"])
def test_names_are_unique_and_valid(tmp_path: Path, name: str) -> None:
    with StoreWriter(tmp_path) as writer:
        writer.add("a", [])
        with pytest.raises(ValueError, match=r"already|Unicode"):
            writer.add(name, [])


def test_a_shard_cut_short_stops_the_writer(tmp_path: Path) -> None:
    fill(tmp_path, sources=3)
    with (tmp_path / "faces-00000.tar").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ValueError, match="cut short"):
        StoreWriter(tmp_path, **SETTINGS)
