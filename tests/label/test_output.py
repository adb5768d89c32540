"""What labeling ends as is read back by the package's own readers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tests.label.conftest import NAMES, Opened, click, say

from halfsmile.data.exchange.import_labels import import_labels
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.label.output import export, labeled_manifest, with_taught_classes
from halfsmile.label.session import Labeling

Drawn = tuple[Path, list[str]]


@pytest.fixture
def done(opened: Opened, drawn: Drawn) -> Labeling:
    labeling = opened(trains=False)
    labeling.learning.wait()
    click(labeling, drawn[1], 40)
    labeling.answer("me", [{"face": "7", "kind": "not_a_face"}])
    return labeling


def truth_of(labeling: Labeling, truth: list[str]) -> dict[str, str]:
    return {
        labeling.pool.locators[row]: truth[row]
        for row in labeling.state.by_face
        if labeling.state.label(row) is not None
    }


def test_the_folder_itself_is_what_training_reads(done: Labeling, drawn: Drawn) -> None:
    expected, random = truth_of(done, drawn[1]), done.state.random_faces
    done.close()
    assert recognize(done.out).name == "manifest"
    manifest = read_any(done.out)
    assert dict(zip(manifest.column("image"), manifest.column("label"), strict=True)) == expected
    assert manifest.taxonomy is not None
    assert manifest.taxonomy.labels == NAMES
    tested = [
        i for i, s in zip(manifest.column("image"), manifest.column("split"), strict=True) if s == "test"
    ]
    assert tested == sorted(done.pool.locators[row] for row in random)
    assert set(manifest.column("split")) == {"train", "test"}


def test_the_table_beside_it_names_the_pictures_from_where_it_lies(done: Labeling, drawn: Drawn) -> None:
    expected = truth_of(done, drawn[1])
    done.close()
    table = read_any(done.out / "labels.csv")
    found = dict(zip(table.column("image"), table.column("label"), strict=True))
    assert {Path(name).name: label for name, label in found.items()} == expected


def test_a_table_to_take_away_names_whole_paths(done: Labeling, drawn: Drawn) -> None:
    path, kind = export(done, "csv")
    assert kind == "text/csv"
    names = [line.split(",")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    path.unlink()
    assert {Path(name).parent for name in names} == {drawn[0].resolve()}


def test_class_folders(done: Labeling, drawn: Drawn, tmp_path: Path) -> None:
    path, kind = export(done, "folders")
    assert kind == "application/zip"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    path.unlink()
    manifest = read_any(tmp_path / "unpacked")
    assert len(manifest) == len(truth_of(done, drawn[1]))
    assert set(manifest.column("split")) == {"train", "test"}


def test_label_studio_and_back(done: Labeling, drawn: Drawn, tmp_path: Path) -> None:
    say(done, 7, "neutral", "other")
    say(done, 7, "neutral", "third")
    path, _ = export(done, "label-studio")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    path.unlink()
    tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert {len(task["annotations"]) for task in tasks} == {1, 2}
    back = import_labels(
        done.pool.manifest, tmp_path / "tasks.json", taxonomy=labeled_manifest(done).taxonomy
    )
    found = {
        name: label
        for name, label in zip(back.column("image"), back.column("label"), strict=True)
        if label is not None
    }
    assert found == truth_of(done, drawn[1]) | {"0007.png": "neutral"}


def test_several_people_make_votes(opened: Opened) -> None:
    labeling = opened(trains=False)
    say(labeling, 1, "neutral", "a")
    say(labeling, 1, "happiness", "b")
    say(labeling, 2, "neutral", "a")
    say(labeling, 2, "neutral", "b")
    manifest = labeled_manifest(labeling)
    assert manifest.column("label") == [None, "neutral"]
    assert manifest.column("votes") == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]


def test_nothing_to_export_and_unknown_formats(opened: Opened) -> None:
    labeling = opened(trains=False)
    with pytest.raises(ValueError, match="no label to export yet"):
        export(labeling, "csv")
    with pytest.raises(ValueError, match="no format 'xml'; there are csv, folders, label-studio"):
        export(labeling, "xml")


def test_classes_that_teach_nothing_are_left_out(opened: Opened) -> None:
    labeling = opened(share=0.0, trains=False)
    say(labeling, 0, "neutral")
    say(labeling, 1, "happiness")
    say(labeling, 3, "surprise")
    labeling.answer("me", [{"face": "2", "kind": "votes", "votes": {"neutral": 2, "surprise": 2}}])
    whole = labeled_manifest(labeling)
    assert with_taught_classes(whole) is whole
    labeling.answer("me", [{"face": "3", "kind": "cant_tell"}])
    known = with_taught_classes(labeled_manifest(labeling))
    assert known.taxonomy is not None
    assert known.taxonomy.labels == ("neutral", "happiness")
    assert known.column("label") == ["neutral", "happiness", None]
    assert known.column("votes")[2] == [1.0, 0.0]  # what is level with a class that is gone
