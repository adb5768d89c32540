from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfsmile.data.readers.sequences import read as read_sequences
from halfsmile.data.synthetic import (
    EXPRESSIONS,
    Strengths,
    SyntheticFaces,
    activation,
    generate,
    generate_sequence,
    generate_sequences,
    write_data_set,
    write_folders,
    write_sequences,
)
from halfsmile.data.synthetic.moves import TRAITS
from halfsmile.data.synthetic.people import make_person
from halfsmile.data.synthetic.rig import RIG, spline_matrix
from halfsmile.taxonomy import FERPLUS

ARRAYS = ("images", "labels", "true_labels", "person", "boxes", "landmarks", "intensity")


def same(a: SyntheticFaces, b: SyntheticFaces) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)


def prefix(faces: SyntheticFaces, count: int) -> SyntheticFaces:
    return SyntheticFaces(*(getattr(faces, name)[:count] for name in ARRAYS))


def decoded(png: bytes) -> npt.NDArray[np.uint8]:
    """The RGB pixels of a PNG file."""
    stored = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert stored is not None
    return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8)


def moved(units: dict[str, float], curve: str) -> npt.NDArray[np.float32]:
    """Displacement of a curve's points by action units. Shape (points, 2)."""
    span = RIG.spans[curve]
    return RIG.points(activation(units))[span] - RIG.points(activation({}))[span]


def opening(units: dict[str, float], upper: str, lower: str) -> float:
    points = RIG.points(activation(units))
    return float((points[RIG.spans[lower], 1] - points[RIG.spans[upper], 1]).max())


def test_shapes_types_and_taxonomy() -> None:
    faces = generate(9, size=40)
    assert faces.images.shape == (9, 40, 40, 3)
    assert faces.images.dtype == np.uint8
    assert faces.labels.dtype == faces.true_labels.dtype == faces.person.dtype == np.int64
    assert faces.boxes.shape == (9, 4)
    assert faces.landmarks.shape == (9, 5, 2)
    assert faces.boxes.dtype == faces.landmarks.dtype == faces.intensity.dtype == np.float32
    assert faces.names == FERPLUS.labels == tuple(EXPRESSIONS)
    assert len(faces) == 9
    assert len(generate(0)) == 0


def test_equal_options_give_equal_faces_and_a_shorter_run_is_a_prefix() -> None:
    long = generate(40, size=32, seed=5, label_noise=0.3)
    assert same(long, generate(40, size=32, seed=5, label_noise=0.3))
    assert same(prefix(long, 17), generate(17, size=32, seed=5, label_noise=0.3))
    assert not np.array_equal(long.images, generate(40, size=32, seed=6).images)


def test_another_range_of_people_gives_other_shots() -> None:
    a, b = generate(30, size=32, people=5), generate(30, size=32, people=5, first_person=5)
    assert set(a.person) == set(range(5))
    assert set(b.person) == set(range(5, 10))
    assert not np.array_equal(a.intensity, b.intensity)


def test_a_person_is_fixed_by_seed_and_number() -> None:
    make_person.cache_clear()
    first = make_person(1, 7)
    make_person.cache_clear()
    again, other = make_person(1, 7), make_person(2, 7)
    assert np.array_equal(first.traits, again.traits)
    assert np.array_equal(first.skin, again.skin)
    assert first.hair_style == again.hair_style
    assert not np.array_equal(first.traits, other.traits)


def test_people_look_different() -> None:
    people = [make_person(0, number) for number in range(200)]
    assert len({p.hair_style for p in people}) >= 8
    assert {p.facial_hair for p in people} == {"none", "stubble", "mustache", "goatee", "beard"}
    assert 0.1 < np.mean([p.glasses is not None for p in people]) < 0.3
    assert np.std([p.skin.mean() for p in people]) > 30


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    difficulty=st.floats(0, 3),
    size=st.sampled_from([24, 48, 65]),
    first=st.integers(0, 99),
)
def test_landmarks_lie_in_the_box_and_the_box_in_the_picture(
    seed: int, difficulty: float, size: int, first: int
) -> None:
    faces = generate(4, size=size, seed=seed, difficulty=difficulty, first_person=first)
    x0, y0, x1, y1 = faces.boxes.T
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 <= size).all()
    assert (y1 <= size).all()
    x, y = faces.landmarks[:, :, 0], faces.landmarks[:, :, 1]
    assert ((x >= x0[:, None]) & (x <= x1[:, None])).all()
    assert ((y >= y0[:, None]) & (y <= y1[:, None])).all()
    assert (x[:, 0] < x[:, 1]).all(), "eyes are in image order"
    assert (x[:, 3] < x[:, 4]).all(), "mouth corners are in image order"
    assert (y[:, :2].mean(axis=1) < y[:, 3:].mean(axis=1)).all(), "eyes are above the mouth"


def test_landmarks_mark_what_is_drawn() -> None:
    faces = generate(64, size=96, difficulty=0.0, class_weights={"surprise": 1})
    darkest = []
    for image, landmarks in zip(faces.images, faces.landmarks, strict=True):
        for x, y in landmarks[:2]:
            patch = image[round(y) - 7 : round(y) + 8, round(x) - 7 : round(x) + 8].astype(float)
            darkest.append(patch.max() - patch.min())
    assert np.median(darkest) > 120, "wide eyes: white of the eye beside a black pupil"


def test_class_weights_are_realized() -> None:
    weights = {"neutral": 6.0, "happiness": 3.0, "fear": 1.0}
    faces = generate(200, size=24, class_weights=weights, difficulty=0.0)
    shares = np.bincount(faces.labels, minlength=8) / 200
    for name, share in zip(FERPLUS.labels, shares, strict=True):
        assert share == pytest.approx(weights.get(name, 0.0) / 10, abs=0.02)
    equal = np.bincount(generate(80, size=24).labels, minlength=8)
    assert equal.min() >= 8


def test_label_noise_is_realized_and_leaves_pictures_alone() -> None:
    clean, noisy = generate(300, size=24), generate(300, size=24, label_noise=0.25)
    assert np.array_equal(clean.labels, clean.true_labels)
    assert np.array_equal(clean.images, noisy.images)
    assert np.array_equal(clean.labels, noisy.true_labels)
    assert np.mean(noisy.labels != noisy.true_labels) == pytest.approx(0.25, abs=0.07)
    every = generate(50, size=24, label_noise=1.0)
    assert (every.labels != every.true_labels).all()


def test_intensity_follows_label_and_difficulty() -> None:
    faces = generate(200, size=24)
    neutral = faces.true_labels == FERPLUS.index("neutral")
    assert (faces.intensity[neutral] == 0).all()
    assert (faces.intensity[~neutral] >= 0.4).all()
    assert faces.intensity[~neutral].std() > 0.1
    easy = generate(50, size=24, difficulty=0.0)
    assert set(easy.intensity.tolist()) == {0.0, 1.0}


def test_strengths_switch_disturbances_off() -> None:
    still = Strengths(pose=0, occlusion=0)
    faces = generate(20, size=32, people=1, class_weights={"neutral": 1}, strengths=still)
    assert np.allclose(faces.boxes, faces.boxes[0], atol=0.5)
    assert generate(20, size=32, people=1, class_weights={"neutral": 1}).boxes[:, 0].std() > 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "size"),
        ({"people": 0}, "people"),
        ({"first_person": -1}, "first_person"),
        ({"label_noise": 1.5}, "label_noise"),
        ({"difficulty": -1.0}, "difficulty"),
        ({"class_weights": {"joy": 1.0}}, "joy"),
        ({"class_weights": {"fear": 0.0}}, "weights"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(1, **options)  # type: ignore[arg-type]


def test_bad_strengths_and_action_units_are_refused() -> None:
    with pytest.raises(ValueError, match="pose"):
        Strengths(pose=-1)
    for name in ("3", "X12", "R", ""):
        with pytest.raises(ValueError, match="unknown"):
            activation({name: 1.0})


def test_brow_units_move_the_brows() -> None:
    for side in "RL":
        inner, outer = moved({"1": 1}, f"brow_top_{side}")[[0, -1], 1]
        assert inner < -0.1 < outer, "1 raises the inner brow"
        inner, outer = moved({"2": 1}, f"brow_top_{side}")[[0, -1], 1]
        assert outer < -0.1 < inner, "2 raises the outer brow"
        toward = -1 if side == "L" else 1
        dx, dy = moved({"4": 1}, f"brow_top_{side}")[0]
        assert dy > 0.1, "4 lowers the brow"
        assert dx * toward > 0, "4 draws the brows together"


def test_lid_units_open_and_close_the_eyes() -> None:
    eyes = ("eye_upper_L", "eye_lower_L")
    rest = opening({}, *eyes)
    assert opening({"5": 1}, *eyes) > rest * 1.2
    assert opening({"7": 1}, *eyes) < rest * 0.8
    assert opening({"6": 1}, *eyes) < rest * 0.8
    assert opening({"43": 1}, *eyes) < 0.02
    assert moved({"6": 1}, "cheek_L")[0, 1] < 0, "6 raises the cheek"


def test_mouth_units_move_the_lips() -> None:
    for corner, outwards in ((0, -1), (-1, 1)):
        dx, dy = moved({"12": 1}, "lip_parting_top")[corner]
        assert dy < -0.1, "12 raises the lip corners"
        assert dx * outwards > 0.05, "12 pulls the lip corners outwards"
        assert moved({"15": 1}, "lip_parting_top")[corner, 1] > 0.1, "15 lowers the lip corners"
        assert moved({"20": 1}, "lip_parting_top")[corner, 0] * outwards > 0.1, "20 stretches the mouth"
        assert moved({"23": 1}, "lip_parting_top")[corner, 0] * outwards < 0, "23 narrows the mouth"
    parting = ("lip_parting_top", "lip_parting_bottom")
    assert opening({}, *parting) < 0.01
    assert 0.05 < opening({"25": 1}, *parting) < opening({"26": 1}, *parting)
    assert moved({"26": 1}, "jaw")[:, 1].max() > 0.1, "26 drops the chin"
    assert moved({"10": 1}, "lip_top")[:, 1].min() < -0.05, "10 raises the upper lip"
    assert moved({"16": 1}, "lip_bottom")[:, 1].max() > 0.05, "16 lowers the lower lip"
    assert moved({"17": 1}, "lip_parting_bottom")[9, 1] < 0, "17 pushes the lower lip up"
    assert opening({"23": 1}, "lip_top", "lip_bottom") < opening({}, "lip_top", "lip_bottom") * 0.7
    assert moved({"9": 1}, "nose_base")[:, 1].min() < -0.04, "9 raises the wings of the nose"


def test_one_sided_units_move_one_side() -> None:
    right, left = moved({"R12": 1}, "lip_top"), moved({"L12": 1}, "lip_top")
    assert np.abs(right[-1]).max() < 1e-6
    assert np.allclose(right + left, moved({"12": 1}, "lip_top"), atol=1e-6)
    assert np.allclose(right, left[::-1] * (-1, 1), atol=1e-6), "sides mirror each other"


@settings(max_examples=40, deadline=None)
@given(
    units=st.lists(st.floats(0, 1.25, width=32), min_size=36, max_size=36),
    traits=st.lists(st.floats(-2, 2, width=32), min_size=len(TRAITS), max_size=len(TRAITS)),
)
def test_lids_and_lips_never_cross(units: list[float], traits: list[float]) -> None:
    points = RIG.points(np.array(units, np.float32).reshape(-1, 2), np.array(traits, np.float32))
    for upper, lower in (
        ("eye_upper_R", "eye_lower_R"),
        ("eye_upper_L", "eye_lower_L"),
        ("lip_parting_top", "lip_parting_bottom"),
    ):
        assert (points[RIG.spans[upper], 1] <= points[RIG.spans[lower], 1]).all()


def test_splines_pass_through_their_control_points_and_keep_lines_straight() -> None:
    matrix = spline_matrix(5)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(matrix[::3], np.eye(5), atol=1e-6)
    assert np.allclose(np.diff(matrix @ np.arange(5, dtype=np.float32)), 1 / 3, atol=1e-5)


def test_expressions_read_as_their_names() -> None:
    units = {name: RIG.points(activation(e.units)) for name, e in EXPRESSIONS.items()}
    lips, brow = RIG.spans["lip_parting_top"], RIG.spans["brow_top_L"]
    corners = {name: float(points[lips, 1][[0, -1]].mean()) for name, points in units.items()}
    assert min(corners, key=corners.__getitem__) == "happiness"
    assert corners["sadness"] > corners["neutral"] + 0.08
    brows = {name: float(points[brow, 1].mean()) for name, points in units.items()}
    assert min(brows, key=brows.__getitem__) == "surprise"
    assert max(brows, key=brows.__getitem__) in ("anger", "disgust")
    tilt = {name: float(points[lips, 1][0] - points[lips, 1][-1]) for name, points in units.items()}
    assert max(tilt, key=lambda name: abs(tilt[name])) == "contempt"


def test_eight_classes_are_separable_on_people_never_seen() -> None:
    linear = pytest.importorskip("sklearn.linear_model")

    def pixels(faces: SyntheticFaces) -> npt.NDArray[np.float64]:
        rows = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).ravel() for image in faces.images]) / 255.0
        return np.asarray((rows - rows.mean(1, keepdims=True)) / rows.std(1, keepdims=True))

    train = generate(1000, size=32, difficulty=0.3)
    test = generate(240, size=32, difficulty=0.3, first_person=1000)
    model = linear.RidgeClassifier(alpha=30.0).fit(pixels(train), train.labels)
    recall = [np.mean(model.predict(pixels(test))[test.labels == c] == c) for c in range(8)]
    assert np.mean(recall) > 0.6
    assert min(recall) > 0.3


def test_sequence_truth_follows_intensity() -> None:
    clip = generate_sequence("fear", person=3, frames=48, size=32)
    assert clip.intensity[0] < 0.2
    assert clip.intensity[-1] < 0.2
    assert clip.intensity.max() >= 0.85
    for label, value in zip(clip.labels, clip.intensity, strict=True):
        assert label == ("neutral" if value < 0.2 else "fear" if value >= 0.6 else None)
    assert {None, "neutral", "fear"} == set(clip.labels)
    apex = int(np.argmax(clip.intensity))
    assert (np.diff(clip.intensity[: apex + 1]) >= -1e-6).all(), "rises to the apex"
    assert not clip.spoiled.any()
    assert len(clip) == len(clip.images) == 48


def test_sequence_of_neutral_stays_neutral() -> None:
    clip = generate_sequence("neutral", frames=8, size=24)
    assert set(clip.labels) == {"neutral"}
    assert (clip.intensity == 0).all()


def test_sequence_moves_smoothly_and_repeats() -> None:
    clip = generate_sequence("happiness", person=1, frames=60, size=64)
    step = np.linalg.norm(np.diff(clip.landmarks[:, 2], axis=0), axis=1)
    assert 0 < step.max() < 1.5, "the nose moves less than 1.5 pixels from frame to frame"
    again = generate_sequence("happiness", person=1, frames=60, size=64)
    assert np.array_equal(clip.images, again.images)
    other = generate_sequence("happiness", person=1, frames=60, size=64, take=1)
    assert not np.array_equal(clip.images, other.images)


def test_spoiled_frames_are_flagged_and_only_they_change() -> None:
    options = {"person": 2, "frames": 60, "size": 32, "seed": 4}
    clean = generate_sequence("surprise", **options)  # type: ignore[arg-type]
    spoiled = generate_sequence("surprise", spoiled=0.3, **options)  # type: ignore[arg-type]
    assert 5 < spoiled.spoiled.sum() < 35
    changed = (clean.images != spoiled.images).any(axis=(1, 2, 3))
    assert np.array_equal(changed, spoiled.spoiled)
    assert clean.labels == spoiled.labels


def test_sequences_take_expressions_in_turn_and_a_shorter_run_is_a_prefix() -> None:
    clips = list(generate_sequences(9, frames=8, size=24, people=3, first_person=10))
    assert [clip.expression for clip in clips] == [*FERPLUS.labels, "neutral"]
    assert {clip.person for clip in clips} <= {10, 11, 12}
    first = next(generate_sequences(1, frames=8, size=24, people=3, first_person=10))
    assert np.array_equal(first.images, clips[0].images)
    with pytest.raises(ValueError, match="frames"):
        generate_sequence("fear", frames=3)


def test_folders_hold_the_pictures_under_the_observed_label(tmp_path: Path) -> None:
    faces = generate(12, size=24, label_noise=0.5)
    paths = write_folders(faces, tmp_path, split="train")
    for i, path in enumerate(paths):
        assert path.parent == tmp_path / "train" / FERPLUS.labels[faces.labels[i]]
        assert path.name.startswith(f"{faces.person[i]:05d}_")
        assert np.array_equal(decoded(path.read_bytes()), faces.images[i])


def test_data_set_has_three_parts_without_common_people(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_data_set(tmp_path / name, train=24, test=16, unlabeled=20, size=24, people=4)
    root = tmp_path / "a"
    people = {}
    for split, count in (("train", 24), ("test", 16)):
        files = list((root / "labeled" / split).glob("*/*.png"))
        assert len(files) == count
        assert {file.parent.name for file in files} == set(FERPLUS.labels)
        people[split] = {file.name.split("_")[0] for file in files}
    with zipfile.ZipFile(root / "unlabeled.zip") as archive:
        names = archive.namelist()
        picture = decoded(archive.read(names[0]))
    assert len(names) == 20
    expected = generate(1, size=24, people=4, first_person=8).images[0]
    assert np.array_equal(picture, expected)
    people["unlabeled"] = {name.split("_")[0] for name in names}
    assert not people["train"] & people["test"]
    assert not (people["train"] | people["test"]) & people["unlabeled"]
    assert (root / "unlabeled.zip").read_bytes() == (tmp_path / "b" / "unlabeled.zip").read_bytes()
    with pytest.raises(ValueError, match="already"):
        write_data_set(root, train=1, test=1, unlabeled=1)


def test_drawing_shows_its_progress_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("halfsmile.utils.progress.QUIET_SECONDS", 0.0)
    for name, shown in (("silent", False), ("shown", True)):
        write_data_set(tmp_path / name, train=3, test=2, unlabeled=1, size=24, people=4, progress=shown)
        assert ("drawing faces: 6/6" in capsys.readouterr().err) is shown


def test_sequences_come_back_as_they_were_drawn(tmp_path: Path) -> None:
    clips = list(generate_sequences(3, frames=8, size=24, spoiled=0.4))
    paths = write_sequences(clips, tmp_path, frame_rate=10)
    found = read_sequences(tmp_path, taxonomy=FERPLUS)
    assert len(found) == len(paths) == 24
    assert found.manifest.notes == ()
    assert found.manifest.column("label") == [label for clip in clips for label in clip.labels]
    assert found.manifest.column("person") == [f"{clip.person:05d}" for clip in clips for _ in range(8)]
    assert found.times[:3].tolist() == [0, 0.1, 0.2]
    np.testing.assert_array_equal(found.spoiled, np.concatenate([clip.spoiled for clip in clips]))
    np.testing.assert_allclose(found.intensity, np.concatenate([clip.intensity for clip in clips]), atol=1e-4)
    assert np.array_equal(
        decoded((tmp_path / found.manifest.column("image")[9]).read_bytes()), clips[1].images[1]
    )
    with pytest.raises(ValueError, match="already holds sequences"):
        write_sequences(clips, tmp_path)
    with pytest.raises(ValueError, match="frame_rate is 0"):
        write_sequences(clips, tmp_path / "other", frame_rate=0)


def test_imports_without_torch() -> None:
    code = "import sys, halfsmile.data.synthetic; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
