"""A file with the label beside each picture."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.files import touch

from halfsmile.data.manifest import Fault, LeftOut, UnreadLabelsError
from halfsmile.data.readers.annotations.files import Files
from halfsmile.data.readers.annotations.sidecars import files_of
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.readers.words import NUMBERINGS

LABELS = ["happy", "sad", "sad"]


def labelme(label: str) -> dict[str, Any]:
    shape = {"label": label, "points": [[5, 60], [50, 8]], "shape_type": "rectangle"}
    return {"version": "5", "shapes": [shape], "imagePath": "a.png", "imageWidth": 96, "imageHeight": 96}


CORNERS = [[5, 8], [50, 60]]
BOXED = ("LabelMe", "Supervisely")
FORMS: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "text": ("{}.png", "{}.txt", str),
    "text in another folder": ("images/{}.png", "labels/{}.txt", "{}\n".format),
    "by split": ("train/images/{}.png", "train/labels/{}.txt", str),
    "with confidence": ("{}.png", "{}.txt", "{} 0.93\n".format),
    "WebDataset": ("{}.png", "{}.cls", str),
    "an ending": ("pictures/S1/{}.png", "Emotion/S1/{}_emotion.txt", " {}\n".format),
    "JSON": ("{}.png", "{}.json", lambda label: json.dumps({"emotion": label, "age": 30})),
    "words in JSON": ("{}.png", "{}.json", lambda label: json.dumps({"face": {"mood": label}})),
    "Supervisely": (
        "img/{}.png",
        "ann/{}.png.json",
        lambda label: json.dumps({"objects": [{"classTitle": label, "points": {"exterior": CORNERS}}]}),
    ),
    "LabelMe": ("{}.png", "{}.json", lambda label: json.dumps(labelme(label))),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_are_those_of_the_files(tmp_path: Path, form: str) -> None:
    picture, file, text = FORMS[form]
    for i, label in enumerate(LABELS):
        touch(tmp_path, picture.format(i))
        touch(tmp_path, file.format(i), text=text(label))
    assert recognize(tmp_path).name == "sidecars"
    manifest = read_any(tmp_path)
    assert manifest.column("label") == LABELS
    assert manifest.column("image") == [picture.format(i) for i in range(3)]
    assert manifest.column("box") == [[5, 8, 50, 60] if form in BOXED else None] * 3
    assert set(manifest.column("split")) == ({"train"} if form == "by split" else {None})


def test_a_tar_of_webdataset_with_numbers(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "train-0000.tar", "w") as archive:
        for i in range(4):
            for name, data in ((f"{i:04d}.jpg", b"?"), (f"{i:04d}.cls", str(i % 2).encode())):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    with pytest.raises(UnreadLabelsError, match="the labels 0, 1 are numbers"):
        read_any(tmp_path / "train-0000.tar")
    manifest = read_any(tmp_path / "train-0000.tar", labels={"0": "fear", "1": "calm"})
    assert manifest.column("label") == ["fear", "calm"] * 2


def test_ck_plus_labels_some_frames_by_its_own_order(tmp_path: Path) -> None:
    for person in (1, 2, 3):
        touch(tmp_path, *(f"cohn-kanade-images/S{person}/1/S{person}_1_{n:08d}.png" for n in (1, 2, 3)))
        name = f"Emotion/S{person}/1/S{person}_1_00000003_emotion.txt"
        touch(tmp_path, name, text=f"   {2 * person - 1}.0000000e+00\n")
    with pytest.raises(UnreadLabelsError, match="ckplus: 0=neutral, 1=anger"):
        read_any(tmp_path)
    manifest = read_any(tmp_path, labels=NUMBERINGS["ckplus"])
    assert [label for label in manifest.column("label") if label] == ["anger", "disgust", "happiness"]
    assert any("6 of 9 rows have no label" in note for note in manifest.notes if isinstance(note, LeftOut))


def test_faces_of_a_picture_and_files_that_tell_nothing(tmp_path: Path) -> None:
    boxes = [{"x": 1, "y": 2, "w": 30, "h": 40}, {"x": 50, "y": 2, "w": 30, "h": 40}]
    faces = [{"emotion": label, "box": box} for label, box in zip(("happy", "sad"), boxes, strict=True)]
    for i in range(20):
        touch(tmp_path, f"{i:02d}.png")
        touch(tmp_path, f"{i:02d}.json", text=json.dumps({"faces": faces}) if i else "broken")
    manifest = read_any(tmp_path)
    assert len(manifest) == 39
    assert manifest.column("label")[:3] == [None, "happy", "sad"]
    assert manifest.column("box")[1:3] == [[1, 2, 31, 42], [50, 2, 80, 42]]
    (fault,) = [note for note in manifest.notes if isinstance(note, Fault)]
    assert fault == "1 files beside pictures tell no label, first 00.json."


def test_words_of_one_s_own_are_read_when_asked(tmp_path: Path) -> None:
    for i, word in enumerate(("bored", "awake", "bored")):
        touch(tmp_path, f"{i}.png")
        touch(tmp_path, f"{i}.txt", text=word)
    with pytest.raises(UnreadLabelsError, match="--layout sidecars"):
        read_any(tmp_path)
    assert read_any(tmp_path, "sidecars").column("label") == ["bored", "awake", "bored"]
    for i in range(3):
        (tmp_path / f"{i}.txt").rename(tmp_path / f"{i}_label.txt")
    assert read_any(tmp_path).column("label") == ["bored", "awake", "bored"]


@pytest.mark.parametrize(
    "text", ["a photo of a happy woman", "1girl, smile", "", "0.1 0.2 0.3", '{"width": 3}', "x" * 50, "v1.2"]
)
def test_captions_and_other_files_are_no_labels(tmp_path: Path, text: str) -> None:
    for i in range(4):
        touch(tmp_path, f"{i}.png")
        touch(tmp_path, f"{i}.{'json' if text.startswith('{') else 'txt'}", text=text)
    with pytest.raises(UnreadLabelsError, match="4 pictures have a"):
        read_any(tmp_path)


@pytest.mark.parametrize(
    ("record", "label"),
    [
        ({"category": "indoor", "emotion": "happy"}, "happy"),
        ({"emotion": "happy", "category": "indoor"}, "happy"),
        ({"label": "indoor", "mood": "happy"}, "happy"),
        ({"label": 3, "name_of_it": "happy"}, "happy"),
        ({"emotion": "happy", "before": "sad"}, "happy"),
        ({"label": "bored", "first": "happy", "then": "sad"}, "bored"),
        ({"first": "happy", "then": "sad"}, None),
    ],
)
def test_words_of_expressions_come_before_other_labels(
    tmp_path: Path, record: dict[str, Any], label: str | None
) -> None:
    for i, told in enumerate((record, {"emotion": "bored"}, {"emotion": "happy"})):
        touch(tmp_path, f"{i}.png")
        touch(tmp_path, f"{i}.json", text=json.dumps(told))
    assert read_any(tmp_path, "sidecars").column("label") == [label, "bored", "happy"]


@pytest.mark.parametrize(
    ("kind", "points", "box"),
    [
        ("circle", [[30, 40], [33, 44]], [25, 35, 35, 45]),
        ("circle", [[30, 40], [30, 50]], [20, 30, 40, 50]),
        ("circle", [[30, 40], [30, 40]], None),
        ("rectangle", [[30, 50], [20, 40]], [20, 40, 30, 50]),
        ("polygon", [[30, 50], [20, 40], [25, 60]], [20, 40, 30, 60]),
        ("line", [[30, 50], [40, 50]], None),
        ("point", [[30, 50]], None),
    ],
)
def test_boxes_of_shapes(tmp_path: Path, kind: str, points: list[Any], box: list[float] | None) -> None:
    for i, label in enumerate(LABELS):
        document = labelme(label)
        document["shapes"][0] |= {"shape_type": kind, "points": points}
        touch(tmp_path, f"{i}.png")
        touch(tmp_path, f"{i}.json", text=json.dumps(document))
    manifest = read_any(tmp_path)
    assert manifest.column("label") == LABELS
    assert manifest.column("box") == [box] * 3


def likeness(image: str, name: str) -> int:
    folders, others = set(image.split("/")[:-1]), set(name.split("/")[:-1])
    return len(folders & others) - len(others - folders)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from("abcd"), max_size=3, unique=True), min_size=1, max_size=6, unique_by=tuple
    ),
    st.lists(st.sampled_from("abcdx"), max_size=4, unique=True),
)
def test_the_nearest_file_is_the_one_of_most_folders_in_common(folders: Any, around: Any) -> None:
    image = "/".join([*around, "1.png"])
    names = ["/".join([*folder, "1.txt"]) for folder in folders]
    top = max(likeness(image, name) for name in names)
    best = [name for name in names if likeness(image, name) == top]
    beside = [name for name in names if name == image.replace(".png", ".txt")]
    wanted = beside or (best if len(best) == 1 else [])
    assert files_of(Files(Path(), [image, *names])) == dict.fromkeys([image] * len(wanted), "".join(wanted))


def test_names_that_all_folders_repeat_are_found_in_little_time() -> None:
    trees = {
        "beside": ("v{}/{}.png", "v{}/{}.txt"),
        "another tree": ("im/v{}/{}.png", "lab/v{}/{}.txt"),
        "none alike": ("im{}/{}.png", "lab{}/{}.txt"),
    }
    for kind, (picture, file) in trees.items():
        pairs = [(picture.format(i, j), file.format(i, j)) for i in range(2000) for j in range(10)]
        files = Files(Path(), [name for pair in pairs for name in pair])
        start = time.process_time()
        found = files_of(files)
        assert time.process_time() - start < 20, "a search through all files takes minutes"
        assert found == ({} if kind == "none alike" else dict(pairs))


def test_numpy_files_with_one_value_are_labels(tmp_path: Path) -> None:
    """As AffectNet's, which has others beside them; numbers need names."""
    for i, number in enumerate("0130"):
        touch(tmp_path, f"images/{i}.png")
        (tmp_path / "annotations").mkdir(exist_ok=True)
        np.save(tmp_path / f"annotations/{i}_exp.npy", np.array(number))
        np.save(tmp_path / f"annotations/{i}_val.npy", np.array("0.5"))
        np.save(tmp_path / f"annotations/{i}_lnd.npy", np.zeros(136))
    with pytest.raises(UnreadLabelsError, match="0, 1, 3 are numbers"):
        read_any(tmp_path)
    found = read_any(tmp_path, labels=NUMBERINGS["affectnet8"])
    assert found.column("label") == ["neutral", "happiness", "surprise", "neutral"]


def test_numpy_files_of_objects_are_never_opened_as_such(tmp_path: Path) -> None:
    for i in range(3):
        touch(tmp_path, f"{i}.png")
        np.save(tmp_path / f"{i}.npy", np.array(["happy"], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadLabelsError, match="may hold labels"):
        read_any(tmp_path)


def _damaged_arrays() -> dict[str, bytes]:
    whole, several, huge = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(whole, np.array(1))
    np.savez(several, np.array(1))
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    np.lib.format.write_array_header_1_0(huge, header)
    return {
        "empty": b"",
        "several arrays": several.getvalue(),
        "the start of a ZIP": b"PK\x03\x04" + bytes(60),
        "a huge shape": huge.getvalue() + bytes(8),
        "cut in its header": whole.getvalue()[:40],
        "cut in its value": whole.getvalue()[:-4],
        "a mark alone": b"\x93NUMPY",
        "text": b"happy",
    }


@pytest.mark.parametrize("damage", _damaged_arrays())
def test_damaged_numpy_files_tell_no_label(tmp_path: Path, damage: str) -> None:
    for i, word in enumerate(["happy", b"happy", "sad"]):
        touch(tmp_path, f"{i}.png")
        np.save(tmp_path / f"{i}.npy", np.array(word))
    touch(tmp_path, "3.png")
    (tmp_path / "3.npy").write_bytes(_damaged_arrays()[damage])
    found = read_any(tmp_path, layout="sidecars")
    assert found.column("label") == ["happy", "happy", "sad", None]
    assert any(
        isinstance(note, Fault) and "1 files beside pictures tell no label" in note for note in found.notes
    )


def test_fractions_in_numpy_files_are_no_labels(tmp_path: Path) -> None:
    """As a score beside each picture; the table has the labels."""
    for i in range(3):
        touch(tmp_path, f"{i}.png")
        np.save(tmp_path / f"{i}.npy", np.array(0.37 + i / 10))
    (tmp_path / "labels.csv").write_text("image,label\n0.png,happy\n1.png,sad\n2.png,happy\n")
    assert read_any(tmp_path).column("label") == ["happy", "sad", "happy"]


def test_json_with_a_list_of_faces_is_read(tmp_path: Path) -> None:
    """As DeepFace's results."""
    for i, label in enumerate(LABELS):
        touch(tmp_path, f"{i}.jpg")
        face = {
            "emotion": {"happy": 97.0, "sad": 2.0},
            "dominant_emotion": label,
            "region": dict(zip("xywh", (5, 6, 60, 61), strict=True)),
        }
        (tmp_path / f"{i}.json").write_text(json.dumps([face]))
    found = read_any(tmp_path)
    assert found.column("label") == LABELS
    assert found.table["box"].to_pylist() == [[5, 6, 65, 67]] * 3
