"""The picture or the frame that a face was cut from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.decode import BadImageError
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.faces.video.writer import write_video
from halfsmile.label.pool import Pool


def make(folder: Path, *, frames: int = 12) -> Path:
    """A store of faces of a video whose frames are ever brighter, and of a picture."""
    clip, picture = folder / "clip.mp4", folder / "photo.png"
    with write_video(clip) as write:
        for i in range(frames):
            write(np.full((64, 96, 3), 20 * i, np.uint8), i / 25)
    picture.write_bytes(encode_png(np.full((40, 40, 3), 200, np.uint8)))
    data = encode_png(np.zeros((16, 16, 3), np.uint8))
    with StoreWriter(folder / "store") as writer:
        cut = [
            StoredFace(data, 16, 16, video=str(clip), frame=i, time=i / 25, track=0) for i in range(frames)
        ]
        writer.add(str(clip), cut)
        writer.add(str(picture), [StoredFace(data, 16, 16)])
    return folder / "store"


def brightness(jpeg: bytes) -> float:
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    return float(shown.mean())


def test_a_face_of_a_video_is_shown_in_its_frame(tmp_path: Path) -> None:
    pool = Pool.open(make(tmp_path))
    for row in (0, 1, 7, 11):
        assert pool.missing_context(row) is None
        assert brightness(pool.context(row)) == pytest.approx(20 * row, abs=4)
    assert brightness(pool.context(12)) == pytest.approx(200, abs=2)


def test_what_is_gone_is_told(tmp_path: Path) -> None:
    pool = Pool.open(make(tmp_path))
    (tmp_path / "clip.mp4").unlink()
    assert pool.missing_context(3) == (
        f"The video that this face was cut from is no longer at {tmp_path / 'clip.mp4'}."
    )
    with pytest.raises(BadImageError, match=r"#\d+\+\d+: The video that this face was cut from is no longer"):
        pool.context(3)
    (tmp_path / "photo.png").unlink()
    assert "The picture that this face was cut from is no longer" in (pool.missing_context(12) or "")


def test_another_video_in_its_place_is_told(tmp_path: Path) -> None:
    pool = Pool.open(make(tmp_path))
    with write_video(tmp_path / "clip.mp4") as write:
        for i in range(3):
            write(np.zeros((64, 96, 3), np.uint8), i / 25)
    with pytest.raises(BadImageError, match=r"there is no frame at 0\.280 s; has the video been changed"):
        pool.context(7)
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(BadImageError, match="can't be read"):
        pool.context(7)


def test_faces_that_were_cut_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((16, 16, 3), np.uint8)))
    pool = Pool.open(tmp_path)
    assert pool.missing_context(0) == "This face was not cut from a picture."
