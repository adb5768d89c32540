"""The command line: one clear message and a status, never a traceback."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from halfsmile.cli.main import main
from halfsmile.utils.errors import StopRequestedError


def fails(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 1) -> str:
    """Run a command that must fail; return its one message."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == status
    message = capsys.readouterr().err
    assert "Traceback" not in message
    return message


def test_missing_data_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    message = fails(
        capsys, "train", "ssfer", "--data", str(tmp_path / "gone"), "--out", str(tmp_path / "run")
    )
    assert "gone does not exist" in message


def test_a_file_that_looks_like_an_option_is_told_how_to_be_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-a.jpg").write_bytes(b"x")
    message = fails(capsys, "predict", "-a.jpg")
    assert (
        message == "error: -a.jpg is taken for an option. If the file of that name is meant, write ./-a.jpg\n"
    )


@pytest.mark.parametrize(
    "given",
    [["--annotate", ""], ["--annotate="], ["--region", "0", "0", "", "1"], ["--every", "2", "--out", ""]],
)
def test_an_empty_value_is_not_taken_for_the_current_folder(
    given: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    option = [word for word in given if word.startswith("--")][-1].rstrip("=")
    message = fails(capsys, "predict", str(tmp_path), *given)
    assert message == (
        f"error: {option} has an empty value, perhaps that of a variable that is not set. Give it one, or "
        f"leave {option} out.\n"
    )


@pytest.mark.parametrize("name", ["--out", "-h"])
def test_a_file_called_like_an_option_does_not_stop_the_option(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"x")
    if name == "-h":
        with pytest.raises(SystemExit) as stopped:
            main(["predict", "-h"])
        assert stopped.value.code == 0
    else:
        message = fails(capsys, "predict", "gone.png", "--out", "t.csv")
        assert "gone.png" in message
        assert "taken for an option" not in message


def test_names_behind_two_dashes_are_those_of_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite(str(tmp_path / "-a.png"), np.full((64, 64, 3), 128, np.uint8))
    main(["predict", "--out", "t.csv", "--", "-a.png"])
    assert "-a.png" in (tmp_path / "t.csv").read_text()


@pytest.mark.parametrize("name", ["cut.png", "cut.gif"])
def test_opencv_says_nothing_of_its_own(name: str, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = cv2.imencode(Path(name).suffix, noise)[1].tobytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_WARNING)
    try:
        cv2.imdecode(np.frombuffer(data[: len(data) // 2], np.uint8), cv2.IMREAD_COLOR)
        assert "global" in capfd.readouterr().err
        with pytest.raises(SystemExit):
            main(["predict", str(tmp_path / name)])
        assert "global" not in capfd.readouterr().err
    finally:
        cv2.utils.logging.setLogLevel(level)


def test_a_folder_that_is_not_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "not a run folder" in fails(capsys, "evaluate", str(tmp_path))
    assert str(tmp_path) in fails(capsys, "report", str(tmp_path))
    assert str(tmp_path) in fails(capsys, "compare", str(tmp_path), str(tmp_path))


def test_a_run_folder_that_holds_other_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    message = fails(capsys, "train", "ssfer", "--data", str(tmp_path), "--out", str(tmp_path))
    assert "not empty" in message


def test_a_run_folder_of_another_recipe(
    capsys: pytest.CaptureFixture[str], generated_data: Path, tmp_path: Path
) -> None:
    from halfsmile.data.protocols.protocol import PROTOCOLS
    from halfsmile.recipes import ssfer
    from halfsmile.training.run import open_run

    open_run(tmp_path / "run", replace(ssfer(data_set="faces"), protocol=PROTOCOLS["faces"]))
    message = fails(
        capsys, "train", "ssfer", "--data", str(generated_data / "labeled"),
        "--out", str(tmp_path / "run"),
        "--labels", "20%",
    )  # fmt: skip
    assert "labels (10% / 20%)" in message


@pytest.mark.parametrize("amount", ["0%", "many", "-1"])
def test_a_label_budget_that_is_none(
    capsys: pytest.CaptureFixture[str], generated_data: Path, tmp_path: Path, amount: str
) -> None:
    message = fails(
        capsys, "train", "supervised", "--data", str(generated_data / "labeled"), "--out",
        str(tmp_path / "run"), f"--labels={amount}",
    )  # fmt: skip
    assert amount in message
    assert "10%" in message


def test_an_empty_folder_of_unlabeled_faces(
    capsys: pytest.CaptureFixture[str], generated_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    message = fails(
        capsys, "train", "ssfer", "--data", str(generated_data / "labeled"), "--out",
        str(tmp_path / "run"), "--unlabeled", str(tmp_path / "empty"),
    )  # fmt: skip
    assert "empty" in message


@pytest.mark.parametrize("again", [["--unlabeled", "b"], ["--unlabeled=b"]])
def test_an_option_that_is_given_twice_is_refused_and_nothing_lost(
    capsys: pytest.CaptureFixture[str], again: list[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", "ssfer", "--data", "x", "--unlabeled", "a", *again])
    assert stopped.value.code == 1
    assert "--unlabeled VALUE VALUE" in capsys.readouterr().err


def test_a_full_disk_and_a_stop_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    def stopped(*_: object, **__: object) -> None:
        raise StopRequestedError("Stopped after step 3 of 9.")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    arguments = ("train", "ssfer", "--data", str(tmp_path), "--out", str(tmp_path / "run"))
    monkeypatch.setattr("halfsmile.api.train", full)
    assert "No space left" in fails(capsys, *arguments)
    monkeypatch.setattr("halfsmile.api.train", stopped)
    assert "step 3 of 9" in fails(capsys, *arguments, status=130)
    monkeypatch.setattr("halfsmile.api.train", interrupted)
    assert "go on" in fails(capsys, *arguments, status=130)


def test_help_starts_fast_and_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("demo", "train", "evaluate", "report", "compare"))


def test_the_base_install_says_what_training_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("halfsmile.api.train", lacking)
    message = fails(capsys, "train", "ssfer", "--data", str(tmp_path), "--out", str(tmp_path / "run"))
    assert "torch is not installed" in message
    assert "halfsmile[train]" in message


@pytest.mark.parametrize("extra", ["serve", "export", "report"])
def test_a_missing_package_is_told_with_the_extra_that_brings_it(
    extra: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'parts'", name="parts")

    target = {
        "serve": "halfsmile.serve.run.serve",
        "export": "halfsmile.export.export_run.export_run",
        "report": "halfsmile.report.report.write_report",
    }[extra]
    monkeypatch.setattr(target, lacking)
    (tmp_path / "recipe.json").write_text("{}")
    message = fails(capsys, extra, *([] if extra == "serve" else [str(tmp_path)]))
    assert "parts is not installed" in message
    assert f"halfsmile[{extra}]" in message


def test_a_stopped_prediction_says_itself_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise StopRequestedError("Stopped. faces.partial.csv has what was found; --resume goes on from it.")

    monkeypatch.setattr("halfsmile.predict.run.predict_run", stopped)
    message = fails(capsys, "predict", "photo.jpg", status=130)
    assert "--resume" in message
    assert "Run the same command again" not in message


def test_labels_that_look_like_markup_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8), np.uint8))
    table = tmp_path / "faces.csv"
    table.write_text("image,label,split\na.png,[/b],train\nb.png,[red]x,train\n")
    for command in (
        ["stats", str(table)],
        ["split", str(table), "--labels", "1", "--out", str(tmp_path / "b.parquet")],
    ):
        main(["data", *command])
        shown = capsys.readouterr().out
        assert "[/b]" in shown
        assert "[red]x" in shown


def test_a_reader_that_goes_away_ends_a_command_without_a_word() -> None:
    command = f"{sys.executable} -m halfsmile train --help | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout.startswith("usage: ")
    assert done.stderr == ""
