"""Every thing that can be wrong is found in a tree that has it, and in no other."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from halfsmile.data.check.faces import MIN_SIDE
from halfsmile.data.check.page import write_page
from halfsmile.data.check.run import Check, check, clean
from halfsmile.data.decode import read_image
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.faces.align import template
from halfsmile.faces.prepare.pipeline import prepare
from halfsmile.faces.prepare.settings import Settings


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A data set without fault: 96 training and 48 test faces of other people, 8 classes."""
    root = tmp_path / "set"
    write_folders(generate(96, size=48, seed=1, people=96), root, split="train")
    write_folders(generate(48, size=48, seed=1, people=48, first_person=96), root, split="test")
    return root


def quietly(path: Path, **options: object) -> Check:
    return check(path, progress=False, **options)  # type: ignore[arg-type]


def wrong(found: Check) -> list[str]:
    return [problem.what for problem in found.problems]


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def faces(root: Path, count: int) -> list[str]:
    """Faces as files in one folder; returns their names."""
    root.mkdir(exist_ok=True)
    made = generate(count, size=48, seed=7, people=count)
    for index, image in enumerate(made.images):
        (root / f"{index:03d}.png").write_bytes(encode_png(image))
    return [f"{index:03d}.png" for index in range(count)]


def test_nothing_is_wrong(tree: Path) -> None:
    found = quietly(tree)
    assert found.ok
    assert found.verdict == "Nothing is wrong. No picture was ignored, dropped or left without a label."
    facts = dict(found.facts())
    assert facts["layout"].startswith("class_folders")
    assert facts["faces"] == "144"
    assert facts["sizes"] == "all 48 × 48 pixels; color"
    assert found.stats.per_split == {"train": 96, "test": 48}
    assert len(clean(found)) == 144


def test_damaged_pictures_are_told_from_missing_ones(tmp_path: Path) -> None:
    names = faces(tmp_path, 12)
    whole = (tmp_path / names[0]).read_bytes()
    (tmp_path / names[0]).write_bytes(whole[:100])
    (tmp_path / names[1]).write_bytes(b"")
    (tmp_path / names[2]).unlink()
    rows: list[dict[str, object]] = [
        {"image": n, "label": ("fear", "anger")[i % 2], "split": "train"} for i, n in enumerate(names)
    ]
    found = quietly(table(tmp_path / "list.csv", [*rows, {"image": "gone.png", "label": "fear"}]))
    assert wrong(found) == [
        "Missing pictures: 2 of 13.",
        "Pictures that are damaged, empty, or no pictures: 2 of 13.",
        "Rows without a split, while others have one: 1.",
    ]
    assert [len(problem.examples) for problem in found.problems[:2]] == [2, 2]
    assert sorted(clean(found).column("image")) == names[3:]


def test_copies_across_splits(tree: Path) -> None:
    """An exact copy with another label, and one compressed again, in the test split."""
    train = sorted((tree / "train" / "anger").iterdir())
    (tree / "test" / "fear" / "copy.png").write_bytes(train[0].read_bytes())
    pixels = read_image(tree, train[1].relative_to(tree).as_posix())[:, :, ::-1]
    cv2.imwrite(str(tree / "test" / "anger" / "again.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])
    found = quietly(tree)
    assert len(found.problems) == 3
    exact, near, labels = found.problems
    assert exact.what == "Exact copies in more than one split: 2 pictures in 1 group (1 in train, 1 in test)."
    assert near.what.startswith("Near copies in more than one split: 2 pictures")
    assert "again.jpg (test)" in near.examples[0]
    assert labels.what.startswith("Equal pixels with different labels: 2 pictures")
    kept = clean(found)
    assert set(found.manifest.column("image")) - set(kept.column("image")) == {
        path.relative_to(tree).as_posix() for path in train[:2]
    }


def test_copies_in_one_split_are_no_problem(tree: Path) -> None:
    path = next((tree / "train" / "anger").iterdir())
    (path.parent / "copy.png").write_bytes(path.read_bytes())
    found = quietly(tree)
    assert found.ok
    assert any(
        finding.what == "Exact copies within a split: 2 pictures in 1 group." for finding in found.findings
    )


def test_people_in_two_splits_and_repeated_rows(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"image": name, "label": ("fear", "anger")[i % 2], "split": ("train", "test")[i % 4 > 1],
         "person": "anna" if i < 6 else f"p{i}"}
        for i, name in enumerate(faces(tmp_path, 12))
    ]  # fmt: skip
    other = {**rows[3], "person": "p99"}
    found = quietly(table(tmp_path / "list.csv", [*rows, rows[2], other]))
    assert "1 rows of list.csv say only what another one says" in " ".join(found.manifest.notes)
    assert wrong(found) == [
        "Pictures listed more than once: 1.",
        "People in more than one split: 1.",
    ]
    assert found.problems[1].examples == ("anna: 4 in train, 2 in test",)


def test_misspelt_classes(tree: Path) -> None:
    (tree / "train" / "anger").rename(tree / "train" / "agner")
    found = quietly(tree)
    assert "The train split has no face of anger." in wrong(found)


def test_uneven_classes_are_worth_knowing(tmp_path: Path) -> None:
    names = faces(tmp_path, 44)
    rows: list[dict[str, object]] = [
        {"image": name, "label": "anger" if i < 2 else "fear", "split": "train" if i < 42 else "test"}
        for i, name in enumerate(names)
    ]
    found = quietly(table(tmp_path / "list.csv", rows))
    assert not any("times as many" in finding.what for finding in found.findings)
    rows[1]["label"] = "fear"
    found = quietly(table(tmp_path / "list.csv", rows))
    assert "fear has 41 times as many training faces as anger." in [f.what for f in found.findings]


def test_places(tmp_path: Path) -> None:
    names = faces(tmp_path, 6)
    points = {f"{part}_{axis}": i for i, (part, axis) in enumerate(
        (part, axis) for part in ("eye_l", "eye_r", "nose", "mouth_l", "mouth_r") for axis in "xy"
    )}  # fmt: skip
    good = template(48).ravel()
    swapped = template(48)[[1, 0, 2, 4, 3]].ravel()
    outside = good + 100
    rows: list[dict[str, object]] = []
    for name, numbers, box in (
        (names[0], good, (5, 5, 40, 45)),
        (names[1], swapped, (5, 5, 40, 45)),
        (names[2], outside, (5, 5, 40, 45)),
        (names[3], good, (100, 5, 140, 45)),
        (names[4], good, (-5, -5, 60, 60)),
        (names[5], good, (5, 5, 40, 45)),
    ):
        row: dict[str, object] = {"image": name} | {key: numbers[i] for key, i in points.items()}
        rows.append(row | dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)))
    found = quietly(table(tmp_path / "list.csv", rows))
    assert wrong(found) == [
        "Pictures with a box or landmarks outside of them: 2 of 6.",
        "Pictures with landmarks in another order: 1 of 6.",
    ]
    assert found.problems[0].examples == (names[2], names[3])
    assert found.problems[1].examples == (names[1],)


def test_a_turned_face_has_its_landmarks_in_order(tmp_path: Path) -> None:
    """In the picture the right eye may stand left of the left one: the face lies on its side."""
    columns = [f"{part}_{axis}" for part in ("eye_l", "eye_r", "nose", "mouth_l", "mouth_r") for axis in "xy"]
    rows = []
    for name, degrees in zip(faces(tmp_path, 5), (0, 80, 120, 180, 270), strict=True):
        angle = np.radians(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        points = (template(48) - 24) @ turn.T + 24
        rows.append({"image": name} | dict(zip(columns, points.ravel().tolist(), strict=True)))
    assert quietly(table(tmp_path / "list.csv", rows)).ok


def test_pictures_that_show_nothing_and_small_ones(tree: Path) -> None:
    (tree / "train" / "fear" / "black.png").write_bytes(encode_png(np.zeros((48, 48, 3), np.uint8)))
    small = next((tree / "train" / "anger").iterdir())
    pixels = cv2.resize(
        read_image(small.parent, small.name), (MIN_SIDE - 1, MIN_SIDE - 1), interpolation=cv2.INTER_AREA
    )
    cv2.imwrite(str(small), pixels)
    found = quietly(tree)
    assert wrong(found) == ["Pictures of a single gray level, which show nothing: 1 of 145."]
    assert any(
        finding.what == f"Pictures smaller than {MIN_SIDE} pixels: 1 of 145." for finding in found.findings
    )
    assert "2 different; shorter side 23 to 48" in dict(found.facts())["sizes"]


def test_a_hostile_archive(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "faces.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(tree, arcname=".")
        archive.add(tree / "train", arcname="../../out")
    found = quietly(path)
    assert wrong(found) == ["The archive is not as it should be."]
    assert "climbs out" in found.problems[0].examples[0]
    assert len(found.manifest) == 144
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = quietly(path)
    assert any("cut short" in example for example in found.problems[0].examples)
    assert 0 < len(found.manifest) < 144


def test_a_damaged_store(tree: Path, tmp_path: Path) -> None:
    settings = Settings(detector="aligned")
    prepare([tree], tmp_path / "store", settings=settings, workers=0, shard_size=100_000, progress=False)
    assert quietly(tmp_path / "store").ok
    shard = tmp_path / "store" / "faces-00001.tar"
    shard.write_bytes(shard.read_bytes()[:50_000])
    found = quietly(tmp_path / "store")
    assert "The store is damaged." in wrong(found)
    assert "cut short at 50000 bytes" in found.problems[0].examples[0]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.xyz").write_text("no table")
    for name, message in (("empty", "fits no reader"), ("text.xyz", "is no table"), ("gone", "not exist")):
        with pytest.raises(ValueError, match=message):
            quietly(tmp_path / name)


def test_fast_opens_no_picture(tree: Path) -> None:
    (tree / "train" / "fear" / "broken.png").write_bytes(b"")
    found = quietly(tree, pixels=False)
    assert found.ok
    assert "sizes" not in dict(found.facts())
    with pytest.raises(ValueError, match="must be read"):
        clean(found)


def rendered(found: Check) -> str:
    console = Console(record=True, width=120, file=io.StringIO())
    found.render(console)
    return console.export_text()


def written(found: Check, tmp_path: Path) -> str:
    return write_page(found, tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("is_page", [False, True])
def test_what_is_printed_and_the_page_hold_all(tree: Path, tmp_path: Path, is_page: bool) -> None:
    path = next((tree / "train" / "anger").iterdir())
    (tree / "test" / "anger" / "<b>bold.png").write_bytes(path.read_bytes())
    (tree / "test" / "fear" / "[red]broken.png").write_bytes(b"")
    found = quietly(tree)
    show: Callable[[Check], str] = (lambda c: written(c, tmp_path)) if is_page else rendered
    text = show(found)
    for finding in found.findings:
        assert " ".join(finding.what.split()[:6]) in " ".join(text.split())
    assert "2 things are wrong." in text
    assert "[red]broken.png" in text
    assert ("<b>bold" in text) is not is_page, "names are escaped in the page"
    if is_page:
        assert "&lt;b&gt;bold.png" in text
        assert text.count("data:image/jpeg") > 8 * 6 + 2
        assert "http" not in text.replace("http-equiv", "")


def test_several_faces_of_a_picture_are_no_copies(tmp_path: Path) -> None:
    """They are told once, as faces to be cut out; the picture in two splits is a leak all the same."""
    names = faces(tmp_path, 6)
    rows: list[dict[str, object]] = [
        {"image": name, "label": ("fear", "anger")[k], "x0": 24 * k, "y0": 0, "x1": 24 * k + 20, "y1": 20}
        for name in names
        for k in range(2)
    ]
    found = quietly(table(tmp_path / "faces.csv", rows))
    said = [finding.what for finding in found.findings]
    assert wrong(found) == []
    assert "Pictures listed more than once: 6." in said
    assert not [text for text in said if "copies" in text or "Equal pixels" in text]
    (tmp_path / "again.png").write_bytes((tmp_path / names[0]).read_bytes())
    copied = quietly(table(tmp_path / "faces.csv", [*rows, {**rows[0], "image": "again.png"}]))
    assert "Exact copies: 2 pictures in 1 group." in [finding.what for finding in copied.findings]
    torn = [{**row, "split": ("train", "test")[i % 2]} for i, row in enumerate(rows)]
    assert [
        text
        for text in wrong(quietly(table(tmp_path / "faces.csv", torn)))
        if "in more than one split" in text
    ]
