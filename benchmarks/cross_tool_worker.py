"""One tool of the cross-tool table, measured in this process; ``cross_tool.py`` starts it.

    python cross_tool_worker.py JOB.json RESULT.json

It needs numpy, OpenCV and the tool, nothing else, so that it runs in the tool's own environment. Labels leave
it as the tool names them, with the probabilities in the same order.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

GROUP = 10
"""Crops given one by one whose time is taken together."""

Crops = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]
Found = tuple[list[float], list[float]]
"""Box (left, top, right, bottom) of a face, and its probabilities."""


class Tool(Protocol):
    """What is asked of every tool."""

    labels: list[str]
    entry: str

    def classify(self, crops: Crops) -> Scores:
        """(N, S, S) gray or (N, S, S, 3) RGB faces, uint8, to probabilities (N, K), all given at once."""
        ...

    def faces(self, path: str) -> list[Found]:
        """The faces of a picture file."""
        ...


class Halfsmile:
    """This package."""

    entry = "preprocess, ExpressionModel.predict; Predictor.predict"

    def __init__(self, options: dict[str, Any], detects: bool) -> None:
        from halfsmile.predict.model import ExpressionModel

        self.model = ExpressionModel.load(options["model"], threads=1)
        self.labels = list(self.model.labels)
        if detects:
            from halfsmile import Predictor
            from halfsmile.faces.detect import detector

            self.predictor = Predictor(
                self.model, detector=detector(options["detector"], options.get("detector_model"))
            )

    def classify(self, crops: Crops) -> Scores:
        """See :class:`Tool`."""
        from halfsmile.data.preprocess import preprocess

        crop = self.model.preprocessing
        images = crops[..., None] if crops.ndim == 3 else crops
        faces = np.stack([preprocess(image, crop.size, crop.channels) for image in images])
        return self.model.predict(faces).probabilities.astype(np.float64)

    def faces(self, path: str) -> list[Found]:
        """See :class:`Tool`."""
        return [
            ([float(side) for side in face.box], [face.probabilities[name] for name in self.labels])
            for face in self.predictor.predict(path)
        ]


class Fer:
    """PyPI package ``fer``. Crops are given as face rectangles of one picture, so that it may batch them.

    Without ``offsets=(0, 0)`` it would put ten pixels of padding around a crop.
    """

    entry = "FER(offsets=(0, 0)).detect_emotions(picture, face_rectangles); FER().detect_emotions(file)"

    def __init__(self, options: dict[str, Any], detects: bool) -> None:
        fer = importlib.import_module("fer.fer").FER
        settings = {"mtcnn": options["mtcnn"]} if detects else {"offsets": (0, 0)}
        self.fer = fer(use_tflite=options["tflite"], **settings)
        self.labels: list[str] = []

    def classify(self, crops: Crops) -> Scores:
        """See :class:`Tool`."""
        side = crops.shape[1]
        is_gray = crops.ndim == 3
        picture = cv2.cvtColor(np.concatenate(crops), cv2.COLOR_GRAY2BGR if is_gray else cv2.COLOR_RGB2BGR)
        boxes = [(0, side * row, side, side) for row in range(len(crops))]
        found = self.fer.detect_emotions(picture, face_rectangles=boxes)
        if [tuple(face["box"]) for face in found] != boxes:
            raise ValueError(f"fer answered for {len(found)} of {len(boxes)} faces.")
        return np.array([self._scores(face) for face in found], np.float64)

    def faces(self, path: str) -> list[Found]:
        """See :class:`Tool`."""
        found = []
        for face in self.fer.detect_emotions(path):
            x, y, width, height = map(float, face["box"])
            found.append(([x, y, x + width, y + height], self._scores(face)))
        return found

    def _scores(self, face: dict[str, Any]) -> list[float]:
        self.labels = self.labels or list(face["emotions"])
        return [face["emotions"][name] for name in self.labels]


class Facex:
    """PyPI package ``facex``: its TFLite network, on gray faces as its ``predict`` cuts them out."""

    entry = "PoolManager(1).get_worker: detect_emotion; predict"

    def __init__(self, options: dict[str, Any], detects: bool) -> None:
        self.worker = importlib.import_module("facex").PoolManager(1).get_worker("table")
        self.labels = list(self.worker.category)

    def classify(self, crops: Crops) -> Scores:
        """See :class:`Tool`."""
        gray = crops if crops.ndim == 3 else [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
        return np.array([self._scores(self.worker.detect_emotion(face)) for face in gray], np.float64)

    def faces(self, path: str) -> list[Found]:
        """See :class:`Tool`."""
        found = []
        for face in self.worker.predict(cv2.imread(path)):
            x, y, width, height = map(float, face["bbox"])
            found.append(([x, y, x + width, y + height], self._scores(face["emot"])))
        return found

    def _scores(self, emotions: dict[str, float]) -> list[float]:
        return [float(emotions[name]) for name in self.labels]


class Faceplugin:
    """The network of npm's ``faceplugin-face-recognition-js``, asked as its ``lib/fr_expression.js`` does.

    Its own functions need a page with a canvas. Nor does it name its seven classes: these names, in FER2013's
    order, are those that fit labeled pictures best.
    """

    entry = "the network model/fr_expression.onnx"

    def __init__(self, options: dict[str, Any], detects: bool) -> None:
        self.labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
        onnxruntime = importlib.import_module("onnxruntime")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        package = Path(options["folder"]) / "node_modules" / "faceplugin-face-recognition-js"
        model = package / "model" / "fr_expression.onnx"
        self.session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        self.version = json.loads((package / "package.json").read_text())["version"]

    def classify(self, crops: Crops) -> Scores:
        """See :class:`Tool`."""
        rgb = crops if crops.ndim == 4 else np.repeat(crops[..., None], 3, axis=3)
        return np.concatenate([self._scores(crop) for crop in rgb])

    def faces(self, path: str) -> list[Found]:
        """See :class:`Tool`."""
        raise NotImplementedError("its detector needs a page with a canvas")

    def _scores(self, crop: Crops) -> Scores:
        pixels = cv2.resize(crop, (224, 224)).astype(np.float32) / 255
        (logits,) = self.session.run(["output"], {"input": pixels.transpose(2, 0, 1)[None]})
        odds = np.exp(logits.astype(np.float64) - logits.max())
        return np.asarray(odds / odds.sum())


class FacialEmotion:
    """The network of PyPI's ``facial-emotion-recognition``, asked as its ``_predict`` does.

    Its own function draws on a picture and returns no probabilities.
    """

    entry = "the network model/model.pkl"

    def __init__(self, options: dict[str, Any], detects: bool) -> None:
        self.torch = importlib.import_module("torch")
        self.torch.set_num_threads(1)
        package = Path(options["target"]) / "facial_emotion_recognition"
        spec = importlib.util.spec_from_file_location("networks", package / "networks.py")
        if spec is None or spec.loader is None:
            raise ValueError(f"{package} holds no networks.py.")
        networks = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(networks)
        self.network = networks.NetworkV2(in_c=1, nl=32, out_f=7)
        weights = self.torch.load(package / "model" / "model.pkl", map_location="cpu", weights_only=True)
        self.network.load_state_dict(weights["network"])
        self.network.eval()
        self.labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

    def classify(self, crops: Crops) -> Scores:
        """See :class:`Tool`."""
        image = importlib.import_module("PIL.Image")
        gray = crops if crops.ndim == 3 else [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
        small = [np.asarray(image.fromarray(face).resize((48, 48), image.BILINEAR)) for face in gray]
        pixels = (np.stack(small)[:, None].astype(np.float32) / 255 - 0.5) / 0.5
        with self.torch.inference_mode():
            logs = self.network(self.torch.from_numpy(pixels)).double()
        return np.asarray(logs.softmax(dim=1).numpy())

    def faces(self, path: str) -> list[Found]:
        """See :class:`Tool`."""
        raise NotImplementedError("its function draws on the picture and gives no probabilities")


TOOLS: dict[str, Callable[[dict[str, Any], bool], Tool]] = {
    "halfsmile": Halfsmile,
    "fer": Fer,
    "facex": Facex,
    "faceplugin": Faceplugin,
    "facial-emotion-recognition": FacialEmotion,
}


def peak_memory() -> int:
    """Largest resident set of this process so far, bytes; ``ru_maxrss`` would count the parent's too."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return 1024 * int(match[1]) if match else 0


def install_size(name: str) -> int:
    """Bytes of a distribution's files and of all that it requires and is installed, extras left out.

    Of an editable install, whose metadata may be old, the package's folder and the requirements of the
    project beside this file count.
    """
    requirement = importlib.import_module("packaging.requirements").Requirement
    total, wanted, seen = 0, [name], set()
    while wanted:
        found = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if found in seen:
            continue
        seen.add(found)
        try:
            distribution = importlib.metadata.distribution(found)
        except importlib.metadata.PackageNotFoundError:
            continue
        paths = [Path(str(file.locate())) for file in distribution.files or ()]
        requires = distribution.requires or []
        if found == "halfsmile" and not any(path.name == "__init__.py" for path in paths):
            project = Path(__file__).resolve().parents[1]
            requires = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
            paths += (project / "src" / "halfsmile").rglob("*")
        total += sum(path.stat().st_size for path in paths if path.is_file())
        parsed = map(requirement, requires)
        wanted += [one.name for one in parsed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return total


def timed(function: Callable[[Any], Any], parts: Sequence[Any]) -> tuple[list[Any], float]:
    """Answers for all parts, and the processor time of the fastest: others share the machine's caches."""
    answers, fastest = [], float("inf")
    for part in parts:
        start = time.process_time()
        answers.append(function(part))
        fastest = min(fastest, time.process_time() - start)
    return answers, fastest


def measure_crops(tool: Tool, job: dict[str, Any]) -> dict[str, Any]:
    """All crops in batches, then some of them one by one, with the rate of the fastest batch or group."""
    side, batch = job["side"], job["batch"]
    shape = (side, side) if job.get("channels", 1) == 1 else (side, side, job["channels"])
    crops = np.fromfile(job["files"][0], np.uint8).reshape(-1, *shape)
    whole = len(crops) // batch * batch
    tool.classify(crops[:batch])
    answers, seconds = timed(tool.classify, [crops[row : row + batch] for row in range(0, whole, batch)])
    if whole < len(crops):
        answers.append(tool.classify(crops[whole:]))
    probabilities = np.concatenate(answers)

    def one_by_one(crops: Crops) -> Scores:
        return np.concatenate([tool.classify(crop[None]) for crop in crops])

    groups = job["single"] // GROUP
    one_by_one(crops[:1])
    parts = [crops[row : row + GROUP] for row in range(0, groups * GROUP, GROUP)]
    alone, group_seconds = timed(one_by_one, parts)
    return {
        "probabilities": probabilities.round(5).tolist(),
        "batched_rate": batch / seconds,
        "single_rate": GROUP / group_seconds,
        "largest_difference": float(np.abs(np.concatenate(alone) - probabilities[: groups * GROUP]).max()),
    }


def measure_photos(tool: Tool, job: dict[str, Any]) -> dict[str, Any]:
    """Every photograph once for its faces, then all of them once a round, with the rate of the fastest."""
    found, first_seconds = [], 0.0
    for path in job["files"]:
        faces = tool.faces(path)
        first_seconds = first_seconds or time.process_time()
        found.append([{"box": box, "probabilities": np.round(p, 5).tolist()} for box, p in faces])
    _, seconds = timed(lambda files: [tool.faces(path) for path in files], [job["files"]] * job["rounds"])
    return {"photos": found, "rate": len(job["files"]) / seconds, "first_seconds": first_seconds}


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    cv2.setNumThreads(1)
    detects = job["task"] == "photos"
    tool = TOOLS[job["tool"]](job["options"], detects)
    measured = measure_photos(tool, job) if detects else measure_crops(tool, job)
    of_npm = tool.version if isinstance(tool, Faceplugin) else ""
    if "target" in job["options"]:
        sys.path.append(job["options"]["target"])
    result = {
        "labels": tool.labels,
        "entry": tool.entry,
        "version": of_npm or importlib.metadata.version(job["tool"]),
        **measured,
        "peak_bytes": peak_memory(),
        "install_bytes": 0 if of_npm or "target" in job["options"] else install_size(job["tool"]),
    }
    Path(sys.argv[2]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
