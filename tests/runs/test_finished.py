from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfsmile.runs.finished import read_run
from halfsmile.taxonomy import FERPLUS

MakeRun = Callable[..., Path]


def test_stages_come_in_the_order_in_which_they_ran(make_run: MakeRun) -> None:
    run = read_run(make_run())
    assert [stage.name for stage in run.stages] == ["pretrain", "finetune", "semi"]
    assert run.taxonomy == FERPLUS
    assert run.name == "ssfer-ferplus"
    assert run.stages[0].predictions is None
    assert run.stages[2].predictions is not None
    assert np.array_equal(run.stages[2].predictions.targets, run.predictions.targets)
    assert run.stage("temporal") is None


def test_series_pair_epochs_with_values_and_null_is_a_gap(make_run: MakeRun) -> None:
    stage = read_run(make_run()).stages[2]
    epochs, values = stage.series("precision/contempt")
    assert len(epochs) == len(values)
    assert np.isnan(values[0])
    assert np.isfinite(values[-1])
    assert (np.diff(epochs) > 0).all()
    assert not stage.has("nothing")


def test_broken_records_are_named_with_their_line(make_run: MakeRun) -> None:
    run = make_run()
    path = run / "semi/metrics.jsonl"
    good = path.read_text()
    path.write_text('{"step": 1, "epo\n' + good)
    with pytest.raises(ValueError, match=r"semi/metrics\.jsonl, line 1 is not valid JSON"):
        read_run(run)
    path.write_text('{"loss": 1.0}\n')
    with pytest.raises(ValueError, match="line 1 is not an object with the numbers step, epoch"):
        read_run(run)


def test_a_last_record_cut_short_is_left_out_and_said(make_run: MakeRun) -> None:
    run = make_run()
    path = run / "semi/metrics.jsonl"
    whole = read_run(run).stages[2]
    assert whole.note is None
    path.write_text(path.read_text() + '{"step": 1, "epo')
    cut = read_run(run).stages[2]
    assert cut.records == whole.records
    assert cut.note is not None
    assert "semi/metrics.jsonl" in cut.note


def test_stages_have_names_for_readers_whether_they_are_known_or_not(make_run: MakeRun) -> None:
    run = make_run(stages=["finetune"])
    shutil.copytree(run / "finetune", run / "another")
    known, other = read_run(run).stages
    assert known.title == "Fine-tuning"
    assert known.purpose == "Stage II: learns the expressions from the labeled faces."
    assert (other.title, other.purpose) == ("Another", "")


def test_unfinished_runs_say_what_is_missing_and_what_to_do(make_run: MakeRun) -> None:
    run = make_run()
    (run / "metrics.json").unlink()
    with pytest.raises(ValueError, match=r"metrics\.json missing\. Start the same training command"):
        read_run(run)
    for stage in ("pretrain", "finetune", "semi"):
        shutil.rmtree(run / stage)
    with pytest.raises(ValueError, match="a stage folder such as finetune/"):
        read_run(run)


def test_predictions_of_other_classes_are_refused(make_run: MakeRun) -> None:
    run = make_run()
    data = json.loads((run / "data.json").read_text())
    data["taxonomy"] = data["taxonomy"][:7]
    (run / "data.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="Taxonomies do not match"):
        read_run(run)
