"""Networks over frames in videos, held against the same networks in torch on each person's whole sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from tests.predict.conftest import LABELS, film
from tests.predict.test_temporal_model import write

from halfsmile.faces.video.frames import VideoFrame
from halfsmile.predict.face import Face, Faces
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.temporal import PATIENCE, open_temporal, relate_tracks
from halfsmile.predict.temporal_model import TemporalFacts, TemporalModel
from halfsmile.predict.video import Seen, predict_video
from halfsmile.sequences.windowed import FrameFeatures, frame_logits

torch = pytest.importorskip("torch")

from halfsmile.export.temporal import export_temporal, temporal_facts  # noqa: E402
from halfsmile.models.temporal.convolution import make_network  # noqa: E402
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalNetwork  # noqa: E402
from halfsmile.taxonomy import from_labels  # noqa: E402

COUNT = 110
LEVELS = np.random.default_rng(4).integers(0, 256, (2, COUNT))
LEVELS[1, 15:30] = 100 + np.arange(15)  # who comes back is known by their looks
CONFIGS = {
    "online": TemporalConfig(width=8, heads=2, depth=2, delay=3, history=4),
    "offline": TemporalConfig(width=8, heads=2, depth=2, window=16),
}
Network = tuple[str, TemporalNetwork, Path]


@pytest.fixture(scope="module", params=CONFIGS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network whose answers spread, and its file; features are the brightness of a face."""
    torch.manual_seed(3)
    made = make_network(CONFIGS[request.param], features=1, classes=4)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    made.standardize_as(torch.rand(50, 1) * 255)
    path = tmp_path_factory.mktemp(request.param) / "export" / "temporal.onnx"
    path.parent.mkdir()
    export_temporal(made.eval(), temporal_facts(made, from_labels(LABELS), "0" * 64), path)
    return request.param, made, path


def two_people(index: int) -> list[tuple[int, int, int]]:
    """The second comes later, is away for a moment, leaves, and comes back as somebody new."""
    people = [(20, 20, int(LEVELS[0, index]))]
    if 5 <= index < 20 or 26 <= index < 50 or index >= 85:
        people.append((120, 20, int(LEVELS[1, index])))
    return people


def looked(
    predictor: Predictor, frames: list[VideoFrame] | Iterator[VideoFrame], **options: object
) -> Iterator[Seen]:
    return predict_video(predictor, frames, detect_every=1, **options)  # type: ignore[arg-type]


def rows(seen: list[Seen], track: int) -> dict[int, list[float]]:
    return {
        s.frame.index: list(face.probabilities.values())
        for s in seen
        for face in s.faces
        if face.track == track
    }


def sequence(raw: list[Seen], track: int, *, until: float) -> tuple[list[int], list[FrameFeatures]]:
    """A person's frames from the first to ``until`` seconds out of sight, with their features."""
    numbers, frames = [], []
    last = -1.0
    for seen in raw:
        place = next((i for i, face in enumerate(seen.faces) if face.track == track), None)
        if place is not None:
            last = seen.frame.time
        if place is None and (last < 0 or seen.frame.time - last > until):
            continue
        numbers.append(seen.frame.index)
        frames.append(FrameFeatures(seen.frame.time, None if place is None else seen.features[place]))
    return numbers, frames


def test_each_person_gets_the_answers_of_torch_on_the_whole_sequence(
    predictor: Predictor, network: Network
) -> None:
    name, model, path = network
    frames = film(two_people, COUNT)
    raw, found = list(looked(predictor, frames)), list(looked(predictor, frames, temporal=path))
    assert [[(f.track, f.box) for f in s.faces] for s in found] == [
        [(f.track, f.box) for f in s.faces] for s in raw
    ]
    tracks = {face.track for seen in raw for face in seen.faces}
    assert tracks == {1, 2, 3, 4}  # one person, who is taken for another after a sudden change, and two more
    spread = []
    second = rows(raw, 2)
    assert 19 in second
    assert 26 in second
    assert 22 not in second
    for track in (1, 2, 3, 4):
        numbers, inputs = sequence(raw, track, until=PATIENCE + 1 / 25 + 1e-6)
        answers = softmax(np.stack(list(frame_logits(model, inputs))), axis=1)
        expected = dict(zip(numbers, answers, strict=True))
        for number, row in rows(found, track).items():
            np.testing.assert_allclose(row, expected[number], atol=1e-5)
            spread.append(row)
        if name == "online":  # frames without a face are nobody's key: only those seen matter
            last = max(i for i, frame in enumerate(inputs) if frame.features is not None)
            trimmed = inputs[: last + 1]
            answers = softmax(np.stack(list(frame_logits(model, trimmed))), axis=1)
            np.testing.assert_allclose(rows(found, track)[numbers[last]], answers[-1], atol=1e-5)
    assert np.ptp(spread, axis=0).max() > 0.1


def test_nothing_reaches_across_a_cut_though_the_number_stays(predictor: Predictor, network: Network) -> None:
    film_of_one = film(lambda i: [(20, 20, 100 + i // 2)], 40)
    raw = [replace(seen, shot=seen.frame.index // 20) for seen in looked(predictor, film_of_one)]
    assert {face.track for seen in raw for face in seen.faces} == {1}
    temporal = open_temporal(network[2], predictor.model)
    assert temporal is not None
    found = rows(list(relate_tracks(iter(raw), predictor.judge, temporal)), 1)
    for shot in (0, 1):
        alone = [seen if seen.shot == shot else replace(seen, faces=Faces()) for seen in raw]
        for number, row in rows(list(relate_tracks(iter(alone), predictor.judge, temporal)), 1).items():
            np.testing.assert_allclose(found[number], row, atol=1e-5)


def test_name_confidence_and_certainty_follow_the_network(predictor: Predictor, network: Network) -> None:
    faces = predictor.video(film(two_people, 40), temporal=str(network[2].parent.parent))
    for face in faces:
        assert isinstance(face, Face)
        best = max(face.probabilities, key=lambda label: face.probabilities[label])
        assert (face.expression, face.confidence) == (best, face.probabilities[best])
        assert face.uncertain == (face.confidence < 0.75)
        assert sum(face.probabilities.values()) == pytest.approx(1)


def test_frames_come_in_order_as_late_as_the_network_needs(predictor: Predictor, network: Network) -> None:
    name, model, path = network
    given: list[int] = []

    def frames() -> Iterator[VideoFrame]:
        for frame in film(two_people, COUNT):
            given.append(frame.index)
            yield frame

    late = []
    order = []
    for seen in looked(predictor, frames(), temporal=path):
        late.append(given[-1] - seen.frame.index)
        order.append(seen.frame.index)
    bound = model.context[1] if model.context is not None else model.config.window
    assert order == list(range(COUNT))
    assert max(late) == bound
    assert bound == {"online": 3, "offline": 16}[name]


def test_pictures_of_waiting_frames_can_be_let_go(predictor: Predictor, network: Network) -> None:
    frames = film(two_people, 10)
    for keep, size in ((True, frames[0].image.size), (False, 0)):
        seen = list(looked(predictor, frames, temporal=network[2], keep_pictures=keep))
        assert {s.frame.image.size for s in seen} == {size}
        assert [s.frame.time for s in seen] == [frame.time for frame in frames]


def test_what_does_not_fit_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    facts = TemporalFacts(labels=LABELS, features=2, window=6, context=(3, 2), recipe_sha256="0" * 64)
    path = write(tmp_path / "t.onnx", facts)
    with pytest.raises(ValueError, match=r"choose one"):
        list(predictor.video(film(two_people, 3), smoothing=0.5, temporal=path))
    with pytest.raises(ValueError, match=r"reads 2 features of a face, and the model 'brightness' gives 1"):
        predictor.video(film(two_people, 3), temporal=path)
    with pytest.raises(ValueError, match=r"no export/temporal\.onnx.*the folder of a run with Stage IV"):
        open_temporal(tmp_path, predictor.model)
    with pytest.raises(ValueError, match="does not exist"):
        open_temporal(tmp_path / "nowhere", predictor.model)
    assert open_temporal(None, predictor.model, smoothing=0.5) is None


def test_a_network_of_another_run_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    facts = TemporalFacts(labels=LABELS, features=1, window=6, context=(3, 2), recipe_sha256="0" * 64)
    assert open_temporal(TemporalModel(write(tmp_path / "same.onnx", facts)), predictor.model) is not None
    other = write(tmp_path / "other.onnx", replace(facts, recipe_sha256="1" * 64))
    with pytest.raises(ValueError, match=r"another model than 'brightness'.*--model RUN --temporal RUN"):
        open_temporal(other, predictor.model)
