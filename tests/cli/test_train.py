"""``halfsmile train``: how data are read can be said, and nothing is left where nothing is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from halfsmile.cli.main import main
from halfsmile.cli.train import Train
from halfsmile.data.readers.registry import read_any
from halfsmile.data.synthetic import generate, write_folders
from halfsmile.taxonomy import from_labels

NUMBERS = {"happiness": "0", "sadness": "1", "neutral": "2"}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Two tables with numbers in a column of another name, beside a folder of pictures."""
    root = tmp_path / "data"
    for number, split in enumerate(("train", "test")):
        weights = dict.fromkeys(NUMBERS, 1.0)
        faces = generate(30, size=32, seed=number, people=30, first_person=50 * number, class_weights=weights)
        paths = write_folders(faces, tmp_path / "made", split=split)
        rows = ["pic,mood", *(f"{path.name},{NUMBERS[path.parent.name]}" for path in paths)]
        (root / "all").mkdir(parents=True, exist_ok=True)
        (root / f"{split}.csv").write_text("\n".join(rows))
        for path in paths:
            path.rename(root / "all" / path.name)
    return root


def test_data_are_read_as_the_options_say(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ["train", "supervised", "--data", str(tables), "--preset", "tiny", "--dry-run"]
    columns = ["--columns", "label=mood"]
    for more, told in (
        (["--box", "xywh"], "no column for a box"),
        ([], "--columns label=mood"),
        (columns, "--label-names 0="),
    ):
        with pytest.raises(SystemExit):
            main([*plain, *more])
        assert told in capsys.readouterr().err
    names = ["--label-names", ",".join(f"{number}={name}" for name, number in NUMBERS.items())]
    main([*plain, *columns, *names])
    shown = capsys.readouterr().out
    assert all(name in shown for name in NUMBERS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "made"]


def test_a_refusal_for_want_of_splits_names_the_ways_out(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NUMBERS:
        (tables / "faces" / name).mkdir(parents=True)
    for number, path in enumerate(sorted((tables / "all").iterdir())):
        path.rename(tables / "faces" / list(NUMBERS)[number % 3] / path.name)
    with pytest.raises(SystemExit):
        main(["train", "supervised", "--data", str(tables / "faces"), "--preset", "tiny", "--dry-run"])
    shown = capsys.readouterr().err
    assert "`halfsmile data split" in shown
    assert "add --test 20%" in shown
    assert "--folds 5" in shown
    with pytest.raises(SystemExit):
        main(["train", "supervised", "--data", str(tables / "faces"), "--by", "person", "--dry-run"])
    assert "--by says how a test split or folds are drawn" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "supervised", "--data", str(tables / "faces"), "--folds", "3", "--dry-run"])
    assert "leave --dry-run" in capsys.readouterr().err


def test_a_test_split_is_drawn_where_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = dict.fromkeys(NUMBERS, 1.0)
    faces = generate(30, size=32, seed=0, people=30, class_weights=weights)
    write_folders(faces, tmp_path, split="faces")
    data = str(tmp_path / "faces")
    plain = ["train", "supervised", "--data", data, "--labels", "all", "--preset", "tiny"]
    main([*plain, "--test", "20%", "--dry-run"])
    shown = capsys.readouterr().out
    assert "Splits drawn row by row with seed 0: 20 % test." in shown
    manifest = read_any(tmp_path / "faces")
    drawn = [
        Train("supervised", tmp_path / "faces", test="20%", seed=seed)._with_test(manifest).column("split")
        for seed in (0, 1)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0].count("test") == 6
    for more, told in (
        (["--folds", "3"], "leave --test away, or --folds"),
        (["--by", "video"], "says its video: draw without --by"),
    ):
        with pytest.raises(SystemExit):
            main([*plain, "--test", "20%", *more, "--out", str(tmp_path / "run")])
        assert told in capsys.readouterr().err


def test_a_test_split_that_is_there_is_not_drawn_again(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["--columns", "label=mood", "--label-names", *(f"{n}={name}" for name, n in NUMBERS.items())]
    with pytest.raises(SystemExit):
        main(["train", "supervised", "--data", str(tables), "--test", "20%", *names, "--dry-run"])
    assert "has a test split of 30 rows: leave --test away" in capsys.readouterr().err


def test_test_rows_without_a_label_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = generate(30, size=32, seed=0, people=30, class_weights=dict.fromkeys(NUMBERS, 1.0))
    for path in write_folders(faces, tmp_path, split="train")[:3]:
        (tmp_path / "test").mkdir(exist_ok=True)
        path.rename(tmp_path / "test" / path.name)
    plain = [
        "train",
        "supervised",
        "--data",
        str(tmp_path),
        "--labels",
        "all",
        "--preset",
        "tiny",
        "--dry-run",
    ]
    with pytest.raises(SystemExit):
        main(plain)
    shown = capsys.readouterr().err
    assert "3 test rows without a label" in shown
    assert "--test 20% --again" in shown
    main([*plain, "--test", "20%"])
    assert "Splits drawn row by row" in capsys.readouterr().out


def test_a_class_without_a_face_is_left_out_as_the_refusal_says(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {number: name for name, number in NUMBERS.items()}
    found = read_any(tables, columns={"label": "mood"}, labels=names)
    wide = from_labels((*(found.taxonomy.labels if found.taxonomy else ()), "other"))
    replace(found, taxonomy=wide).save(tmp_path / "list.parquet")
    command = [
        "train",
        "supervised",
        "--data",
        str(tmp_path / "list.parquet"),
        "--preset",
        "tiny",
        "--dry-run",
    ]
    with pytest.raises(SystemExit):
        main(command)
    assert "--label-names other=none" in capsys.readouterr().err
    main([*command, "--label-names", "other=none"])
    assert "other" not in capsys.readouterr().out
