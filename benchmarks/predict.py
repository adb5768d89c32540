"""Speed of prediction on a video end to end, where the time goes, and memory over a long video.

    python benchmarks/predict.py --video clip.mp4 --model model.onnx
    python benchmarks/predict.py --video clip.mp4 --model model.onnx --minutes 60

Times are of the processor, all threads together, so that other work on the machine hardly counts. The long
video repeats the clip's packets.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import av
import tyro
from rich.console import Console
from rich.table import Table

from halfsmile.faces.detect import DetectorName, detector
from halfsmile.faces.tracking.shots import ShotDetector
from halfsmile.faces.tracking.track import Tracker
from halfsmile.faces.video.frames import frames, probe
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.tables.sinks import Sink, open_sink

STAGES = ("decode", "shots", "detect", "track", "align", "model", "table", "rest")


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        video: A clip with faces.
        model: An exported model.
        detector: Name of the detector.
        detector_model: YuNet's file.
        detect_every: Frames from one detection to the next; several are compared.
        sizes: Widths that the clip is scaled to; 0 is as it is.
        minutes: Length of the long video whose memory is watched; 0 leaves it out.
    """

    video: Path
    model: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    detector: DetectorName = "auto"
    detector_model: Path | None = None
    detect_every: tuple[int, ...] = (1, 3)
    sizes: tuple[int, ...] = (0,)
    minutes: float = 0.0


class Clock:
    """Processor time by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time added to a stage."""

        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[stage] += time.process_time() - start

        return run

    @contextmanager
    def patched(self, stage: str, owner: Any, name: str) -> Iterator[None]:
        """Replace a method by its timed twin."""
        original = getattr(owner, name)
        setattr(owner, name, self.timed(stage, original))
        try:
            yield
        finally:
            setattr(owner, name, original)


def scaled(source: Path, width: int, folder: Path) -> Path:
    """The clip at another width."""
    from halfsmile.faces.video.writer import write_video

    if not width:
        return source
    import cv2

    target = folder / f"{width}.mp4"
    with write_video(target) as write:
        for frame in frames(source):
            height = round(frame.image.shape[0] * width / frame.image.shape[1])
            write(cv2.resize(frame.image, (width, height)).astype("uint8"), frame.time)
    return target


def repeated(source: Path, target: Path, seconds: float) -> Path:
    """A file that repeats the packets of another until it is as long as asked for."""
    length = probe(source).duration or 1.0
    with av.open(str(target), "w") as output:
        stream = None
        for turn in range(max(1, round(seconds / length))):
            with av.open(str(source)) as container:
                template = container.streams.video[0]
                stream = stream or output.add_stream_from_template(template)
                for packet in container.demux(template):
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    offset = round(turn * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    output.mux(packet)
    return target


def measure(
    predictor: Predictor, video: Path, detect_every: int, table: Path
) -> tuple[int, int, dict[str, float]]:
    """Frames, faces, and processor seconds by stage of one pass."""
    clock = Clock()
    source = iter(frames(video))
    step = clock.timed("decode", lambda: next(source, None))
    count = 0

    def pictures() -> Iterator[Any]:
        nonlocal count
        while (frame := step()) is not None:
            count += 1
            yield frame

    with (
        clock.patched("shots", ShotDetector, "update"),
        clock.patched("detect", type(predictor.detector), "detect"),
        clock.patched("track", Tracker, "update"),
        clock.patched("align", predictor, "crops"),
        clock.patched("model", predictor.model, "predict"),
        clock.patched("table", Sink, "write"),
        open_sink(table, predictor.labels) as sink,
    ):
        start = time.process_time()
        faces = 0
        for face in predictor.video(pictures(), detect_every=detect_every):
            sink.write([face])
            faces += 1
        total = time.process_time() - start
    clock.seconds["rest"] = total - sum(clock.seconds.values())
    return count, faces, {**clock.seconds, "all": total}


def memory_over(predictor: Predictor, video: Path) -> Iterator[tuple[float, float]]:
    """Time in the video and resident memory in MiB, at each tenth of it."""
    length = probe(video).duration or 1.0
    shown = 0
    for face in predictor.video(video, smoothing=0.5):
        if face.time is not None and face.time >= shown * length / 10:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            yield face.time, pages * resource.getpagesize() / 2**20
            shown += 1


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    model = ExpressionModel.load(options.model, threads=1)
    found = detector(options.detector, options.detector_model)
    predictor = Predictor(model, detector=found)
    console = Console(width=140)
    table = Table(title=f"{options.video.name}, {type(found).__name__}, ms per frame of processor time")
    for column in ("size", "detect every", *STAGES, "all", "frames/s", "faces"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for width in options.sizes:
            clip = scaled(options.video, width, folder)
            facts = probe(clip)
            long_clip = repeated(clip, folder / "clip.mp4", max(12.0, facts.duration or 0))
            for every in options.detect_every:
                measure(predictor, clip, every, folder / "warm.csv")
                count, faces, seconds = measure(predictor, long_clip, every, folder / "t.csv")
                spent = [f"{1000 * seconds.get(stage, 0) / count:.2f}" for stage in (*STAGES, "all")]
                rate = f"{count / seconds['all']:.0f}"
                table.add_row(f"{facts.width}x{facts.height}", str(every), *spent, rate, str(faces))
        console.print(table)
        if options.minutes:
            long_clip = repeated(options.video, folder / "hours.mp4", 60 * options.minutes)
            for moment, memory in memory_over(predictor, long_clip):
                console.print(f"{moment / 60:6.1f} min  {memory:,.0f} MiB", highlight=False)


if __name__ == "__main__":
    main()
