"""Columns of several raters: their answers become votes, and nothing else is taken for one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from halfsmile.data.manifest import Fault, UnreadLabelsError
from halfsmile.data.readers import table
from halfsmile.taxonomy import FERPLUS

RATERS = ("anna", "ben", "cleo")


def written(folder: Path, *rows: Sequence[str]) -> Path:
    """A table of pictures, which need not exist, and what three people say."""
    path = folder / "faces.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("file", *RATERS, "note"), *rows])
    return path


def test_answers_are_votes_and_most_of_them_the_label(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        ("a.png", "happiness", "happiness", "neutral", "x"),
        ("b.png", "sadness", "", "sadness", "y"),
        ("c.png", "neutral", "Happiness", "n/a", "z"),
        ("d.png", "", "?", "", "z"),
    )
    found = table.read(path, columns={"label": RATERS}, taxonomy=FERPLUS)
    happy, neutral, sad = (FERPLUS.index(name) for name in ("happiness", "neutral", "sadness"))
    votes = found.column("votes")
    assert votes[0][happy] == pytest.approx(2 / 3)
    assert votes[0][neutral] == pytest.approx(1 / 3)
    assert votes[1][sad] == 1
    assert votes[2][happy] == votes[2][neutral] == 0.5
    assert votes[3] is None
    assert found.column("label") == ["happiness", "sadness", None, None]
    said = " ".join(found.notes)
    assert "Of the 3 faces with two answers and more all agree on 1; ties, which have votes" in said
    assert "no label: 1." in said
    assert "that were not used: note." in said


def test_numbers_need_names_and_get_them(tmp_path: Path) -> None:
    path = written(tmp_path, ("a.png", "0", "1", "1.0", ""), ("b.png", "0", "0", "9", ""))
    with pytest.raises(ValueError, match=r"the answers 0, 1, 9 are numbers.*--label-names 0=neutral"):
        table.read(path, columns={"label": RATERS})
    names = {"0": "calm", "1": "glad", "9": None}
    found = table.read(path, columns={"label": RATERS}, labels=names)
    assert found.column("label") == ["glad", "calm"]
    assert found.column("votes") == [pytest.approx([1 / 3, 2 / 3]), pytest.approx([1, 0])]


def test_one_column_is_a_label_as_before(tmp_path: Path) -> None:
    path = written(tmp_path, ("a.png", "calm", "glad", "glad", ""), ("b.png", "glad", "calm", "calm", ""))
    for name in ("anna", ("anna",)):
        found = table.read(path, columns={"label": name})
        assert found.column("label") == ["calm", "glad"]
        assert found.column("votes") == [None, None]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ("anna", "dora")}, r"lacks the columns \['dora'\] for 'label'"),
        ({"label": ("anna", "anna")}, "names the column anna twice"),
        ({"label": ("anna", "ben"), "votes": ("note", "cleo")}, "name only one of them"),
        ({"label": ("ben", "note")}, "hold 1 different answers; expected from 2 to 64"),
    ],
)
def test_what_is_no_answer_of_several_people_is_refused(
    tmp_path: Path, columns: dict[str, tuple[str, ...]], message: str
) -> None:
    path = written(tmp_path, ("a.png", "calm", "glad", "glad", ""), ("b.png", "calm", "glad", "calm", ""))
    with pytest.raises(ValueError, match=message):
        table.read(path, columns=columns)


def test_several_columns_that_could_be_labels_are_offered_together(tmp_path: Path) -> None:
    rows = [(f"{i}.png", *(("calm", "glad")[(i + k) % 2] for k in range(3)), str(i)) for i in range(8)]
    with pytest.raises(UnreadLabelsError) as told:
        table.read(written(tmp_path, *rows))
    offered = "--columns label=anna (or all, if they are people's answers: --columns label=anna,ben,cleo)"
    assert offered in told.value.mend


def test_notes_count_what_the_answers_mean(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        ("a.png", "happy", "happiness", "happy", ""),
        ("b.png", "unsure", "sad", "sad", ""),
        ("c.png", "unsure", "unsure", "unsure", ""),
        ("d.png", "sad", "sad", "sad", ""),
    )
    names = {"happy": "happiness", "unsure": None}
    found = table.read(path, columns={"label": RATERS}, labels=names)
    assert found.column("label") == ["happiness", "sad", None, "sad"]
    assert found.column("votes")[2] is None
    said = " ".join(found.notes)
    assert "Of the 3 faces with two answers and more all agree on 3." in said
    assert "1 faces have only answers that were dropped, as asked, and no label." in said
    assert not any(isinstance(note, Fault) for note in found.notes)


def test_lists_of_expressions_are_a_fault(tmp_path: Path) -> None:
    path = written(tmp_path, ("a.png", "happy, sad", "happy", "happy", ""), ("b.png", "sad", "sad", "", ""))
    found = table.read(path, columns={"label": RATERS})
    faults = [note for note in found.notes if isinstance(note, Fault)]
    assert len(faults) == 1
    assert "1 answers have several expressions in one cell, first 'happy, sad'" in faults[0]


def test_votes_of_the_table_are_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("file,r1,r2,votes_happy,votes_sad\na.png,sad,happy,3,1\nb.png,sad,sad,0,4\n")
    with pytest.raises(ValueError, match=r"has votes already \(votes_happy …\)"):
        table.read(path, columns={"label": ("r1", "r2")})
    assert table.read(path).column("votes")[0] == pytest.approx([3 / 4, 1 / 4])
    own = table.read(path, columns={"label": ("r1", "r2"), "votes": ""})
    assert own.column("votes")[0] == pytest.approx([1 / 2, 1 / 2])


def test_answers_that_mean_one_class_agree_in_any_spelling(tmp_path: Path) -> None:
    path = written(tmp_path, ("a.png", "happy", "Joy", "happy", ""), ("b.png", "sad", "sad", "joy", ""))
    found = table.read(path, columns={"label": RATERS}, labels={"joy": "Happy"})
    assert found.column("label") == ["happy", "sad"]
    assert found.column("votes") == [[1, 0], pytest.approx([1 / 3, 2 / 3])]
    assert any("all agree on 1." in note for note in found.notes)


def test_numbers_with_a_point_are_named_as_of_a_single_column(tmp_path: Path) -> None:
    path = written(tmp_path, ("a.png", "0.0", "0.0", "1.0", ""), ("b.png", "1.0", "1", "1.0", ""))
    for names in ({"0.0": "happy", "1.0": "sad"}, {"0": "happy", "1.0": "sad"}):
        for raters in (RATERS, RATERS[:1]):
            found = table.read(path, columns={"label": raters}, labels=names)
            assert found.column("label") == ["happy", "sad"]
