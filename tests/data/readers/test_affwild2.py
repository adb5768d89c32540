"""A generated tree with the layout of Aff-Wild2 and its oddities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.affwild2 import HEADER, read, read_frame_list, read_test, recording
from halfsmile.taxonomy import AFFWILD2

CHALLENGE = "6th ABAW Annotations/EXPR_Recognition_Challenge"
NEUTRAL, ANGER, HAPPINESS, OTHER = 0, 1, 4, 7


def annotate(
    root: Path, person: str, classes: list[int], folder: str = "Train_Set", challenge: str = CHALLENGE
) -> Path:
    path = root / challenge / folder / f"{person}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *map(str, classes)]) + "\n")
    return path


def film(root: Path, person: str, frames: list[int], folder: str = "cropped_aligned") -> None:
    """Empty pictures: the reader goes by names and leaves pixels to whoever loads them."""
    (root / folder / person).mkdir(parents=True, exist_ok=True)
    for frame in frames:
        (root / folder / person / f"{frame:05d}.jpg").touch()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two people in one recording, missing pictures, lengths that differ, macOS's left-overs."""
    annotate(tmp_path, "video5_left", [NEUTRAL, NEUTRAL, -1, HAPPINESS, OTHER])
    film(tmp_path, "video5_left", [1, 2, 3, 5])
    annotate(tmp_path, "video5_right", [ANGER, ANGER])
    film(tmp_path, "video5_right", [1, 2, 3, 4], "cropped_aligned_new_50_vids")
    annotate(tmp_path, "10-60-1280x720", [HAPPINESS] * 6, "Validation_Set")
    film(tmp_path, "10-60-1280x720", [2, 3])
    film(tmp_path, "test1", [1, 2, 4])
    film(tmp_path, "test2_right", [1, 2])
    (tmp_path / "cropped_aligned" / ".DS_Store").touch()
    (tmp_path / "cropped_aligned" / "test1" / "Thumbs.db").touch()
    (tmp_path / CHALLENGE / "Train_Set" / "._video5_left.txt").write_bytes(b"\x00\x05\x16")
    film(tmp_path / "__MACOSX", "video5_left", [1])
    film(tmp_path / ".Trash-1000", "video5_left", [1])
    return tmp_path


def rows(manifest: Manifest) -> list[tuple[object, ...]]:
    names = ("image", "label", "split", "person", "video", "frame")
    return list(zip(*(manifest.column(name) for name in names), strict=True))


def test_line_i_after_the_header_is_frame_i_and_frames_count_from_one(tree: Path) -> None:
    left, right, other = (
        "cropped_aligned/video5_left",
        "cropped_aligned_new_50_vids/video5_right",
        "10-60-1280x720",
    )
    assert rows(read(tree)) == [
        (f"{left}/00001.jpg", "neutral", "train", "video5_left", "video5", 1),
        (f"{left}/00002.jpg", "neutral", "train", "video5_left", "video5", 2),
        (f"{left}/00005.jpg", "other", "train", "video5_left", "video5", 5),
        (f"{right}/00001.jpg", "anger", "train", "video5_right", "video5", 1),
        (f"{right}/00002.jpg", "anger", "train", "video5_right", "video5", 2),
        (f"cropped_aligned/{other}/00002.jpg", "happiness", "valid", other, other, 2),
        (f"cropped_aligned/{other}/00003.jpg", "happiness", "valid", other, other, 3),
    ]
    manifest = read(tree)
    assert manifest.taxonomy == AFFWILD2
    assert manifest.counts()["happiness"] == 2


def test_everything_left_out_is_counted(tree: Path) -> None:
    notes = "\n".join(read(tree).notes)
    assert "7 labeled faces of 3 people in 2 recordings; 2 folders of faces have no annotation" in notes
    assert "1 frames are not annotated (1 files or folders, first video5_left.txt)" in notes
    assert "5 labeled frames have no picture (2 files or folders, first video5_left.txt)" in notes
    assert (
        "3 of these come after the person's last picture (1 files or folders, first 10-60-1280x720" in notes
    )
    assert (
        "2 pictures come after the last annotated frame (1 files or folders, first cropped_aligned_new"
        in notes
    )


def test_the_name_of_the_older_challenges_and_annotations_elsewhere(tmp_path: Path) -> None:
    annotate(tmp_path / "a", "video1", [OTHER], challenge="EXPR_Classification_Challenge")
    film(tmp_path / "a", "video1", [1], "Faces/cropped_aligned")
    assert read(tmp_path / "a").column("image") == ["Faces/cropped_aligned/video1/00001.jpg"]
    annotate(tmp_path / "b", "video1", [ANGER], challenge=".")
    assert read(tmp_path / "a", annotations=tmp_path / "b").column("label") == ["anger"]


def test_crops_with_margin_and_aligned_crops_are_not_mixed_up(tree: Path) -> None:
    film(tree, "video5_left", [4], "batch1")
    film(tree, "video5_right", [1], "cropped/batch2")
    film(tree, "10-60-1280x720", [1], "cropped_new_50_vids")
    film(tree, "10-60-1280x720", [6], "batch2/cropped_aligned")
    cropped = read(tree, crops="cropped")
    assert "0 folders of faces have no annotation" in cropped.notes[0]
    assert cropped.column("image") == [
        "batch1/video5_left/00004.jpg",
        "cropped/batch2/video5_right/00001.jpg",
        "cropped_new_50_vids/10-60-1280x720/00001.jpg",
    ]
    aligned = read(tree)
    assert any("1 people have a second folder of faces" in note for note in aligned.notes)
    assert "batch2/cropped_aligned/10-60-1280x720/00006.jpg" in aligned.column("image")


def test_archives_that_unpack_into_a_folder_of_their_own_name(tmp_path: Path) -> None:
    annotate(tmp_path, "video1", [ANGER])
    film(tmp_path, "video1", [1], "cropped_aligned/cropped_aligned")
    assert read(tmp_path).column("image") == ["cropped_aligned/cropped_aligned/video1/00001.jpg"]


def test_people_without_faces_and_empty_files_are_counted_and_skipped(tree: Path) -> None:
    annotate(tree, "video7", [ANGER, ANGER, -1])
    (tree / CHALLENGE / "Train_Set" / "video8.txt").write_text("\n")
    (tree / "cropped_aligned" / "video9").mkdir()
    annotate(tree, "video9", [ANGER])
    manifest = read(tree)
    notes = "\n".join(manifest.notes)
    assert len(manifest) == 7
    assert "1 annotated people have no folder of faces (1 files or folders, first video7.txt)" in notes
    assert "1 annotation files are empty (1 files or folders, first video8.txt)" in notes
    assert "8 labeled frames have no picture (4 files" in notes


def test_lines_that_hold_no_class_are_dropped_and_do_not_shift_the_others(tree: Path) -> None:
    path = annotate(tree, "video5_left", [])
    path.write_text(f"{HEADER}\r\n0\r\n\r\n9\r\n1.0\r\n 7 \r\n\r\n", newline="")
    manifest = read(tree)
    assert [row[1:] for row in rows(manifest) if row[3] == "video5_left"] == [
        ("neutral", "train", "video5_left", "video5", 1),
        ("other", "train", "video5_left", "video5", 5),
    ]
    assert any("3 lines hold no class from -1 to 7" in note for note in manifest.notes)


@pytest.mark.parametrize(
    "header",
    [
        "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise",
        "Neutral,Disgust,Anger,Fear,Happiness,Sadness,Surprise,Other",
        "valence,arousal",
        "0",
    ],
)
def test_other_headers_are_refused_with_both(tree: Path, header: str) -> None:
    (tree / CHALLENGE / "Train_Set" / "video5_left.txt").write_text(f"{header}\n0\n")
    with pytest.raises(
        ValueError, match=rf"video5_left\.txt: expected the header '{HEADER}', found '{header}'"
    ):
        read(tree)


def test_spaces_case_and_a_byte_order_mark_in_the_header_are_forgiven(tree: Path) -> None:
    path = tree / CHALLENGE / "Train_Set" / "video5_right.txt"
    path.write_text("\ufeff" + HEADER.lower().replace(",", ", ") + "\n2\n", encoding="utf-8")
    assert "disgust" in read(tree).column("label")


def test_a_recording_in_both_sets_and_pictures_numbered_from_zero_are_told(tree: Path) -> None:
    annotate(tree, "video5", [ANGER], "Validation_Set")
    film(tree, "video5", [0, 1])
    notes = "\n".join(read(tree).notes)
    assert "1 recordings are in both training and validation set, first video5" in notes
    assert "1 pictures are numbered 0, but frames count from 1" in notes


def test_missing_and_ambiguous_folders_are_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no faces: expected folders cropped, cropped_new_50_vids"):
        read(tree, crops="cropped")
    annotate(tree, "video5_left", [0], challenge="5th ABAW Annotations/EXPR_Classification_Challenge")
    with pytest.raises(ValueError, match=r"exactly one folder .* found .*5th.*6th"):
        read(tree)
    with pytest.raises(ValueError, match="holds no annotation"):
        read(tree, annotations=tree / "cropped_aligned")


def test_annotations_that_match_no_face_are_refused(tmp_path: Path) -> None:
    annotate(tmp_path, "video1", [ANGER, -1])
    film(tmp_path, "video2", [1])
    with pytest.raises(
        ValueError, match=r"none of 1 annotation files gave a labeled face.*no folder of faces"
    ):
        read(tmp_path)


def test_recordings() -> None:
    assert recording("135-24-1920x1080_right") == "135-24-1920x1080"
    assert recording("left_right_left") == "left_right"
    assert recording("video59") == "video59"
    assert recording("video10_1") == "video10_1"


def test_the_test_set_is_read_from_a_list_of_videos(tree: Path) -> None:
    names = tree / "Expression_Recognition_Challenge_test_set_release.txt"
    names.write_text("test2_right\r\ntest1\n\nnobody\n")
    manifest = read_test(tree, names)
    assert [row[1:] for row in rows(manifest)] == [
        (None, "test", "test2_right", "test2", 1),
        (None, "test", "test2_right", "test2", 2),
        (None, "test", "test1", "test1", 1),
        (None, "test", "test1", "test1", 2),
        (None, "test", "test1", "test1", 4),
    ]
    assert (manifest.class_indices() == -1).all()
    assert any("1 listed people have no folder of faces" in note for note in manifest.notes)


def test_the_test_set_is_read_from_an_example_of_a_submission(tree: Path) -> None:
    example = tree / "CVPR_6th_ABAW_Expr_test_set_example.txt"
    frames = [*(f"test1/{n:05d}.jpg,0" for n in (1, 2, 3)), "test2_right/00001.jpg", "nobody/00001.jpg"]
    example.write_text("\n".join([f"image_location,{HEADER}", *frames, frames[0]]))
    manifest = read_test(tree, example)
    assert manifest.column("image") == [
        "cropped_aligned/test1/00001.jpg",
        "cropped_aligned/test1/00002.jpg",
        "cropped_aligned/test2_right/00001.jpg",
    ]
    notes = "\n".join(manifest.notes)
    assert "3 people and 5 frames listed" in notes
    assert "2 listed frames have no picture" in notes
    assert "2 pictures are not in the list" in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no video"),
        ("image_location,Neutral\n", "names no video"),
        ("a/b/c.jpg\n", "line 1: expected"),
    ],
)
def test_lists_that_cant_be_read_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_frame_list(tmp_path / "list.txt")
    with pytest.raises(ValueError, match="not a readable list"):
        read_frame_list(tmp_path / "nothing.txt")


@given(
    classes=st.lists(st.integers(-1, 7), max_size=12),
    frames=st.lists(st.integers(1, 14), max_size=12, unique=True),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_the_annotated_frames_with_a_picture(
    tmp_path_factory: pytest.TempPathFactory, classes: list[int], frames: list[int]
) -> None:
    root = tmp_path_factory.mktemp("affwild2")
    annotate(root, "a", classes)
    film(root, "a", frames)
    annotate(root, "b", [ANGER])
    film(root, "b", [1])
    expected = {n: AFFWILD2.labels[k] for n, k in enumerate(classes, 1) if k >= 0 and n in frames}
    found = read(root)
    assert {row[5]: row[1] for row in rows(found) if row[3] == "a"} == expected
    assert len(found) == len(expected) + 1


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.mktemp("fuzz")
    film(root, "a", [1, 2])
    annotate(root, "b", [ANGER])
    film(root, "b", [1])
    for text in (content, HEADER.encode() + b"\n" + content):
        annotate(root, "a", []).write_bytes(text)
        try:
            assert set(np.unique(read(root).class_indices())) <= set(range(8))
        except ValueError as error:
            assert "a.txt" in str(error)  # noqa: PT017
