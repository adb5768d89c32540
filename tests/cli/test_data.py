"""``halfsmile data``: exit statuses, messages, and files that fit together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from halfsmile.cli.main import main
from halfsmile.data.manifest import Manifest
from halfsmile.data.split import LabelBudget
from halfsmile.data.synthetic import generate, write_folders


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
    assert "quality_" in capsys.readouterr().out
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


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["data", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for name in ("check", "prepare", "split", "stats", "merge", "export", "import", "verify"):
        assert f"• {name}" in shown
