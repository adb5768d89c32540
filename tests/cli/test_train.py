"""``halfsmile train``: how data are read can be said, and nothing is left where nothing is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfsmile.cli.main import main
from halfsmile.data.synthetic import generate, write_folders

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
    assert "--folds 5" in shown
    with pytest.raises(SystemExit):
        main(["train", "supervised", "--data", str(tables / "faces"), "--by", "person", "--dry-run"])
    assert "--by says how folds are drawn" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "supervised", "--data", str(tables / "faces"), "--folds", "3", "--dry-run"])
    assert "leave --dry-run" in capsys.readouterr().err
