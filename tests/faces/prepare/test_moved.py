"""A picture that lies elsewhere now is known again, and a copy of it is not taken for it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic import write_data_set
from halfsmile.faces.prepare.moved import find_moved
from halfsmile.faces.prepare.pipeline import PrepareSummary, prepare
from halfsmile.faces.prepare.settings import Settings
from halfsmile.faces.prepare.sources import FaceSource

Prepare = Callable[..., PrepareSummary]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Two pictures of each class in ``faces``, and how to prepare a folder into ``store``."""
    monkeypatch.chdir(tmp_path)
    write_data_set(Path("drawn"), train=16, test=0, unlabeled=0, size=48)
    shutil.move("drawn/labeled/train", "faces")

    def run(*names: str) -> PrepareSummary:
        settings = Settings(detector="aligned", size=48)
        return prepare(names, Path("store"), settings=settings, workers=0, progress=False)

    run("faces")
    return run


def contents() -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in Path("store").rglob("*.parquet")
    }


def one_of(folder: str) -> Path:
    return min(Path("faces", folder).iterdir())


def test_a_picture_in_another_class_now_is_refused(made: Prepare) -> None:
    before, picture = contents(), one_of("neutral")
    shutil.move(picture, "faces/happiness")
    with pytest.raises(
        ValueError, match=r"first faces/neutral/.*, now faces/happiness/.* \(label neutral / "
    ):
        made("faces")
    assert contents() == before


def test_a_folder_with_another_name_is_refused(made: Prepare) -> None:
    shutil.move("faces", "pictures")
    with pytest.raises(ValueError, match=r"now pictures/\w+/\S+; their faces would be stored twice.*--out"):
        made("pictures")


def test_the_same_folder_by_another_path_is_refused(made: Prepare) -> None:
    with pytest.raises(ValueError, match="lie elsewhere now, first faces/"):
        made(str(Path("faces").absolute()))


def test_a_packed_folder_is_refused(made: Prepare) -> None:
    shutil.make_archive("packed", "zip", "faces")
    shutil.rmtree("faces")
    with pytest.raises(ValueError, match=r"now packed\.zip!"):
        made("packed.zip")


def test_a_copy_elsewhere_is_added(made: Prepare) -> None:
    shutil.copytree("faces", "copies")
    assert made("copies").faces == 32


def test_a_folder_may_have_the_mark_of_archives_in_its_name(made: Prepare) -> None:
    shutil.move("faces", "wow!")
    shutil.rmtree("store")
    made("wow!")
    shutil.copytree("wow!", "copies")
    assert made("copies").faces == 32


def test_another_picture_of_the_same_name_is_added(made: Prepare) -> None:
    picture, other = one_of("neutral"), one_of("happiness")
    picture.unlink()
    shutil.copy(other, Path("faces", "sadness", picture.name))
    assert made("faces").faces == 17


def test_of_namesakes_those_that_changed_are_looked_at_first(tmp_path: Path) -> None:
    faces = {f"old/{i}.png": StoredFace(b"\xff\xd8\xff" + bytes([i]), 4, 4) for i in range(200)}
    with StoreWriter(tmp_path / "store") as writer:
        for name, face in faces.items():
            writer.add(name, [face])
    new = [FaceSource(f"new/{i}.png", tmp_path, f"{i}.png") for i in range(200)]
    looked: list[str] = []

    def faces_of(source: FaceSource) -> list[StoredFace]:
        looked.append(source.name)
        return [faces["old/" + Path(source.name).name]] if source.name == "new/199.png" else []

    found = find_moved(
        tmp_path / "store", list(faces), new, faces_of, changed=lambda old, _: old == "old/199.png"
    )
    assert found is not None
    assert (found[0], found[1].name, looked) == ("old/199.png", "new/199.png", ["new/199.png"])
    looked.clear()
    assert find_moved(tmp_path / "store", list(faces), new[:-1], faces_of, changed=lambda *_: False) is None
    assert 0 < len(looked) <= 32
