"""The label budget: SSFER's sizes, roles that never overlap, no labels where they may not be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.exchange.label_names import read_named
from halfsmile.data.manifest import Manifest
from halfsmile.data.protocols.recognize import protocol_of
from halfsmile.data.split import ROLES, LabelAmount, LabelBudget, is_budget, require_no_budget
from halfsmile.taxonomy import RAFDB, Taxonomy

MOODS = Taxonomy("moods", ("calm", "glad", "sad"))


def manifest(
    counts: tuple[int, ...] = (100, 40, 7), unlabeled: int = 3, labels: Taxonomy = MOODS
) -> Manifest:
    """Rows class by class, then some without a label."""
    rows: list[dict[str, Any]] = []
    for label, count in zip(labels.labels, counts, strict=True):
        votes = [float(label == name) for name in labels.labels]
        rows += [{"image": f"{label}/{i}.png", "label": label, "votes": votes} for i in range(count)]
    rows += [{"image": f"nobody/{i}.png"} for i in range(unlabeled)]
    return Manifest.from_rows(rows, Path("faces"), labels)


@pytest.mark.parametrize(
    ("text", "share", "per_class"),
    [("10%", 0.1, None), (" 0.5 % ", 0.005, None), ("100%", 1.0, None), ("all", 1.0, None), ("40", None, 40)],
)
def test_amounts(text: str, share: float | None, per_class: int | None) -> None:
    assert LabelAmount.parse(text) == LabelAmount(share, per_class)


@pytest.mark.parametrize(
    "text", ["0%", "110%", "100.1%", "abc", "-3", "-3%", "0", "", "%", "1e2%", "4.5", "10 %%"]
)
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give a percentage of each class"):
        LabelAmount.parse(text)


@settings(deadline=None)
@given(percent=st.integers(1, 100), available=st.integers(1, 5000))
def test_a_share_follows_the_published_rule(percent: int, available: int) -> None:
    assert LabelAmount.parse(f"{percent}%").of_class(available) == max(1, round(percent / 100 * available))


@settings(deadline=None)
@given(number=st.integers(1, 100), available=st.integers(1, 100))
def test_a_number_per_class_takes_what_there_is(number: int, available: int) -> None:
    assert LabelAmount.parse(str(number)).of_class(available) == min(number, available)


def test_published_sizes_of_the_rafdb_draw() -> None:
    """SSFER draws 613 of RAF-DB's 12,271 training faces for 5 %."""
    counts = {1290: 64, 281: 14, 717: 36, 4772: 239, 1982: 99, 705: 35, 2524: 126}
    drawn = {n: LabelAmount.parse("5%").of_class(n) for n in counts}
    assert drawn == counts
    assert sum(drawn.values()) == 613


@given(
    counts=st.tuples(*[st.integers(1, 60)] * 3),
    unlabeled=st.integers(0, 5),
    amount=st.sampled_from(["1%", "10%", "50%", "all", "1", "20"]),
    held_out=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_roles_cover_all_rows_and_never_overlap(
    counts: tuple[int, int, int], unlabeled: int, amount: str, held_out: float, seed: int
) -> None:
    rows = manifest(counts, unlabeled)
    budget = LabelBudget.draw(rows, amount, seed=seed, held_out=held_out)
    found = {role: budget.rows(rows, role) for role in ROLES}
    images = [image for role in ROLES for image in found[role].column("image")]
    assert sorted(images) == sorted(rows.column("image"))
    expected = [LabelAmount.parse(amount).of_class(n) for n in counts]
    assert list(found["labeled"].counts().values()) == expected
    rest = [n - used for n, used in zip(counts, expected, strict=True)]
    assert list(found["held_out"].counts().values()) == [round(held_out * n) for n in rest]
    assert all(
        image not in budget.rows(rows, "labeled").column("image")
        for image in found["held_out"].column("image")
    )


def test_labels_outside_the_budget_are_gone() -> None:
    rows = manifest()
    budget = LabelBudget.draw(rows, "10%", seed=0)
    hidden = budget.rows(rows, "unlabeled")
    assert len(hidden) > 100
    assert hidden.column("label") == [None] * len(hidden)
    assert hidden.column("votes") == [None] * len(hidden)
    assert (hidden.class_indices() == -1).all()
    for role in ("labeled", "held_out"):
        shown = budget.rows(rows, role)
        assert all(label is not None for label in shown.column("label"))
        assert all(votes is not None for votes in shown.column("votes"))


def test_rows_without_a_label_are_never_labeled_or_held_out() -> None:
    rows = manifest(unlabeled=10)
    budget = LabelBudget.draw(rows, "all", seed=0, held_out=1.0)
    assert budget.rows(rows, "unlabeled").column("image") == [f"nobody/{i}.png" for i in range(10)]


def test_a_copy_of_a_face_that_trains_is_not_held_out() -> None:
    hashes = [None if i % 3 == 0 else f"{i % 40}" for i in range(300)]
    table = [{"image": f"{i}.png", "label": "neutral", "sha256": digest} for i, digest in enumerate(hashes)]
    extra = [{"image": "a", "label": "anger"}, {"image": "b", "label": "anger"}]
    faces = Manifest.from_rows([*table, *extra], Path("root"), Taxonomy("two", ("neutral", "anger")))
    budget = LabelBudget.draw(faces, "10%", seed=0, held_out=0.3)
    by_role = {
        role: {digest for digest, own in zip([*hashes, None, None], budget.roles, strict=True) if own == role}
        for role in ("labeled", "unlabeled", "held_out")
    }
    assert None in by_role["held_out"]
    assert not (by_role["held_out"] & (by_role["labeled"] | by_role["unlabeled"])) - {None}


def test_the_seed_decides() -> None:
    rows = manifest()
    first = LabelBudget.draw(rows, "10%", seed=3)
    assert LabelBudget.draw(rows, "10%", seed=3) == first
    assert LabelBudget.draw(rows, "10%", seed=4).roles != first.roles


def test_more_labels_include_the_fewer_ones() -> None:
    rows = manifest()
    budgets = [LabelBudget.draw(rows, amount, seed=0) for amount in ("1%", "10%", "50%")]
    labeled = [set(budget.rows(rows, "labeled").column("image")) for budget in budgets]
    assert labeled[0] < labeled[1] < labeled[2]


def test_a_class_without_a_face_is_named() -> None:
    with pytest.raises(ValueError, match=r"classes \['sad'\] without a label"):
        LabelBudget.draw(manifest((10, 10, 0)), "10%", seed=0)


@pytest.mark.parametrize("held_out", [-0.1, 1.1, 5.0])
def test_a_held_out_share_that_is_none_is_refused(held_out: float) -> None:
    with pytest.raises(ValueError, match=r"0\.05 is 5 %"):
        LabelBudget.draw(manifest(), "10%", seed=0, held_out=held_out)


def test_a_manifest_without_taxonomy_is_refused() -> None:
    bare = Manifest.from_rows([{"image": "a.png"}], Path("faces"))
    with pytest.raises(ValueError, match="no taxonomy"):
        LabelBudget.draw(bare, "10%", seed=0)


def test_a_repeated_row_is_refused() -> None:
    rows = manifest((5, 5, 5))
    twice = rows.take([*range(len(rows)), 2])
    with pytest.raises(ValueError, match=r"calm/2\.png is listed 2 times.*halfsmile data import"):
        LabelBudget.draw(twice, "1", seed=0)


def test_several_faces_of_a_picture_are_cut_out_first() -> None:
    rows = manifest((5, 5, 5)).table.to_pylist()
    rows = [{**row, "box": [0, 0, 9, 9]} for row in rows]
    several = Manifest.from_rows(
        [*rows, {**rows[0], "box": [20, 0, 29, 9]}], Path("faces"), manifest().taxonomy
    )
    with pytest.raises(
        ValueError, match=r"is listed 2 times.*data prepare DATA --detector given --out STORE"
    ):
        LabelBudget.draw(several, "1", seed=0)


def test_classes_without_a_face_that_are_other_words_are_told_as_such() -> None:
    words = Taxonomy("words", ("happy", "Happiness", "sad"))
    rows = [{"image": f"{i}.png", "label": ("happy", "sad")[i % 2]} for i in range(8)]
    with pytest.raises(ValueError, match=r"--label-names Happiness=happy\.$"):
        LabelBudget.draw(Manifest.from_rows(rows, Path("faces"), words), "all", seed=0)
    moods = Taxonomy("moods", ("happy", "bored", "sad"))
    with pytest.raises(ValueError, match=r"Add faces, or .*--label-names bored=none\.$"):
        LabelBudget.draw(Manifest.from_rows(rows, Path("faces"), moods), "all", seed=0)


def test_round_trip_through_a_file(tmp_path: Path) -> None:
    budget = LabelBudget.draw(manifest(), "10%", seed=7)
    budget.save(tmp_path / "run" / "labels.parquet")
    assert LabelBudget.load(tmp_path / "run" / "labels.parquet") == budget
    table = pq.read_table(tmp_path / "run" / "labels.parquet")
    assert table.column_names == ["image", "role"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.parquet is not a label budget"):
        LabelBudget.load(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("not a table")
    with pytest.raises(ValueError, match=r"text\.parquet is not a label budget"):
        LabelBudget.load(tmp_path / "text.parquet")
    pq.write_table(pa.table({"image": ["a"], "role": ["labeled"]}), tmp_path / "bare.parquet")
    with pytest.raises(ValueError, match=r"bare\.parquet is not a label budget"):
        LabelBudget.load(tmp_path / "bare.parquet")


def test_unknown_rows_are_refused() -> None:
    rows = manifest((5, 5, 5), unlabeled=0)
    budget = LabelBudget.draw(rows.take(range(14)), "1", seed=0)
    with pytest.raises(ValueError, match=r"does not know 1 of 15 rows \(first: sad/4\.png\)"):
        budget.rows(rows, "labeled")


def test_some_of_the_rows_in_another_order_keep_their_roles() -> None:
    rows = manifest()
    budget = LabelBudget.draw(rows, "10%", seed=0)
    some = rows.take(range(len(rows) - 1, -1, -2))
    chosen = set(budget.rows(some, "labeled").column("image"))
    assert chosen == set(budget.rows(rows, "labeled").column("image")) & set(some.column("image"))


def test_other_data_is_refused() -> None:
    rows = manifest()
    budget = LabelBudget.draw(rows, "10%", seed=0)
    budget.require_same_data(rows)
    with pytest.raises(ValueError, match="Use a new run folder"):
        budget.require_same_data(rows.take(range(len(rows) - 1)))
    renamed = rows.column("label")
    renamed[0] = "glad"
    columns = [{"image": i, "label": label} for i, label in zip(rows.column("image"), renamed, strict=True)]
    with pytest.raises(ValueError, match="fingerprints differ"):
        budget.require_same_data(Manifest.from_rows(columns, rows.root, rows.taxonomy))


def with_people(column: str = "person", people: int = 60) -> Manifest:
    """300 faces, each person with a few, some of them without a label or a name."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "image": f"{i}.png",
            "label": MOODS.labels[rng.choice(3, p=[0.6, 0.3, 0.1])] if i % 9 else None,
            column: f"p{rng.integers(people)}" if i % 10 else None,
        }
        for i in range(300)
    ]
    return Manifest.from_rows(rows, Path("faces"), MOODS)


@pytest.mark.parametrize("group", ["person", "video"])
def test_a_group_has_one_role(group: Any) -> None:
    rows = with_people(group)
    budget = LabelBudget.draw(rows, "20%", seed=1, held_out=0.2, group=group)
    seen: dict[str, set[str]] = {}
    for name, label, role in zip(rows.column(group), rows.column("label"), budget.roles, strict=True):
        if label is None:
            assert role == "unlabeled"
        elif name is not None:
            seen.setdefault(name, set()).add(role)
    assert {len(roles) for roles in seen.values()} == {1}
    found = budget.rows(rows, "labeled").counts()
    for label, number in rows.counts().items():
        assert abs(found[label] - 0.2 * number) <= 3
    assert 0.1 * 240 <= len(budget.rows(rows, "held_out")) <= 0.25 * 240
    assert LabelBudget.draw(rows, "20%", seed=1, held_out=0.2, group=group) == budget


def test_the_seed_decides_which_groups_are_labeled() -> None:
    budgets = [LabelBudget.draw(with_people(), "20%", seed=seed, group="person") for seed in (1, 2)]
    assert budgets[0].roles != budgets[1].roles


def test_the_group_travels_with_the_file(tmp_path: Path) -> None:
    budget = LabelBudget.draw(with_people(), "20%", seed=1, group="person")
    budget.save(tmp_path / "b.parquet")
    assert LabelBudget.load(tmp_path / "b.parquet") == budget
    assert budget.group == "person"


def test_groups_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ValueError, match="No row of this manifest says its video"):
        LabelBudget.draw(with_people("person"), "20%", seed=0, group="video")
    with pytest.raises(ValueError, match="grouped by"):
        LabelBudget.draw(with_people("person"), "20%", seed=0, group="label")  # type: ignore[arg-type]


def test_a_class_that_only_one_large_group_has_is_named() -> None:
    rows = [
        {"image": f"{i}", "label": MOODS.labels[i % 3 if i < 30 else 0], "person": "one"} for i in range(60)
    ]
    rows += [{"image": f"o{i}", "label": "calm", "person": f"p{i}"} for i in range(400)]
    with pytest.raises(ValueError, match="leaves the classes"):
        LabelBudget.draw(Manifest.from_rows(rows, Path(), MOODS), "1%", seed=0, group="person")


def test_published_and_named_numbers_are_exact() -> None:
    rafdb = (300, 281, 300, 700, 700, 700, 700)
    budget = LabelBudget.draw(manifest(rafdb, labels=RAFDB), "ada-cm-400", seed=0)
    found = budget.rows(manifest(rafdb, labels=RAFDB), "labeled").counts()
    assert found == {name: 40 if name == "fear" else 60 for name in RAFDB.labels}
    rows = manifest()
    assert LabelBudget.draw(rows, "calm=9,glad=1,sad=7", seed=0).rows(rows, "labeled").counts() == {
        "calm": 9,
        "glad": 1,
        "sad": 7,
    }
    with pytest.raises(ValueError, match="only"):
        LabelBudget.draw(rows, "calm=9,glad=1,sad=8", seed=0)
    with pytest.raises(ValueError, match="name each class"):
        LabelBudget.draw(rows, "ada-cm-100", seed=0)


def test_draws_have_not_changed() -> None:
    """Published runs can be repeated: roles of the first rows of a draw made before groups were known."""
    budget = LabelBudget.draw(manifest((6, 4, 3)), "2", seed=0, held_out=0.5)
    assert " ".join(role[0] for role in budget.roles) == "u u l l h h l u h l u l l u u u"


def test_a_budget_is_known_where_data_are_wanted(tmp_path: Path) -> None:
    rows, path = manifest(), tmp_path / "budget.parquet"
    LabelBudget.draw(rows, "10%", seed=0).save(path)
    for read in (require_no_budget, protocol_of, read_named):
        with pytest.raises(ValueError, match=r"is a label budget.*--data DATA --budget .*budget\.parquet"):
            read(path)
    assert is_budget(path)
    rows.save(path)
    pq.write_table(pa.table({"image": ["a"], "role": ["labeled"]}), tmp_path / "other.parquet")
    assert not any(map(is_budget, (path, tmp_path / "other.parquet", tmp_path, tmp_path / "none.parquet")))
    require_no_budget(path)
