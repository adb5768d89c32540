"""Names of splits, expressions and numbered classes, as people write them."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from halfsmile.data.readers import words as words_module
from halfsmile.data.readers.words import (
    NUMBERINGS,
    SPLIT_NAMES,
    expression_of,
    how_to_name,
    meaning_of,
    meaning_of_numbers,
    misspelt,
    number_of,
    same_expression,
    split_in,
    split_of,
    word_in,
)
from halfsmile.taxonomy import FER2013, RAFDB

SPLITS = {
    "train": [
        "train",
        "Train",
        "TRAIN",
        "training",
        "train_set",
        "TrainingSet",
        "train images",
        "FER2013Train",
    ],
    "valid": [
        "valid",
        "val",
        "Val",
        "validation",
        "VALIDATION",
        "dev",
        "PublicTest",
        "public_test",
        "val-set",
    ],
    "test": ["test", "Test", "testing", "TestSet", "PrivateTest", "Private Test", "test_faces"],
}


@pytest.mark.parametrize(
    ("split", "name"), [(split, name) for split, names in SPLITS.items() for name in names]
)
def test_splits_in_any_spelling(split: str, name: str) -> None:
    assert split_of(name) == split
    assert split_in(name) == split


@pytest.mark.parametrize(
    "name", ["latest", "trainer", "test person", "value", "Devon", "contest", "2019", "", "a"]
)
def test_other_folders_are_no_splits(name: str) -> None:
    assert split_of(name) is None


def test_a_file_tells_its_split_among_other_words() -> None:
    assert [split_in(stem) for stem in ("labels_train", "my study test", "fer2013-val")] == [
        "train",
        "test",
        "valid",
    ]
    assert split_in("train_and_test") is None
    assert split_in("labels") is None


def test_expressions_with_numbers_and_usual_words() -> None:
    found = {name: expression_of(name) for name in ("Happy", "0_neutral", "3-Sad", "fear faces", "ANGER")}
    assert found == {
        "Happy": "Happy",
        "0_neutral": "neutral",
        "3-Sad": "sad",
        "fear faces": "fear",
        "ANGER": "ANGER",
    }
    for name in ("happy birthday", "happy_sad", "sadie", "2", "unhappy"):
        assert expression_of(name) is None


def test_numbers_of_classes_are_small() -> None:
    assert [number_of(name) for name in ("0", "07", "class_3", "class001", "11")] == [
        "0",
        "7",
        "3",
        "1",
        "11",
    ]
    assert [number_of(name) for name in ("12", "2019", "1a", "0001234", "n000001")] == [None] * 5


def test_numbers_mean_something_only_where_the_pictures_tell() -> None:
    pictures = ["a/train_00001_aligned.jpg", "b/test_0002.jpg"]
    assert meaning_of_numbers(["1", "7"], pictures) == NUMBERINGS["rafdb"]
    assert NUMBERINGS["rafdb"]["4"] == RAFDB.labels[3] == "happiness"
    assert NUMBERINGS["fer2013"]["3"] == FER2013.labels[3] == "happiness"
    assert meaning_of_numbers(["0", "7"], pictures) is None
    assert meaning_of_numbers(["1", "2"], ["face1.jpg"]) is None
    assert meaning_of_numbers(["1"], []) is None


def test_what_to_type_names_the_orders_that_fit() -> None:
    told = how_to_name(["0", "7", "3"])
    assert "--label-names 0=neutral" in told
    assert "affectnet8: 0=neutral, 1=happiness" in told
    assert "rafdb" not in told
    assert "rafdb: 1=surprise" in how_to_name(["1", "7"])
    assert "order of a published set" not in how_to_name(["-1", "100"])


def test_splits_in_other_languages() -> None:
    for words, split in (
        ("训练集 Trainingsdaten entrenamiento treino", "train"),
        ("验证集 Validierung validación", "valid"),
        ("测试集 Testdaten prueba テスト", "test"),
    ):
        assert [split_of(word) for word in words.split()] == [split] * len(words.split())


@pytest.mark.parametrize(
    ("name", "split"),
    [("test测试集", "test"), ("测试集test", "test"), ("train训练", "train"), ("val验证", "valid"),
     ("train数据", "train"), ("数据test", "test"), ("testтест", "test"), ("テストtest", "test")],
)  # fmt: skip
def test_english_beside_another_script_is_a_word_of_its_own(name: str, split: str) -> None:
    assert split_in(name) == split
    assert split_of(name) == (None if "数据" in name else split)


@pytest.mark.parametrize("name", ["boys", "books", "boots", "boss", "walking", "skin", "not", "note"])
def test_usual_words_are_not_misspelt_ones_of_other_languages(name: str) -> None:
    assert misspelt(name) is None
    assert same_expression([name, *RAFDB.labels]) == []


def test_accents_may_be_apart() -> None:
    apart = normalize("NFD", "wütend")
    assert apart != "wütend"
    assert (expression_of(apart), word_in(f"x-{apart}-1")) == ("wütend", "wütend")
    assert split_of(normalize("NFD", "validación")) == "valid"


@pytest.mark.parametrize(
    "names",
    [
        "radość smutek złość strach wstręt zaskoczenie neutralny pogarda",
        "радость грусть злость страх отвращение удивление нейтральное презрение",
        "기쁨 슬픔 분노 공포 혐오 놀람 중립 경멸",
        "喜び 悲しみ 怒り 恐れ 嫌悪 驚き 無表情 軽蔑",
        "blij verdrietig boos angst walging verrast neutraal minachting",
        "mutlu üzgün kızgın korku iğrenme şaşkın nötr",
        "fröhlich traurig wütend Angst Ekel überrascht neutral Verachtung",
    ],
)
def test_words_of_a_language_mean_one_expression_each_and_are_found_behind_numbers(names: str) -> None:
    order = ["happiness", "sadness", "anger", "fear", "disgust", "surprise", "neutral", "contempt"]
    words = names.split()
    assert [meaning_of(word) for word in words] == order[: len(words)]
    assert [meaning_of(f"{number:02d}_{word}") for number, word in enumerate(words)] == order[: len(words)]


def test_no_word_means_two_expressions() -> None:
    """A later one would take the place of an earlier one in silence."""
    words = [word for line in words_module._OTHER_WORDS.values() for word in line.split()]
    assert len(words) == len(set(words))
    assert not SPLIT_NAMES.keys() & set(words)
