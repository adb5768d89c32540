"""Labels leave and come back unchanged; what does not fit is refused or counted."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.exchange.formats import export_csv
from halfsmile.data.exchange.import_labels import import_labels
from halfsmile.data.exchange.label_studio import export_label_studio
from halfsmile.data.manifest import LeftOut, Manifest
from halfsmile.data.store.read import read as read_store
from halfsmile.data.store.write import StoredFace, StoreWriter
from halfsmile.taxonomy import RAFDB, from_names

names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=12)
votes = st.lists(st.integers(0, 10), min_size=7, max_size=7).filter(any)


def faces(root: Path, labels: list[str | None]) -> Manifest:
    return Manifest.from_rows([{"image": f"{i}.png", "label": v} for i, v in enumerate(labels)], root, RAFDB)


@settings(max_examples=40, deadline=None)
@given(
    images=st.lists(names, unique=True, max_size=6),
    labels=st.lists(st.none() | st.sampled_from(RAFDB.labels), min_size=6, max_size=6),
    shares=st.lists(st.none() | votes, min_size=6, max_size=6),
)
def test_csv_round_trip(images: list[str], labels: list[Any], shares: list[Any]) -> None:
    rows = [
        {"image": i, "label": v, "votes": None if s is None else [x / sum(s) for x in s]}
        for i, v, s in zip(images, labels, shares, strict=False)
    ]
    manifest = Manifest.from_rows(rows, Path("root"), RAFDB)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        export_csv(manifest, path)
        if any(row["label"] or row["votes"] for row in rows):
            back = import_labels(manifest.without_labels(), path)
        else:
            back = manifest
    assert back.table.equals(manifest.table)


def test_label_studio_round_trip(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    labels: list[str | None] = ["fear", "anger", None]
    for i in range(3):
        cv2.imwrite(str(tmp_path / "data" / f"{i}.png"), np.zeros((5, 5, 3), np.uint8))
    manifest = faces(tmp_path / "data", labels)
    export_label_studio(manifest, tmp_path / "out")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    for task in tasks:  # annotators accept every prediction
        task["annotations"] = task.pop("predictions", [])
    (tmp_path / "done.json").write_text(json.dumps(tasks))
    back = import_labels(manifest.without_labels(), tmp_path / "done.json")
    assert back.column("label") == labels
    assert back.notes == ("Labels from done.json: 2 set, 1 without an answer.",)


def test_answers_of_several_people_become_votes(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "image,label\n0.png,fear\n0.png,fear\n0.png,anger\n1.png,fear\n1.png,anger\n2.png,neutral\n"
    )
    found = import_labels(faces(tmp_path, [None] * 4), tmp_path / "l.csv")
    assert found.column("label") == ["fear", None, "neutral", None]
    first, second, third, fourth = found.column("votes")
    assert first[RAFDB.index("fear")] == pytest.approx(2 / 3)
    assert second[RAFDB.index("anger")] == second[RAFDB.index("fear")] == 0.5
    assert third is fourth is None


def test_everything_is_counted(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("image,label\n0.png,joy\n1.png,anger\n2.png,?\n9.png,anger\n")
    found = import_labels(
        faces(tmp_path, ["happiness", "fear", None, "sadness"]),
        tmp_path / "l.csv",
        renames={"joy": "happiness", "?": None},
    )
    assert found.column("label") == ["happiness", "anger", None, "sadness"]
    assert found.notes == (
        "Labels from l.csv: 1 changed, 1 not found, 1 set, 1 without an answer. First not found: 9.png.",
    )


def test_a_manifest_gets_its_first_taxonomy(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("image,label\na,fear\n")
    bare = Manifest.from_rows([{"image": "a"}], tmp_path)
    assert import_labels(bare, tmp_path / "l.csv", taxonomy=RAFDB).taxonomy == RAFDB
    with pytest.raises(ValueError, match=r"has no classes yet.*--taxonomy ferplus"):
        import_labels(bare, tmp_path / "l.csv")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image,label\n0.png,joy\n", "Say what becomes of each"),
        ("day,label\nmonday,fear\n", r"no column that names pictures; it has \['day', 'label'\]"),
        ("", "is empty"),
        ("label,image\nfear,0.png\nfear\nx", "2 rows of l.csv don't have 2 cells"),
        ("image,label\n0.png\n", "1 rows of l.csv don't have 2 cells"),
        ("image,label\n7.png,fear\n", r"None of the 1 faces that .* names is in .*'7\.png'.*'0\.png'"),
        ("image,label\n0.png,\n", "no answer for any face"),
        (
            "image,label," + ",".join(f"votes_{n}" for n in RAFDB.labels) + "\n0.png,fear,1,x,,,,,\n",
            "numbers",
        ),
        (
            "image,label," + ",".join(f"votes_{n}" for n in RAFDB.labels) + "\na,fear,-1,2,0,0,0,0,0\n",
            "positive",
        ),
        (
            "image,label," + ",".join(f"votes_{n}" for n in RAFDB.labels) + "\na,fear,nan,2,0,0,0,0,0\n",
            "positive",
        ),
        (b"image,label\n\x81\xfe,fear\n", "neither UTF-8 nor"),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    (tmp_path / "l.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=reason):
        import_labels(faces(tmp_path, [None]), tmp_path / "l.csv")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda t: ("image,label\n" + t).encode()))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("l.csv", "l.json"):
            path = Path(folder) / name
            path.write_bytes(content)
            with contextlib.suppress(ValueError):
                import_labels(faces(Path(folder), [None]), path)


PLACES = {
    "as it was": "in/Face 7.png",
    "on Windows": "C:\\study\\in\\Face 7.png",
    "another folder": "/home/ann/pictures/in/Face 7.png",
    "uploaded": "/data/upload/12/0a1b2c3d-Face_7.png",
    "uploaded, short": "0a1b2c3d-Face_7.png",
    "local files": "/data/local-files/?d=study/in/Face%207.png",
    "in the cloud": "s3://bucket/study/in/Face%207.png",
    "address": "https://host/study/in/Face%207.png?token=1",
    "relative to the table": "../data/in/Face 7.png",
    "our own export": "/data/local-files/?d=images/0000001.jpg",
}


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("form", ["csv", "json", "json-min", "cvat"])
def test_labels_come_back_whatever_became_of_the_names(tmp_path: Path, where: str, form: str) -> None:
    rows = [{"image": f"in/{name}.png"} for name in ("Face 6", "Face 7", "Face 8")]
    manifest = Manifest.from_rows(rows, tmp_path / "data", RAFDB)
    (tmp_path / "labels").mkdir()
    name = PLACES[where]
    if form == "csv":
        path = tmp_path / "labels" / "l.csv"
        path.write_text(f'annotation_id,annotator,id,image,lead_time,mood\n1,3,9,"{name}",2.5,fear\n')
    elif form == "cvat":
        path = tmp_path / "labels" / "annotations.xml"
        path.write_text(
            f'<annotations><version>1.1</version><image id="0" name="{name}" width="9" height="9">'
            '<tag label="fear" source="manual"/></image></annotations>'.replace("&", "&amp;")
        )
    else:
        path = tmp_path / "labels" / "l.json"
        task: dict[str, Any] = {"id": 1, "image": name, "mood": "fear"}
        if form == "json":
            result = {"from_name": "mood", "type": "choices", "value": {"choices": ["fear"]}}
            task = {"id": 1, "data": {"image": name}, "annotations": [{"result": [result]}]}
        path.write_text(json.dumps([task]))
    found = import_labels(manifest, path)
    assert found.column("label") == [None, "fear", None]


def test_two_pictures_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    manifest = Manifest.from_rows([{"image": "a/1.png"}, {"image": "b/1.png"}], tmp_path, RAFDB)
    (tmp_path / "l.csv").write_text("image,label\n/x/b/1.png,fear\n")
    assert import_labels(manifest, tmp_path / "l.csv").column("label") == [None, "fear"]
    (tmp_path / "l.csv").write_text("image,label\n/x/c/1.png,fear\n")
    for faces_there in (manifest, manifest.take([1])):  # the only picture of that name is not the one either
        with pytest.raises(ValueError, match="None of the 1 faces"):
            import_labels(faces_there, tmp_path / "l.csv")


def test_classes_come_from_the_labels_where_there_are_none_yet(tmp_path: Path) -> None:
    bare = Manifest.from_rows([{"image": "a.png"}, {"image": "b.png"}], tmp_path)
    (tmp_path / "l.csv").write_text("image,label\na.png,calm\nb.png,smile\n")
    found = import_labels(bare, tmp_path / "l.csv")
    assert found.taxonomy is not None
    assert found.taxonomy.labels == ("calm", "smile")


def test_a_rename_of_no_label_is_told(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("image,label\n0.png,fear\n")
    with pytest.raises(ValueError, match=r"has no label scared; it has fear"):
        import_labels(faces(tmp_path, [None]), tmp_path / "l.csv", renames={"scared": "fear"})


def _label_studio(boxes: list[str]) -> dict[str, Any]:
    where = {"x": 1, "y": 1, "width": 50, "height": 50}
    kind = "rectanglelabels"
    return {
        "result": [{"from_name": "f", "type": kind, "value": {**where, kind: [label]}} for label in boxes]
    }


def _cvat(name: str, boxes: list[str]) -> str:
    where = 'xtl="1" ytl="1" xbr="9" ybr="9"'
    return f'<image name="{name}">' + "".join(f'<box label="{b}" {where}/>' for b in boxes) + "</image>"


@pytest.mark.parametrize("form", ["label_studio", "cvat"])
def test_boxes_of_two_faces_are_no_two_answers_about_one(tmp_path: Path, form: str) -> None:
    manifest = faces(tmp_path, [None, None, None])
    said = {"0.png": ["fear"], "1.png": ["fear", "anger"], "2.png": ["anger"]}
    if form == "cvat":
        path = tmp_path / "a.xml"
        path.write_text(
            f"<annotations>{''.join(_cvat(name, boxes) for name, boxes in said.items())}</annotations>"
        )
    else:
        path = tmp_path / "a.json"
        tasks = [
            {"data": {"image": name}, "annotations": [_label_studio(boxes)]} for name, boxes in said.items()
        ]
        path.write_text(json.dumps(tasks))
    labeled = import_labels(manifest, path)
    assert labeled.column("label") == ["fear", None, "anger"]
    assert labeled.column("votes") == [None] * 3
    notes = [note for note in labeled.notes if isinstance(note, LeftOut)]
    assert "1 pictures have boxes of several faces and got no label, first 1.png" in notes[0]
    assert "Boxes in" in notes[1]


def test_words_that_are_no_label_are_named(tmp_path: Path) -> None:
    manifest = faces(tmp_path, [None, None, None])
    tags = "".join(
        f'<image name="{i}.png"><tag label="{label}"/></image>'
        for i, label in enumerate(("fear", "anger", "unsure"))
    )
    (tmp_path / "a.xml").write_text(f"<annotations>{tags}</annotations>")
    labeled = import_labels(manifest, tmp_path / "a.xml")
    (note,) = (note for note in labeled.notes if isinstance(note, LeftOut))
    assert "says unsure 1" in note
    assert "--rename unsure=LABEL" in note


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"was_cancelled": True}, r"all 1 answers were skipped \(cancelled\)"),
        ({"result": []}, "no task has an answer"),
        ({"result": [{"from_name": "r", "type": "rating", "value": {"rating": 3}}]}, "of the type rating"),
    ],
)
def test_a_file_without_labels_says_why(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    answer = {"result": [{"from_name": "f", "type": "choices", "value": {"choices": ["fear"]}}], **change}
    (tmp_path / "a.json").write_text(json.dumps([{"data": {"image": "0.png"}, "annotations": [answer]}]))
    with pytest.raises(ValueError, match=why):
        import_labels(faces(tmp_path, [None, None]), tmp_path / "a.json")


RATED = "file,anna,bert,clara\n0.png,fear,fear,anger\n1.png,fear,,\n2.png,fear,anger,\n"


def test_columns_of_several_people_make_votes_of_their_answers(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(RATED)
    found = import_labels(faces(tmp_path, [None] * 4), path, field="anna, bert,clara")
    assert found.column("label") == ["fear", "fear", None, None]
    shares = {label: RAFDB.labels.index(label) for label in ("fear", "anger")}
    first, second, third, fourth = found.column("votes")
    assert (second, fourth) == (None, None)
    assert first[shares["fear"]] == pytest.approx(2 / 3)
    assert third[shares["fear"]] == third[shares["anger"]] == 0.5
    assert sum(first) == pytest.approx(1)


def test_columns_of_several_people_are_offered_and_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(RATED)
    bare = faces(tmp_path, [None] * 3)
    with pytest.raises(ValueError, match=r"people's answers: --field anna,bert,clara\.$"):
        import_labels(bare, path)
    with pytest.raises(ValueError, match=r"has no field 'dora'; it has"):
        import_labels(bare, path, field="anna,dora")
    with pytest.raises(ValueError, match=r"names a field twice"):
        import_labels(bare, path, field="anna,anna")
    path.write_text('file,"anna,bert"\n0.png,fear\n')
    assert import_labels(bare, path, field="anna,bert").column("label")[0] == "fear"
    path.write_text(RATED.replace("clara", "light").replace("anger\n1", "dark\n1"))
    with pytest.raises(ValueError, match=r"--field anna,bert\.$"):
        import_labels(bare, path)


def test_faces_of_a_store_are_known_by_the_pictures_that_they_were_cut_out_of(tmp_path: Path) -> None:
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with StoreWriter(tmp_path / "store") as writer:
        for name, faces_there in (("photos/0.png", 1), ("more/1.png", 1), ("photos/2.png", 2)):
            writer.add(name, [StoredFace(data, width=8, height=8) for _ in range(faces_there)])
    path = tmp_path / "labels.csv"
    path.write_text("image,label\n0.png,fear\n/home/ann/more/1.png,anger\n2.png,fear\n3.png,fear\n")
    found = import_labels(read_store(tmp_path / "store"), path, taxonomy=RAFDB)
    assert found.column("label") == ["fear", "anger", None, None]
    left_out = [note for note in found.notes if isinstance(note, LeftOut)]
    assert len(left_out) == 1
    assert "1 pictures gave the store several faces" in left_out[0]
    assert any("2 set" in note and "1 not found" in note for note in found.notes)
    path.write_text("image,label\nphotos/2.png,fear\n")
    with pytest.raises(ValueError, match=r"several faces and got no label, first photos/2\.png"):
        import_labels(read_store(tmp_path / "store"), path, taxonomy=RAFDB)


def test_a_picture_without_a_face_gives_its_label_to_no_other(tmp_path: Path) -> None:
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    with StoreWriter(tmp_path / "store") as writer:
        writer.add("p1/0001.jpg", [StoredFace(data, width=8, height=8)])
        writer.add("p1/0002.jpg", [StoredFace(data, width=8, height=8) for _ in range(2)])
        writer.add("p2/0001.jpg", [])
        writer.leave_out("p3/0001.jpg", "no picture")
    path, store = tmp_path / "labels.csv", read_store(tmp_path / "store")
    for name in ("p2/0001.jpg", "p3/0001.jpg", "p4/0001.jpg", "/home/ann/p2/0001.jpg"):
        path.write_text(f"image,label\n{name},anger\n")
        with pytest.raises(ValueError, match="None of the 1 faces"):
            import_labels(store, path, taxonomy=RAFDB)
        path.write_text(f"image,label\n{name},anger\np1/0001.jpg,fear\n")
        found = import_labels(store, path, taxonomy=RAFDB)
        assert (found.column("label"), found.column("votes")) == (["fear", None, None], [None] * 3)
    path.write_text("image,label\np1/0002.jpg,anger\n")
    with pytest.raises(ValueError, match="several faces"):
        import_labels(store.take([0, 2]), path, taxonomy=RAFDB)


def test_answers_of_several_people_are_not_mixed_with_votes(tmp_path: Path) -> None:
    head = "image,r1,r2," + ",".join(f"votes_{label}" for label in RAFDB.labels)
    path, bare = tmp_path / "labels.csv", faces(tmp_path, [None])
    path.write_text(f"{head}\n0.png,fear,fear,1,0,0,0,0,0,0\n")
    with pytest.raises(ValueError, match="has votes already"):
        import_labels(bare, path, field="r1,r2")
    with pytest.raises(ValueError, match="has no field 'r3'"):
        import_labels(bare, path, field="r3")


def test_what_says_that_there_is_no_label_is_no_class(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image,r1,r2,r3\n0.png,fear,fear,n/a\n1.png,NaN,-,anger\n2.png,?,,n/a\n")
    bare = Manifest.from_rows([{"image": f"{i}.png"} for i in range(3)], tmp_path)
    found = import_labels(bare, path, field="r1,r2,r3", taxonomy=from_names(["fear", "anger"]))
    assert found.column("label") == ["fear", "anger", None]
    assert found.column("votes") == [[1, 0], None, None]


def test_json_by_the_name_of_the_picture_is_a_table(tmp_path: Path) -> None:
    manifest = Manifest.from_rows([{"image": "a.png"}, {"image": "b.png"}], tmp_path)
    (tmp_path / "named.json").write_text(json.dumps({"a.png": "happy", "b.png": "sad"}))
    assert import_labels(manifest, tmp_path / "named.json").column("label") == ["happy", "sad"]


def test_json_with_the_answers_of_several_people_makes_votes(tmp_path: Path) -> None:
    manifest = Manifest.from_rows([{"image": "a.png"}, {"image": "b.png"}], tmp_path)
    answers = {"a.png": ("happy", "happy", "sad"), "b.png": ("sad", "sad", "sad")}
    document = [
        {"image": name, "annotations": [{"rater": i, "label": label} for i, label in enumerate(given)]}
        for name, given in answers.items()
    ]
    (tmp_path / "ann.json").write_text(json.dumps(document))
    labeled = import_labels(manifest, tmp_path / "ann.json")
    assert labeled.column("label") == ["happy", "sad"]
    assert labeled.column("votes")[0] == pytest.approx([2 / 3, 1 / 3])


RECORDS = [{"image": "a.png", "label": "happy"}, {"image": "b.png", "label": "sad"}]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + json.dumps(RECORDS),
        "\ufeff" + json.dumps({"a.png": "happy", "b.png": "sad"}),
        "\n".join(map(json.dumps, RECORDS)),
        "\ufeff" + "\n".join(map(json.dumps, RECORDS)),
        json.dumps(RECORDS),
        json.dumps([{**record, "annotations": "done"} for record in RECORDS]),
        json.dumps([{"image": r["image"], "face": {"label": r["label"]}} for r in RECORDS]),
    ],
)
def test_json_of_other_programs_is_a_table(tmp_path: Path, text: str) -> None:
    manifest = Manifest.from_rows([{"image": "a.png"}, {"image": "b.png"}], tmp_path)
    (tmp_path / "labels.json").write_text(text, encoding="utf-8")
    assert import_labels(manifest, tmp_path / "labels.json").column("label") == ["happy", "sad"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_exports_of_label_studio_are_known_by_what_their_tasks_have(tmp_path: Path, mark: str) -> None:
    manifest = Manifest.from_rows([{"image": "a.png"}, {"image": "b.png"}], tmp_path)
    result = [{"from_name": "f", "type": "choices", "value": {"choices": ["sad"]}}]
    done = [{"result": result}, {"result": result, "was_cancelled": True}]
    long = [
        {"data": {"image": "a.png"}, "annotations": []},
        {"data": {"image": "b.png"}, "annotations": done},
    ]
    short = [
        {"image": "a.png", "id": 1, "annotation_id": 1, "lead_time": 2.5, "f": "happy"},
        {"image": "b.png", "id": 2, "annotation_id": 2, "lead_time": 3.5, "f": "sad"},
    ]
    for tasks, labels in ((long, [None, "sad"]), (short, ["happy", "sad"])):
        (tmp_path / "export.json").write_text(mark + json.dumps(tasks), encoding="utf-8")
        labeled = import_labels(manifest, tmp_path / "export.json", taxonomy=from_names(["happy", "sad"]))
        assert labeled.column("label") == labels
