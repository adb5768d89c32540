r"""Our model beside those of ``fer`` (PyPI) and ``@vladmandic/face-api`` (npm): same crops, same photographs.

    python -m benchmarks.cross_tool --data FERPLUS --demo DEMO --yunet YUNET.onnx \
        --fer ENV --face-api FOLDER --out runs/cross_tool

Every tool runs in a process of its own, one after another, on one core with one thread, without a network,
through its own public functions. Rates are per second of processor time, of the fastest part, so that other
work on the machine counts little. What was measured stays in ``--out``, and is measured again when the tool,
its model, or the pictures change. How to install the tools, and how to read the table: docs/comparison.md.
Linux only.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import tyro
from benchmarks.cross_tool_table import crop_tables, fer2013_labels, known_faces, photo_tables
from rich.console import Console

import halfsmile
from halfsmile.data.images import load_faces
from halfsmile.data.readers import ferplus
from halfsmile.utils.console import make_console
from halfsmile.utils.files import atomic_write, read_json, write_json

HERE = Path(__file__).resolve().parent
SIDE = 48
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


@dataclass(frozen=True)
class Options:
    """What to compare.

    Args:
        data: FERPlus in an official layout; with fer2013.csv, FER2013's own labels are compared too.
        demo: Folder of the demo photographs.
        out: Folder of what was measured and of ``table.md``.
        model: Our model, an ONNX file; the model in the box if not given.
        yunet: YuNet's ONNX file, for a row with that detector.
        fer: Virtual environment with the package ``fer``.
        face_api: Folder whose node_modules holds ``@vladmandic/face-api`` and what it needs.
        core: The core that everything runs on.
        batch: Crops that are given to a tool at once.
        single: Crops that are given one by one, a multiple of ten.
        rounds: Passes over the photographs for time.
    """

    data: Path
    demo: Path
    out: Path
    model: Path | None = None
    yunet: Path | None = None
    fer: Path | None = None
    face_api: Path | None = None
    core: int = 0
    batch: int = 64
    single: int = 300
    rounds: int = 3

    def __post_init__(self) -> None:
        if self.batch < 1 or self.single < 10 or self.rounds < 1:
            raise ValueError(
                f"batch and rounds must be at least 1 and single at least 10, found batch {self.batch}, "
                f"rounds {self.rounds}, single {self.single}."
            )


@dataclass(frozen=True)
class Tool:
    """A package that can or can't run here.

    Args:
        name: Short name.
        command: Program and script of its worker.
        stamp: What its results depend on beside settings and pictures: versions, hashes.
        missing: Why it can't run, and what to do; empty if it can.
    """

    name: str
    command: tuple[str, ...] = ()
    stamp: tuple[str, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Side:
    """A tool with settings: one row of a table.

    Args:
        name: Of its files.
        titles: Of its row, for each task that it does: ``crops``, ``photos``.
        tool: What runs.
        options: For the worker.
    """

    name: str
    titles: Mapping[str, str]
    tool: Tool
    options: Mapping[str, Any] = field(default_factory=dict)


def sha256(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def our_tool(model: Path) -> Tool:
    if not model.is_file():
        return Tool("halfsmile", missing=f"the model {model} does not exist; give another with --model")
    code = sorted(Path(halfsmile.__file__).parent.rglob("*.py"))
    command = (sys.executable, str(HERE / "cross_tool_worker.py"))
    return Tool("halfsmile", command, (sha256(*code), sha256(model)))


def python_tool(name: str, environment: Path | None) -> Tool:
    """A package of PyPI in a virtual environment of its own."""
    how = f"python -m venv ENV; ENV/bin/pip install {name}; then --{name} ENV"
    if environment is None:
        return Tool(name, missing=f"not installed: {how}")
    python = environment.absolute() / "bin" / "python"
    found = sorted(environment.glob(f"lib/python*/site-packages/{name}-*.dist-info"))
    if not found or not python.is_file():
        return Tool(name, missing=f"not installed in {environment}: {how}")
    return Tool(name, (str(python), str(HERE / "cross_tool_worker.py")), (found[0].name,))


def node_tool(name: str, package: str, folder: Path | None) -> Tool:
    """A package of npm in the ``node_modules`` of a folder, beside what runs it."""
    needed = (package, "@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm", "@canvas/image")
    how = f"npm install {' '.join(needed)} in an empty FOLDER; then --{name} FOLDER"
    found = _versions(folder, needed, how)
    if isinstance(found, str):
        return Tool(name, missing=found)
    adapter = HERE / f"cross_tool_{name.replace('-', '_')}.mjs"
    return Tool(name, ("node", str(HERE / "cross_tool_worker.mjs")), (*found, sha256(adapter)))


def fer_tool(environment: Path | None) -> Tool:
    return python_tool("fer", environment)


def face_api_tool(folder: Path | None) -> Tool:
    return node_tool("face-api", "@vladmandic/face-api", folder)


def faceplugin_tool(folder: Path | None) -> Tool:
    """Its network is asked in Python, so it needs nothing else of npm."""
    package = "faceplugin-face-recognition-js"
    how = f"npm install --ignore-scripts {package} in an empty FOLDER; then --faceplugin FOLDER"
    found = _versions(folder, (package,), how)
    if isinstance(found, str):
        return Tool("faceplugin", missing=found)
    return Tool("faceplugin", (sys.executable, str(HERE / "cross_tool_worker.py")), found)


def facial_emotion_tool(target: Path | None) -> Tool:
    """Its network is asked with our torch, so it needs nothing else."""
    name = "facial-emotion-recognition"
    how = f"pip install --no-deps --target FOLDER {name}; then --facial-emotion FOLDER"
    found = sorted(() if target is None else target.glob("facial_emotion_recognition-*.dist-info"))
    if not found:
        return Tool(name, missing=f"not installed{'' if target is None else f' in {target}'}: {how}")
    return Tool(name, (sys.executable, str(HERE / "cross_tool_worker.py")), (found[0].name,))


def _versions(folder: Path | None, needed: Sequence[str], how: str) -> tuple[str, ...] | str:
    """Names and versions of packages of npm, or why they can't be had."""
    if folder is None:
        return f"not installed: {how}"
    files = [folder / "node_modules" / name / "package.json" for name in needed]
    absent = [path for path in files if not path.is_file()]
    if absent:
        return f"not installed ({absent[0]} does not exist): {how}"
    return tuple(f"{path.parent.name} {read_json(path)['version']}" for path in files)


def sides(options: Options) -> list[Side]:
    """All rows, those that can't run included."""
    box = Path(str(resources.files("halfsmile.predict") / "models" / "default.onnx"))
    model = (options.model or box).resolve()
    ours, fer, face_api = our_tool(model), fer_tool(options.fer), face_api_tool(options.face_api)
    mtcnn = {"model": str(model), "detector": "mtcnn"}
    yunet = {"model": str(model), "detector": "yunet", "detector_model": str(options.yunet)}
    folder = str((options.face_api or Path()).resolve())
    ssd, tiny = ({"folder": folder, "detector": name} for name in ("ssd", "tiny"))
    rows = [
        Side("halfsmile", {"crops": "halfsmile", "photos": "halfsmile (MTCNN)"}, ours, mtcnn),
        Side(
            "fer",
            {"crops": "fer, TFLite 8-bit (default)", "photos": "fer, TFLite (Haar, default)"},
            fer,
            {"tflite": True, "mtcnn": False},
        ),
        Side(
            "fer-keras",
            {"crops": "fer, Keras", "photos": "fer, Keras (MTCNN)"},
            fer,
            {"tflite": False, "mtcnn": True},
        ),
        Side("face-api", {"crops": "face-api", "photos": "face-api (SSD, default)"}, face_api, ssd),
        Side("face-api-tiny", {"photos": "face-api (tiny)"}, face_api, tiny),
    ]
    if options.yunet:
        rows.insert(1, Side("halfsmile-yunet", {"photos": "halfsmile (YuNet)"}, ours, yunet))
    return rows


def measure(
    side: Side, task: str, spec: Mapping[str, Any], pictures: Sequence[Path], options: Options
) -> Any:
    """A worker's result, from ``--out`` if nothing has changed since it was written.

    Raises:
        ValueError: If the worker fails.
    """
    path = options.out / f"{side.name}-{task}.json"
    tool = side.tool
    script = Path(tool.command[1])
    key = [*tool.stamp, sha256(script), sha256(*pictures), dict(spec), dict(side.options)]
    if path.is_file() and (before := read_json(path))["key"] == key:
        return before["result"]
    with tempfile.TemporaryDirectory() as temporary:
        job, answer = Path(temporary) / "job.json", Path(temporary) / "result.json"
        files = [str(picture.resolve()) for picture in pictures]
        write_json(
            job, {"tool": tool.name, "task": task, "files": files, "options": dict(side.options), **spec}
        )
        ran = subprocess.run(
            ["taskset", "-c", str(options.core), *tool.command, str(job), str(answer)],
            env={**os.environ, **ONE_THREAD},
            capture_output=True,
            text=True,
        )
        if ran.returncode or not answer.is_file():
            raise ValueError(
                f"{side.titles[task]} ended with {ran.returncode}:\n{ran.stderr.strip()[-2000:]}"
            )
        result = read_json(answer)
    if "folder" in side.options:
        modules = Path(side.options["folder"]) / "node_modules"
        result["install_bytes"] = sum(file.stat().st_size for file in modules.rglob("*") if file.is_file())
    write_json(path, {"key": key, "result": result})
    return result


def run(
    task: Literal["crops", "photos"],
    rows: Sequence[Side],
    spec: Mapping[str, Any],
    pictures: Sequence[Path],
    options: Options,
    console: Console,
) -> list[tuple[str, Any]]:
    """Title of each row that does this task, and its result or a sentence on why there is none."""
    results: list[tuple[str, Any]] = []
    for side in rows:
        if task not in side.titles:
            continue
        result: Any = side.tool.missing
        if not result:
            console.print(f"{task}: {side.titles[task]}")
            try:
                result = measure(side, task, spec, pictures, options)
            except ValueError as error:
                console.print(str(error))
                result = "failed, see above"
        results.append((side.titles[task], result))
    return results


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    console = make_console(stderr=True)
    rows = sides(options)
    for tool in {side.tool.name: side.tool for side in rows if side.tool.missing}.values():
        console.print(f"{tool.name}: {tool.missing}")
    known = known_faces(options.demo)
    photos = [options.demo / photo for photo in dict.fromkeys(face.photo for face in known)]
    manifest = ferplus.read(options.data, rule="argmax").split("test")
    faces = load_faces(manifest, size=SIDE, channels=1)
    with tempfile.TemporaryDirectory() as temporary:
        crops = Path(temporary) / "crops"
        faces.images.tofile(crops)
        spec = {"side": SIDE, "batch": options.batch, "single": options.single}
        on_crops = run("crops", rows, spec, [crops], options, console)
    on_photos = run("photos", rows, {"rounds": options.rounds}, photos, options, console)
    labels = [str(label) for label in faces.manifest.column("label")]
    old = fer2013_labels(options.data, faces.manifest.column("image"))
    text = [
        f"FERPlus PrivateTest, most votes of ten, {len(labels):,} images; the same crops for all; percent.",
        *crop_tables(on_crops, labels, old),
        f"{len(photos)} photographs with {len(known)} faces; each tool with its own detector.",
        *photo_tables(on_photos, known),
    ]
    with atomic_write(options.out / "table.md") as path:
        path.write_text("\n\n".join(text) + "\n", encoding="utf-8")
    print("\n\n".join(text))


if __name__ == "__main__":
    main()
