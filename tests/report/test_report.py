from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests import run_folders

from halfsmile.data.protocols.protocol import PROTOCOLS
from halfsmile.report.report import _started_from, write_report
from halfsmile.report.training import curves_section
from halfsmile.runs.finished import read_run
from halfsmile.runs.predictions import read_predictions

MakeRun = Callable[..., Path]
EVERY_SECTION = [
    "result",
    "data",
    "stages",
    "pretraining",
    "facemix",
    "pseudo-labels",
    "classes",
    "mistakes",
    "confidence",
    "curves",
    "recipe",
]
VOID = {"meta", "img", "br", "col"}


class Reader(HTMLParser):
    """Collects sections, links, resources and text; insists that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str | None] = []
        self.targets: list[str] = []
        self.resources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(values.get("id"))
        if tag == "a":
            self.targets.append(values.get("href") or "")
        if tag in ("script", "link", "iframe", "object"):
            self.resources.append(tag)
        if values.get("src"):
            self.resources.append(str(values["src"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += " ".join(data.split()) + " "


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def full(full_run: Path) -> tuple[Path, Reader]:
    return full_run, read(write_report(full_run))


def test_every_section_is_there_and_linked(full: tuple[Path, Reader]) -> None:
    _, reader = full
    assert reader.sections == EVERY_SECTION
    assert reader.targets == [f"#{name}" for name in EVERY_SECTION]


def test_nothing_is_fetched_from_outside(full: tuple[Path, Reader]) -> None:
    run, reader = full
    assert len(reader.resources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in reader.resources)
    text = (run / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= set(re.findall(r"url\((#\w+)\)", text))
    assert "@import" not in text
    assert not re.findall(r'href="(?!#)', text)


def test_numbers_are_those_of_the_predictions(full: tuple[Path, Reader]) -> None:
    run, reader = full
    metrics = read_predictions(run / "predictions.parquet").metrics()
    for share in (metrics.accuracy, metrics.macro_f1, metrics.per_class["fear"]["recall"]):
        assert f"{100 * share:.1f}" in reader.text
    for text in (
        "600 test faces",
        "22,604 unlabeled faces",
        "10%",
        "majority of ten votes",
        "truncated JPEG",
    ):
        assert text in reader.text


def test_it_says_how_it_was_measured_and_what_it_is_not(full: tuple[Path, Reader]) -> None:
    _, reader = full
    assert "Test labels select nothing" in reader.text
    assert "does not recognize what a person feels" in reader.text
    assert "95 % interval" in reader.text


def test_missing_pieces_leave_their_sections_out(make_run: MakeRun) -> None:
    run = make_run(stages=["finetune"], recipe={"name": "supervised", "labels": {"per_class": 4}})
    (run / "environment.json").unlink()
    (run / "finetune/metrics.jsonl").unlink()
    reader = read(write_report(run))
    missing = ("pretraining", "facemix", "pseudo-labels", "mistakes", "curves")
    assert reader.sections == [name for name in EVERY_SECTION if name not in missing]
    assert "unlabeled faces" not in reader.text.split("How well it works")[0]
    assert "Pretraining, " not in reader.text
    assert "Pretraining, " in read(write_report(make_run(name="whole"))).text


def test_where_no_pseudo_label_was_accepted_a_sentence_takes_the_place_of_charts(make_run: MakeRun) -> None:
    run = make_run()
    page = write_report(run)
    assert "None was accepted" not in read(page).text
    assert "By class" in page.read_text()
    metrics = run / "semi/metrics.jsonl"
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    for line in lines:
        line |= {name: 0.0 for name in line if name.split("/")[0] in ("acceptance", "accepted", "share")}
        line |= {name: None for name in line if name.split("/")[0] == "precision"}
    metrics.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    page = write_report(run)
    assert "None was accepted in this run: the teacher was sure enough of no face." in read(page).text
    assert "By class" not in page.read_text()
    assert "All classes" not in page.read_text()


def test_other_ways_of_mixing_are_not_called_facemix(make_run: MakeRun) -> None:
    run = make_run(pictures=True, recipe={"name": "supervised", "finetune": {"mixing": "mixup"}})
    assert (run / "finetune/figures/facemix.png").exists()
    assert "facemix" not in read(write_report(run)).sections


def test_text_from_the_run_cannot_break_the_page(make_run: MakeRun) -> None:
    run = make_run(stages=["finetune"], recipe={"name": "<script>alert(1)</script> & co"})
    data = json.loads((run / "data.json").read_text())
    data |= {"data_set": "<b>", "notes": ["</section><img src=x>"], "bad_images": [["<i>", '"quoted"']]}
    (run / "data.json").write_text(json.dumps(data))
    stage = run / "<img src=x onerror=alert(1)>"
    shutil.copytree(run / "finetune", stage)
    (run / "finetune/metrics.jsonl").unlink()
    reader = read(write_report(run))
    assert "<script>alert(1)</script> & co" in reader.text
    assert "</section><img src=x>" in reader.text
    assert not {"script", "x"} & set(reader.resources)


def test_a_record_that_was_cut_short_is_said_beside_the_curves(make_run: MakeRun) -> None:
    run = make_run(stages=["finetune"])
    (run / "finetune/metrics.jsonl").write_text('{"step": 1, "epo')
    assert "line 1, the last one, was cut short" in str(curves_section(read_run(run)))
    (run / "finetune/metrics.jsonl").write_text("")
    assert curves_section(read_run(run)) is None


def test_writing_again_writes_the_same(make_run: MakeRun) -> None:
    run = make_run(stages=["finetune"])
    (run / "finetune/metrics.jsonl").unlink()
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_unfinished_runs_get_no_report(make_run: MakeRun) -> None:
    run = make_run()
    (run / "predictions.parquet").unlink()
    with pytest.raises(ValueError, match=r"unfinished: predictions\.parquet missing"):
        write_report(run)
    assert not (run / "report.html").exists()


def test_importing_needs_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, halfsmile.report.report, halfsmile.evaluation.compare, halfsmile.utils.pictures\n"
        "print([name for name in ('torch', 'matplotlib', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_published_number_stands_beside_one_of_the_same_protocol_only(make_run: MakeRun) -> None:
    folder = make_run()
    recipe = json.loads((folder / "recipe.json").read_text())
    usual = dataclasses.asdict(PROTOCOLS["ferplus"])
    for protocol, shown in ((usual, True), ({**usual, "test_splits": ["test"]}, False)):
        (folder / "recipe.json").write_text(json.dumps({**recipe, "labels": "10%", "protocol": protocol}))
        assert ("SSFER 83.95 %" in write_report(folder).read_text(encoding="utf-8")) is shown


def test_a_stage_that_scores_below_an_earlier_one_is_told(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "below an earlier stage" not in write_report(make_run("rising")).read_text()
    monkeypatch.setitem(run_folders.SKILL, "semi", 1.0)
    page = write_report(make_run("falling")).read_text()
    assert re.search(
        r"<p>Semi.* scores below an earlier stage on the same faces: accuracy [\d.]+ % after", page
    )


def test_stages_that_saw_other_test_faces_are_not_put_side_by_side(make_run: MakeRun) -> None:
    made, other = make_run("made"), make_run("other", prefix="else.csv#", skill=3.0)
    shutil.copy(other / "finetune/predictions.parquet", made / "finetune/predictions.parquet")
    assert "below an earlier stage" not in write_report(made).read_text()


def test_an_earlier_stage_that_was_better_on_held_out_faces_is_told(make_run: run_folders.MakeRun) -> None:
    run = make_run()
    records = run / "finetune/metrics.jsonl"
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    last = [line for line in lines if "held_out/accuracy" in line][-1]
    for score, said in ((0.99, True), (0.01, False)):
        last["held_out/accuracy"] = score
        records.write_text("".join(json.dumps(line) + "\n" for line in lines))
        text = write_report(run).read_text(encoding="utf-8")
        assert ("Stage finetune was better than semi on the" in text) == said
        assert ("halfsmile export RUN --stage finetune" in text) == said


def test_weights_from_elsewhere_are_named(full_run: Path) -> None:
    run = read_run(full_run)
    none = dataclasses.replace(run, recipe={**run.recipe, "init": None})
    assert _started_from(none) == []
    face = dataclasses.replace(run, recipe={**run.recipe, "init": "face"})
    assert _started_from(face) == [
        ("Started from", "dlib's face-recognition network (other people's identity labels)")
    ]
    other = dataclasses.replace(run, recipe={**run.recipe, "init": "runs/a"})
    assert _started_from(other) == [("Started from", "runs/a")]
