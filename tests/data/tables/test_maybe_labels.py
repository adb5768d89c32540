"""Labels in columns that are not known for it, and in sentences, are told or read."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfsmile.data.manifest import UnreadLabelsError
from halfsmile.data.readers.registry import read_any
from halfsmile.data.readers.table import read
from halfsmile.data.tables.maybe_labels import maybe_labels

CAPTIONS = [
    "a photo of a happy woman",
    "a sad man in blue",
    "one happy child outdoors",
    "an old sad face again",
]


def table(path: Path, names: str, rows: list[str]) -> Path:
    path.write_text("\n".join([f"image,{names}", *(f"{i}.png,{row}" for i, row in enumerate(rows))]))
    return path


def test_what_may_be_labels_has_values_again_or_a_word_in_each_sentence() -> None:
    rows = [
        {"mood": "ab"[i % 2], "id": str(i), "text": text, "note": f"taken on day {i} indoors"}
        for i, text in enumerate(CAPTIONS)
    ]
    found = maybe_labels(rows, ["mood", "id", "text", "note"])
    assert [column.split(" (")[0] for column in found] == ["mood", "text"]


def test_the_word_of_a_sentence_is_the_label_where_its_column_is_named(tmp_path: Path) -> None:
    rows = [*CAPTIONS * 5, "nobody is to be seen"]
    path = table(tmp_path / "metadata.csv", "text", rows)
    with pytest.raises(UnreadLabelsError, match=r"the columns text .*--columns label=text, or"):
        read(path)
    found = read(path, columns={"label": "text"})
    assert found.column("label") == ["happy", "sad", "happy", "sad"] * 5 + [None]
    assert [
        note
        for note in found.notes
        if "sentences" in note and "1 rows have none or several, or say no" in note
    ]


def test_sentences_in_a_column_of_labels_stay_where_nobody_named_it(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "label", CAPTIONS)
    assert read(path).column("label") == CAPTIONS
    assert read(path, columns={"label": "label"}).column("label") == ["happy", "sad", "happy", "sad"]


def test_names_given_for_sentences_go_before_their_words(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "text", CAPTIONS)
    names = {caption: "one" if i < 2 else "two" for i, caption in enumerate(CAPTIONS)}
    found = read(path, columns={"label": "text"}, labels=names)
    assert found.column("label") == ["one", "one", "two", "two"]


@pytest.mark.parametrize("no", ["this man is not happy", "he is never happy here", "she isn't happy at all"])
def test_sentences_that_say_no_have_no_label(tmp_path: Path, no: str) -> None:
    path = table(tmp_path / "t.csv", "text", [*CAPTIONS, no])
    assert read(path, columns={"label": "text"}).column("label") == ["happy", "sad", "happy", "sad", None]


def test_sentences_of_all_tables_are_read_alike(tmp_path: Path) -> None:
    """Also where those of one alone would all have the same word."""
    table(tmp_path / "train.csv", "text", CAPTIONS)
    table(tmp_path / "test.csv", "text", ["a photo of a happy baby"])
    tables = [tmp_path / "train.csv", tmp_path / "test.csv"]
    found = read(tmp_path, tables=tables, columns={"label": "text"})
    assert found.column("label") == ["happy", "sad", "happy", "sad", "happy"]


def test_words_that_qualify_an_expression_are_no_sentence(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "label", ["very happy", "slightly happy", "very sad", "very sad"])
    assert set(read(path).column("label")) == {"very happy", "slightly happy", "very sad"}


def test_columns_named_after_expressions_without_numbers_are_told(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "happy,sad,fear", ["high,low,low", "low,high,low", "low,low,high"])
    with pytest.raises(UnreadLabelsError, match=r"happy \(high, low\); sad .*Write a number into each"):
        read(path)
    assert read(path, columns={"label": ""}).taxonomy is None


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (("70.5%", "20%", "9.5%"), ","),
        (("70,5 %", "20 %", "9,5 %"), ";"),
        (("x", "", ""), ","),
        (("✓", "", ""), ","),
        (("1", "", "0"), ","),
    ],
)
def test_shares_in_percent_and_marks_are_votes(tmp_path: Path, cells: tuple[str, ...], mark: str) -> None:
    """The cells in turn, so that each column has each of them."""
    path = tmp_path / "t.csv"
    rows = [mark.join([f"{i}.png", *cells[-i:], *cells[:-i]] if i else ["0.png", *cells]) for i in range(3)]
    path.write_text("\n".join([mark.join(["image", "happy", "sad", "fear"]), *rows]))
    found = read(path)
    assert found.column("label") == ["happy", "sad", "fear"]
    expected = [0.705, 0.2, 0.095] if "%" in cells[0] else [1.0, 0.0, 0.0]
    assert found.table["votes"].to_pylist()[0] == pytest.approx(expected)


@pytest.mark.parametrize("names", ["AU 1,AU 12", "AU01_c,AU12_r", "valence,Arousal"])
def test_what_is_measured_is_no_class(tmp_path: Path, names: str) -> None:
    path = table(tmp_path / "t.csv", names, ["0,1", "1,0", "999,1", "0,0"])
    found = read(path)
    assert found.taxonomy is None
    assert [note for note in found.notes if "no classes: only classes are learned" in note]


@pytest.mark.parametrize("form", ["{}", "is_{}"])
def test_a_class_that_one_table_never_crosses_is_one(tmp_path: Path, form: str) -> None:
    def write(name: str, words: list[str], crossed: list[str]) -> None:
        lines = [f"image,{','.join(map(form.format, words))}"]
        lines += [f"{name}{i}.png,{','.join('x' * (w == c) for w in words)}" for i, c in enumerate(crossed)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
        for i in range(len(crossed)):
            (tmp_path / f"{name}{i}.png").touch()

    words = ["happy", "sad", "fear", "anger"]
    write("train", words, words)
    write("test", words[::-1], ["happy", "sad", "fear"])
    found = read_any(tmp_path)
    assert found.taxonomy is not None
    assert set(found.taxonomy.labels) == set(words)
    assert found.column("label") == ["happy", "sad", "fear", *words] or found.column("label") == [
        *words, "happy", "sad", "fear",
    ]  # fmt: skip
    (tmp_path / "train.csv").unlink()
    alone = read(tmp_path / "test.csv")
    assert alone.taxonomy is not None
    assert set(alone.taxonomy.labels) == set(words)


def test_shares_with_commas_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('image,happy,sad,fear\na.png,"12,5%","75,5 %",12%\nb.png,0%,0%,100%\n')
    assert read(path).column("votes")[0] == pytest.approx([0.125, 0.755, 0.12])


def test_what_was_not_rated_is_not_zero(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,label,happy,sad,fear\na.png,happy,,1,\nb.png,sad,1,5,2\nc.png,fear,,,\n")
    found = read(path)
    assert found.column("image") == ["b.png", "c.png"]
    assert found.column("votes")[1] is None
