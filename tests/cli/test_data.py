"""``halfsmile data``: exit statuses, messages, and files that fit together."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from halfsmile.cli.main import main
from halfsmile.data.manifest import Manifest
from halfsmile.data.readers.registry import read_any
from halfsmile.data.split import LabelBudget
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.data.synthetic.folders import encode_png


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """80 training and 24 test faces of other people."""
    write_folders(generate(80, size=32, seed=1, people=80), tmp_path / "set", split="train")
    test = generate(24, size=32, seed=1, people=24, first_person=80)
    write_folders(test, tmp_path / "set", split="test")
    return tmp_path / "set"


def run(*arguments: object, status: int = 0) -> None:
    """Run a command that must end with this status."""
    if not status:
        main(["data", *map(str, arguments)])
        return
    with pytest.raises(SystemExit) as caught:
        main(["data", *map(str, arguments)])
    assert caught.value.code == status


def test_check_ends_with_a_status(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("check", tree, "--html", tmp_path / "page.html")
    assert "Nothing is wrong." in capsys.readouterr().out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    (tree / "train" / "fear" / "broken.png").write_bytes(b"")
    run("check", tree, "--clean", tmp_path / "clean.parquet", status=1)
    assert len(Manifest.load(tmp_path / "clean.parquet")) == 104
    run("check", tmp_path / "clean.parquet")
    run("check", tree, "--fast")
    capsys.readouterr()
    run("check", tmp_path / "gone", status=2)
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert "does not exist" in shown


def test_a_label_rule_is_for_ferplus(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("stats", tree, "--label-rule", "majority", status=1)
    assert "read as class_folders" in capsys.readouterr().err


def test_prepare_verify_and_stats(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "store"
    run("prepare", tree, "--out", store, "--aligned", "--workers", 0)
    assert "holds 104 faces" in capsys.readouterr().out
    run("prepare", tree, "--out", store, "--aligned", "--size", 64, "--workers", 0, status=1)
    assert "other settings: size (None / 64)" in capsys.readouterr().err
    run("prepare", tree, "--out", store, "--aligned", "--detector", "mtcnn", status=1)
    assert "needs no detector" in capsys.readouterr().err
    run("verify", store, "--pixels")
    run("stats", store, "--json", tmp_path / "stats.json")
    assert json.loads((tmp_path / "stats.json").read_text())["per_split"] == {"train": 80, "test": 24}
    shown = capsys.readouterr().out
    assert all(f"quality, {name}" in shown for name in ("size", "sharpness", "exposure"))
    shard = store / "faces-00000.tar"
    data = bytearray(shard.read_bytes())
    data[2000] ^= 1
    shard.write_bytes(data)
    run("verify", store, status=1)
    assert "SHA-256 differs" in capsys.readouterr().out


def test_prepare_crops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folders(generate(8, size=48, seed=1, people=8, difficulty=0.5), tmp_path / "set", split="train")
    command = ("prepare", tmp_path / "set", "--out", tmp_path / "store", "--crops", "--workers", 0)
    run(*command, "--detector", "mtcnn")
    shown = capsys.readouterr().out
    assert "holds 8 faces" in shown
    assert "aligned by landmarks" in shown
    run(*command, "--aligned", status=1)
    assert "--crops for crops" in capsys.readouterr().err


def test_split_is_of_the_training_part(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("split", tree, "--out", tmp_path / "labels.parquet", "--labels", "2", "--seed", 3)
    budget = LabelBudget.load(tmp_path / "labels.parquet")
    assert budget.roles.count("labeled") == 16
    assert all(image.startswith("train/") for image in budget.images)
    assert len(budget.images) == 80
    shown = capsys.readouterr().out
    assert "happiness" in shown
    run("split", tree, "--out", tmp_path / "labels.parquet", "--by", "person", status=1)
    assert "person" in capsys.readouterr().err


def test_a_test_split_and_folds_are_drawn(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tree / "train"
    run("check", whole, "--fast")
    assert "halfsmile data split … --test 20% --by person" in " ".join(capsys.readouterr().out.split())
    out = tmp_path / "list.parquet"
    run("split", whole, "--test", "25%", "--valid", "0.25", "--out", out)
    drawn = Manifest.load(out)
    counts = {name: drawn.column("split").count(name) for name in ("train", "valid", "test")}
    assert sum(counts.values()) == 80
    assert counts["valid"] == counts["test"] == sum(round(n / 4) for n in drawn.counts().values())
    run("split", out, "--test", "25%", "--out", out, status=1)
    assert "--again" in capsys.readouterr().err
    run("split", whole, "--folds", 4, "--out", tmp_path / "folds")
    lists = [Manifest.load(tmp_path / "folds" / f"fold-{fold}.parquet") for fold in range(1, 5)]
    tested = [image for rows in lists for image in rows.split("test").column("image")]
    assert sorted(tested) == sorted(drawn.column("image"))
    for wrong in (
        ("--valid", "10%"),
        ("--test", "x%"),
        ("--test", "10%", "--labels", "5"),
        ("--folds", 2, "--test", 0.1),
    ):
        run("split", whole, "--out", tmp_path / "no.parquet", *wrong, status=1)
    assert not (tmp_path / "no.parquet").exists()


def test_shares_are_looked_at_before_anything_is_said(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = sorted((tree / "train").glob("*/*.png"))
    rows = [f"{path.relative_to(tree)},{path.parent.name},p{i % 9}" for i, path in enumerate(paths)]
    (tree / "t.csv").write_text("\n".join(["image,label,person", *rows]) + "\n")
    command = ("split", tree / "t.csv", "--out", tmp_path / "list.parquet")
    for text, said in (
        ("abc", "20% or 0.2, found 'abc'"),
        ("200%", "found 200 % and 0 %"),
        ("0", "found 0 %"),
    ):
        run(*command, "--test", text, status=1)
        shown = capsys.readouterr()
        assert said in shown.err
        assert shown.out == ""
        with pytest.raises(SystemExit):
            main(["train", "supervised", "--data", str(tree / "t.csv"), "--test", text, "--dry-run"])
        shown = capsys.readouterr()
        assert said in shown.err
        assert shown.out == ""
    run(*command, "--folds", "1", status=1)
    assert capsys.readouterr().out == ""
    run(*command, "--test", "20%")
    assert "--by person keeps each in one part" in capsys.readouterr().out


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """A table of numbers with a column of another name, in another folder than its pictures."""
    faces = generate(16, size=32, seed=1, people=16, class_weights={"happiness": 1.0, "fear": 1.0})
    labels = {name: str(i) for i, name in enumerate(("happiness", "fear"))}
    rows = [
        (path.name, labels[path.parent.name]) for path in write_folders(faces, tmp_path / "set", split="all")
    ]
    (tmp_path / "set" / "t.csv").write_text("pic;mood\n" + "".join(f"C:\\x\\{a};{b}\n" for a, b in rows))
    return tmp_path / "set" / "t.csv"


def test_what_can_not_be_known_is_said_by_options(
    numbered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("check", numbered, status=1)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Labels are not read." in shown
    assert "--columns label=mood" in shown
    assert "Nothing is labeled" not in shown
    columns = ("--columns", "label=mood")
    run("check", numbered, *columns, status=1)
    assert "--label-names 0=neutral" in capsys.readouterr().out
    run("prepare", numbered, *columns, "--out", tmp_path / "s", "--aligned", status=1)
    assert "--label-names 0=neutral" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()
    names = (*columns, "--label-names", "0=happiness,1=fear")
    run("check", numbered, *names)
    run("prepare", numbered, *names, "--out", tmp_path / "s", "--aligned", "--workers", 0)
    shown = capsys.readouterr().out
    said = re.search(
        r"s holds 16 faces. 16 have a label: fear (\d+), happiness (\d+). None has a split", shown
    )
    assert said is not None
    run("merge", numbered, *names, "--out", tmp_path / "list.parquet")
    assert Manifest.load(tmp_path / "list.parquet").counts() == {
        "fear": int(said[1]),
        "happiness": int(said[2]),
    }
    run("prepare", numbered.parent, "--unlabeled", "--out", tmp_path / "bare", "--aligned", "--workers", 0)
    assert "bare holds 16 faces. None has a label. None has a split." in capsys.readouterr().out
    run("prepare", numbered, "--unlabeled", *names, "--out", tmp_path / "no", status=1)
    assert "--unlabeled takes no labels" in capsys.readouterr().err


def test_what_names_tell_is_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p").mkdir()
    for i, image in enumerate(generate(4, size=48, seed=1, people=4).images):
        (tmp_path / "p" / f"S{i // 2}_{('happy', 'sad')[i % 2]}_{i}.png").write_bytes(encode_png(image))
    run("prepare", tmp_path / "p", "--out", tmp_path / "s", "--aligned", "--workers", 0, status=1)
    assert "--from-names words" in capsys.readouterr().err
    names = ("--from-names", "{person}_{label}_*")
    run("prepare", tmp_path / "p", *names, "--out", tmp_path / "s", "--aligned", "--workers", 0)
    assert "s holds 4 faces. 4 have a label: happy 2, sad 2." in capsys.readouterr().out
    assert sorted(set(read_any(tmp_path / "s").column("person"))) == ["S0", "S1"]


def test_an_option_without_use_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("stats", tree, "--box", "xywh", status=1)
    assert "is read as class_folders, which has no use for --box" in capsys.readouterr().err
    run("check", tree, "--columns", "pth", status=2)
    assert "give part=column" in capsys.readouterr().err
    run("check", tree, "--label-names", "0:neutral", status=2)
    assert "give label=name" in capsys.readouterr().err


def test_what_does_nothing_is_said_and_not_recorded(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    plain = ("prepare", tree, "--out", store, "--aligned", "--workers", 0)
    run(*plain, "--keep-every", 7, "--retry")
    shown = capsys.readouterr().out
    assert "--keep-every is for videos, and there was none" in shown
    assert "No source was left out before, so there is nothing to try again." in shown
    assert "every" not in json.loads((store / "prepare.json").read_text())
    run(*plain)
    run(*plain, "--largest-only", status=1)
    assert "there is no largest to keep" in capsys.readouterr().err
    run("export", tree, "--out", tmp_path / "f", "--format", "folders", "--taxonomy", "ferplus", status=1)
    assert "for --format label-studio" in capsys.readouterr().err
    run("merge", tree, "--out", tmp_path / "m.parquet", "--rename", "joy=happiness", status=1)
    assert "joy=happiness: no source has such a label" in capsys.readouterr().err
    run("import", tree, tree / "none.csv", "--out", tmp_path / "m.parquet", "--field", "x", status=1)
    assert not (tmp_path / "m.parquet").exists()


def test_a_store_without_a_face_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none").mkdir()
    for number in range(3):
        (tmp_path / "none" / f"{number}.jpg").write_bytes(b"\xff\xd8\xff no jpeg")
    arguments = ("prepare", tmp_path / "none", "--out", tmp_path / "store", "--aligned", "--workers", 0)
    run(*arguments, status=1)
    assert "No face was stored. 3 of 3 sources were left out, first" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_nothing_is_wrong_only_where_nothing_is_missing(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "extra").mkdir()
    next((tree / "train" / "fear").iterdir()).rename(tree / "extra" / "1.png")
    run("check", tree, status=1)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 images lie outside the folders <split>/<label>/ (folders extra)" in shown
    rows = [
        "image,label",
        *(f"{path.relative_to(tree)},{path.parent.name}" for path in tree.glob("t*/*/*.png")),
    ]
    (tree / "half.csv").write_text("\n".join([*rows, "extra/1.png,"]) + "\n")
    run("check", tree / "half.csv", "--fast")
    shown = " ".join(capsys.readouterr().out.split())
    assert "No fault was found in what was read. 1 of 104 faces have no label." in shown
    assert "Nothing is wrong" not in shown
    (tree / "half.csv").write_text("\n".join([*rows, ",fear"]) + "\n")
    run("check", tree / "half.csv", "--fast", status=1)
    assert "1 rows of half.csv can't be understood" in " ".join(capsys.readouterr().out.split())


def test_merge_maps_labels_as_told(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = (f"one={tree}", f"two={tree}", "--out", tmp_path / "both.parquet", "--taxonomy", "rafdb")
    run("merge", *both, status=1)
    assert "contempt" in capsys.readouterr().err
    run("merge", *both, "--rename", "one:contempt=none", "two:contempt=disgust")
    merged = Manifest.load(tmp_path / "both.parquet")
    assert merged.taxonomy is not None
    assert merged.taxonomy.name == "rafdb"
    contempt = len(list(tree.glob("*/contempt/*")))
    disgust = len(list(tree.glob("*/disgust/*")))
    assert merged.counts()["disgust"] == 2 * disgust + contempt
    assert len(merged) == 208 - contempt
    assert f"dropped rows with the labels {{'contempt': {contempt}}}" in capsys.readouterr().out
    run("merge", tree, "--out", tmp_path / "x.parquet", "--taxonomy", "rafdbb", status=1)
    assert "known are rafdb" in capsys.readouterr().err
    run("merge", tree, "--out", tmp_path / "x.parquet", "--rename", "contempt", status=1)
    assert "old=new" in capsys.readouterr().err


def test_merge_of_own_names_says_what_to_type(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"happiness": "Freude", "sadness": "Trauer"}
    for old, new in words.items():
        (tmp_path / "own" / new).mkdir(parents=True)
        for path in (tree / "train" / old).iterdir():
            path.rename(tmp_path / "own" / new / path.name)
    for name in ("fear", "anger"):
        (tmp_path / "other" / name).mkdir(parents=True)
        for path in (tree / "train" / name).iterdir():
            path.rename(tmp_path / "other" / name / path.name)
    command = ("merge", tmp_path / "own", tmp_path / "other", "--out", tmp_path / "m.parquet")
    run(*command, status=1)
    shown = capsys.readouterr().err
    assert "The classes of the result are Freude, Trauer, and anger, fear are none of them" in shown
    assert "--rename anger=… gives it the name of a class, anger=none drops its rows" in shown
    run(*command, "--rename", "anger=Wut", "fear=none", status=1)
    assert "--taxonomy Freude,Trauer,Wut." in capsys.readouterr().err
    run(*command, "--rename", "anger=Wut", "fear=none", "--taxonomy", "Freude,Trauer,Wut")
    assert min(Manifest.load(tmp_path / "m.parquet").counts().values()) > 0


@pytest.mark.parametrize("kind", ["folders", "csv", "coco", "label-studio"])
def test_export_and_import(tree: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / ("faces.csv" if kind == "csv" else "out")
    run("export", tree, "--out", out, "--format", kind)
    if kind == "folders":
        assert len(list((out / "labeled").rglob("*.png"))) == 104
    if kind == "coco":
        assert len(json.loads((out / "annotations.json").read_text())["annotations"]) == 104
    if kind == "label-studio":
        tasks = json.loads((out / "tasks.json").read_text())
        for task in tasks:
            task["annotations"] = [{"result": task.pop("predictions")[0]["result"]}]
        (tmp_path / "export.json").write_text(json.dumps(tasks))
        run("import", tree, tmp_path / "export.json", "--out", tmp_path / "labeled.parquet")
        labeled = Manifest.load(tmp_path / "labeled.parquet")
        assert "104 set" in labeled.notes[-1]
    if kind == "csv":
        with out.open(newline="") as file:
            rows = list(csv.DictReader(file))
        with out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([("image", "label"), *((row["image"], "ANGRY") for row in rows[:5])])
        arguments = ("import", tree, out, "--out", tmp_path / "labeled.parquet")
        run(*arguments, status=1)
        run(*arguments, "--rename", "ANGRY=anger")
        labels = pq.read_table(tmp_path / "labeled.parquet")["label"].to_pylist()
        assert labels.count("anger") >= 5
    if kind != "csv":
        run("export", tree, "--out", out, "--format", kind, status=1)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("split",), "--out"),
        (("split", "--test", "20%"), "--out"),
        (("split", "--folds", 2), "--out"),
        (("merge",), "--out"),
        (("import",), "--out"),
        (("export", "--format", "csv"), "--out"),
        (("check", "--fast"), "--html"),
        (("check",), "--clean"),
        (("stats",), "--json"),
    ],
)
def test_a_table_of_ones_own_is_never_lost(
    tree: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[object, ...],
    option: str,
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("image,label\na.png,joy\n")
    action, *more = arguments
    sources = (tree, mine) if action == "import" else (tree,)
    run(action, *sources, *more, option, mine, status=2 if action == "check" else 1)
    assert f"{option}" in " ".join(capsys.readouterr().err.split())
    assert mine.read_text() == "image,label\na.png,joy\n"
    assert [path.name for path in tmp_path.iterdir() if path != tree] == ["mine.csv"]


def test_commands_replace_what_they_wrote(tree: Path, tmp_path: Path) -> None:
    for _ in range(2):
        run("check", tree, "--html", tmp_path / "p.html", "--clean", tmp_path / "c.parquet")
        run("split", tree / "train", "--labels", 1, "--out", tmp_path / "b.parquet")
        run("split", tree / "train", "--folds", 2, "--out", tmp_path / "folds")
        run("merge", tree, "--out", tmp_path / "m.parquet")
        run("stats", tree, "--json", tmp_path / "s.json")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["data", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for name in ("check", "prepare", "split", "stats", "merge", "export", "import", "verify"):
        assert f"• {name}" in shown
