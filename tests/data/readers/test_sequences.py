"""Tables of frames beside pictures in folders or an archive, with their oddities."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.data.images import load_faces
from halfsmile.data.readers.sequences import divide_people, read
from halfsmile.taxonomy import FERPLUS

HEADER = "sequence,person,kind,frame,file,intensity,label,corruption"
ROWS = [
    "a_full,a,full,0,a_full/000.jpg,0.0,neutral,",
    "a_full,a,full,1,a_full/001.jpg,0.4,transition,blur",
    "a_full,a,full,3,a_full/003.jpg,1.0,happiness,dark",
    "b_smile,b,smile,0,b_smile/000.jpg,1.0,happiness,",
]


def write(root: Path, rows: list[str] = ROWS, header: str = HEADER) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "frames.csv").write_text("\n".join([header, *rows]) + "\n")
    for i, row in enumerate(rows):
        path = root / row.split(",")[4]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".jpg", np.full((6, 6, 3), 60 * i, np.uint8))[1].tobytes())
    return root


def pack(root: Path) -> Path:
    with zipfile.ZipFile(root / "sequences.zip", "w") as archive:
        for file in sorted(root.rglob("*.jpg")):
            archive.write(file, file.relative_to(root).as_posix())
            file.unlink()
    return root


def test_rows_become_frames_and_transitions_have_no_label(tmp_path: Path) -> None:
    found = read(write(tmp_path))
    assert found.manifest.column("label") == ["neutral", None, "happiness", "happiness"]
    assert found.manifest.column("video") == ["a_full", "a_full", "a_full", "b_smile"]
    assert found.manifest.column("person") == ["a", "a", "a", "b"]
    assert found.manifest.column("frame") == [0, 1, 3, 0]
    assert found.manifest.taxonomy is not None
    assert found.manifest.taxonomy.labels == ("neutral", "happiness")
    assert found.manifest.notes == ()
    assert found.times.tolist() == [0.0, 0.04, 0.12, 0.0]
    assert found.spoiled.tolist() == [False, True, True, False]
    np.testing.assert_allclose(found.intensity, [0.0, 0.4, 1.0, 1.0])
    assert read(tmp_path, frame_rate=10).times.tolist() == [0.0, 0.1, 0.3, 0.0]
    assert read(tmp_path, taxonomy=FERPLUS).manifest.taxonomy is FERPLUS


def test_an_archive_reads_like_the_folder(tmp_path: Path) -> None:
    plain = load_faces(read(write(tmp_path)).manifest, size=6, channels=3, progress=False)
    packed = load_faces(read(pack(tmp_path)).manifest, size=6, channels=3, progress=False)
    assert len(packed) == 4
    assert np.array_equal(plain.images, packed.images)


def test_time_stamps_of_the_table_win_and_intensity_may_be_unknown(tmp_path: Path) -> None:
    rows = [f"{row},{stamp}" for row, stamp in zip(ROWS, (0.0, 0.07, 2.5, 9.0), strict=True)]
    rows[1] = rows[1].replace("0.4", "")
    found = read(write(tmp_path, rows, HEADER + ",time"))
    assert found.times.tolist() == [0.0, 0.07, 2.5, 9.0]
    assert np.isnan(found.intensity).tolist() == [False, True, False, False]


def test_missing_and_extra_pictures_are_counted(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "a_full/003.jpg").rename(tmp_path / "a_full/004.jpg")
    found = read(tmp_path)
    assert len(found) == 4
    assert found.manifest.notes == (
        "1 frames of frames.csv have no picture, first a_full/003.jpg.",
        "1 pictures are not in frames.csv and were ignored, first a_full/004.jpg.",
    )


def test_frames_of_some_people(tmp_path: Path) -> None:
    found = read(write(tmp_path)).of_people({"b"})
    assert found.manifest.column("image") == ["b_smile/000.jpg"]
    assert (len(found.times), len(found.spoiled), len(found.intensity)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([], HEADER, "0 rows and lacks the columns"),
        (ROWS, HEADER.replace("person", "who"), r"lacks the columns \['person'\]"),
        ([*ROWS, "b,b"], HEADER, "1 rows don't have one value per column, first row 5"),
        ([ROWS[0].replace(",0,", ",zero,"), ROWS[3]], HEADER, "column 'frame' is not all numbers"),
        ([ROWS[0].replace("0.0", "inf"), ROWS[3]], HEADER, "column 'intensity' holds NaN or infinity"),
        (ROWS[:1], HEADER, r"labels \['neutral'\]; at least two"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    rows: list[str], header: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path)
    (tmp_path / "frames.csv").write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no frames\.csv"):
        read(tmp_path)
    write(tmp_path)
    with pytest.raises(ValueError, match="frame_rate is 0"):
        read(tmp_path, frame_rate=0)
    pack(tmp_path)
    (tmp_path / "frames.csv").write_text(
        (tmp_path / "frames.csv").read_text().replace("_full/", "_else/").replace("_smile/", "_else/")
    )
    with pytest.raises(ValueError, match="None of the 4 pictures"):
        read(tmp_path)
    (tmp_path / "second.zip").write_bytes((tmp_path / "sequences.zip").read_bytes())
    with pytest.raises(ValueError, match="several archives"):
        read(tmp_path)


def test_people_are_divided_without_overlap() -> None:
    names = [f"{i:02d}" for i in range(51)] * 3
    groups = divide_people(names, (0.4, 0.3), seed=1)
    assert [len(group) for group in groups] == [20, 16, 15]
    assert sorted(name for group in groups for name in group) == sorted(set(names))
    assert groups == divide_people(names[::-1], (0.4, 0.3), seed=1)
    assert groups != divide_people(names, (0.4, 0.3), seed=2)
    with pytest.raises(ValueError, match="a group is empty"):
        divide_people(["ada", "ben"], (0.1,))


def test_the_real_set(real_data: Path) -> None:
    root = real_data / "sequences_london"
    if not root.is_dir():
        pytest.skip(f"no sequences at {root}; set HALFSMILE_DATA")
    found = read(root)
    assert len(found) == 4080
    assert found.manifest.counts() == {"neutral": 2159, "happiness": 1667}
    assert len(set(found.manifest.column("person"))) == 51
    assert found.spoiled.sum() == 609
    assert found.manifest.notes == ()
