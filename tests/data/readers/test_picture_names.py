"""Labels, people and splits in the names of pictures are read when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.files import touch

from halfsmile.data.manifest import LeftOut, UnreadLabelsError
from halfsmile.data.readers.picture_names import CODES, code_of, name_pattern, proposal
from halfsmile.data.readers.registry import read_any

NAMES = {
    "kdef": ("AF01ANS.JPG", {"person": "F01", "label": "AN"}),
    "jaffe": ("KA.HA1.29.tiff", {"person": "KA", "label": "HA"}),
    "rafd": ("Rafd090_01_Caucasian_female_angry_frontal.jpg", {"person": "01", "label": "angry"}),
    "ravdess": ("x/01-01-05-02-01-01-12_0003.png", {"video": "01-01-05-02-01-01-12", "label": "05"}),
    "crema-d": ("1001_DFA_ANG_XX.jpg", {"person": "1001", "label": "ANG"}),
    "nimstim": ("01F_HA_O.BMP", {"person": "01F", "label": "HA"}),
    "faces": ("004_o_m_a_a.jpg", {"person": "004", "label": "a"}),
    "words": ("S1-happy-02.png", {"label": "happy"}),
    "{person}_{label}_*": ("in/S001_sad_02.png", {"person": "S001", "label": "sad"}),
    "{label}{frame}": ("surprise12.png", {"label": "surprise", "frame": "12"}),
    "{person:3}{label:2}*": ("P07HA_x.png", {"person": "P07", "label": "HA"}),
    "{person}/{video}/{label}/*": ("VL/P 1/s-2/Angry/000.jpeg", {"person": "P 1", "video": "s-2"}),
    "{split}_?_{label}": ("train_x_fear.jpg", {"split": "train", "label": "fear"}),
    r"-(?P<label>[A-Z]+)-": ("a-FE-1.png", {"label": "FE"}),
    r"e(\d)": ("clip_e3_x.png", {"label": "3"}),
}


@pytest.mark.parametrize("text", NAMES)
def test_patterns_tell_the_parts_of_names(text: str) -> None:
    path, parts = NAMES[text]
    told = name_pattern(text).tell(path)
    assert told is not None
    assert parts.items() <= told.items()
    assert name_pattern(text).tell("@") is None


@pytest.mark.parametrize(
    "text", ["", "nonsense", "{mood}_*", "(?P<mood>a)", "(", "{label}{", "{label}_{label}", "(a)(b)"]
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"placeholders|groups|regular|twice"):
        name_pattern(text)


def test_every_code_has_a_class_for_each_of_its_letters() -> None:
    for name, (path, _) in NAMES.items():
        if name not in CODES or not CODES[name].labels:
            continue
        told = name_pattern(name).tell(path)
        assert told is not None
        assert told["label"].casefold() in name_pattern(name).labels
        assert code_of([path]) == name


def test_labels_and_people_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "AF01ANS.JPG", "AF01HAS.JPG", "BM02SAFL.JPG", "BM02SUS.JPG", "readme.JPG")
    manifest = read_any(tmp_path, names="kdef")
    assert manifest.column("label") == ["anger", "happiness", "sadness", "surprise", None]
    assert manifest.column("person") == ["F01", "F01", "M02", "M02", None]
    (left,) = [note for note in manifest.notes if isinstance(note, LeftOut)]
    assert left.startswith("1 of 5 pictures are not named as 'kdef' says, first readme.JPG")


def test_own_codes_keep_their_letters_unless_named(tmp_path: Path) -> None:
    touch(tmp_path, "a_JO_1.png", "a_TR_1.png")
    manifest = read_any(tmp_path, names="{person}_{label}_*")
    assert manifest.column("label") == ["JO", "TR"]
    assert any("--label-names JO=anger" in note for note in manifest.notes)
    named = read_any(tmp_path, names="{person}_{label}_*", labels={"JO": "happiness", "TR": "sadness"})
    assert named.column("label") == ["happiness", "sadness"]
    with pytest.raises(ValueError, match="has no label XX"):
        read_any(tmp_path, names="{person}_{label}_*", labels={"XX": "anger"})


def test_numbers_in_names_need_names(tmp_path: Path) -> None:
    touch(tmp_path, "a_01.png", "a_02.png", "b_01.png", "b_03.png")
    with pytest.raises(UnreadLabelsError, match=r"are numbers.*leave \{label\} out"):
        read_any(tmp_path, names="*_{label}")
    manifest = read_any(tmp_path, names="*_{label}", labels={"01": "anger", "2": None, "3": "fear"})
    assert manifest.column("label") == ["anger", "anger", "fear"]


def test_splits_are_those_of_folders_or_of_the_names(tmp_path: Path) -> None:
    touch(tmp_path / "a", "train/x_happy.png", "test/y_sad.png")
    assert read_any(tmp_path / "a", names="words").column("split") == ["test", "train"]
    touch(tmp_path / "b", "1-happy.png", "2-sad.png")
    manifest = read_any(tmp_path / "b", names="{split}-{label}", splits={"1": "train", "2": "test"})
    assert manifest.column("split") == ["train", "test"]
    with pytest.raises(ValueError, match="--splits 1=train"):
        read_any(tmp_path / "b", names="{split}-{label}")


def test_people_are_added_to_what_folders_and_tables_tell(tmp_path: Path) -> None:
    touch(tmp_path, "happy/S1_0.png", "sad/S2_0.png")
    assert read_any(tmp_path, names="{person}_*").column("person") == ["S1", "S2"]
    touch(tmp_path, "list.csv", text="image,label\nhappy/S1_0.png,glad\nsad/S2_0.png,low\n")
    manifest = read_any(tmp_path / "list.csv", names="{person}_*")
    assert manifest.column("person") == ["S1", "S2"]
    assert manifest.column("label") == ["glad", "low"]
    with pytest.raises(ValueError, match="has labels already"):
        read_any(tmp_path / "list.csv", names="{label}_*")
    with pytest.raises(ValueError, match=r"No picture of .* is named as"):
        read_any(tmp_path, names="{person}@{label}")


def test_codes_of_ones_own_are_guessed_at_but_not_taken(tmp_path: Path) -> None:
    names = [f"p{i}-{code}-{n}.png" for i in range(3) for code in ("AN", "HA") for n in (1, 2)]
    assert proposal(names) == "*-{label}-*"
    assert proposal([f"IMG_{i}.png" for i in range(20)]) is None
    manifest = read_any(touch(tmp_path, *names))
    assert manifest.taxonomy is None
    (note,) = [note for note in manifest.notes if isinstance(note, LeftOut)]
    assert "--from-names '*-{label}-*'" in note
