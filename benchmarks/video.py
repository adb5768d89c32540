"""Speed of decoding, shot detection and tracking, and memory over a long video.

    python benchmarks/video.py
    python benchmarks/video.py --video clip.mp4

Without a video, generated ones are used: a textured scene that moves, with noise, in H.264 at the size of web
and of high-definition video. The long video repeats the packets of the first one. Speeds are per second of
processor time, of all threads together.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import tyro
from rich.table import Table

from halfsmile.data.preprocess import Image
from halfsmile.faces.detect import Detection
from halfsmile.faces.tracking.shots import ShotDetector
from halfsmile.faces.tracking.track import Tracker
from halfsmile.faces.video.frames import frames, probe
from halfsmile.faces.video.writer import write_video
from halfsmile.utils.console import make_console


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        video: A video to decode instead of the generated ones.
        rounds: Times that each is decoded; the fastest counts.
        minutes: Length of the long video.
        people: Faces in a frame for the tracker.
    """

    video: Path | None = None
    rounds: int = 3
    minutes: float = 10.0
    people: int = 5


def pictures(height: int, width: int, count: int = 150) -> Iterator[Image]:
    """A scene larger than the frame, over which the camera moves."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 8 + 40, width // 8 + 40, 3), np.uint8)
    scene = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    grain = rng.integers(0, 12, (4, height, width, 3), np.uint8)
    for i in range(count):
        yield scene[i : i + height, 2 * i : 2 * i + width] // 2 + grain[i % 4] + 60


def write(path: Path, height: int, width: int) -> Path:
    with write_video(path) as add:
        for i, image in enumerate(pictures(height, width)):
            add(image, i / 30)
    return path


def repeat(source: Path, target: Path, seconds: float) -> Path:
    """A file that repeats the packets of another until it is as long as asked for."""
    length = probe(source).duration or 1.0
    with av.open(str(target), "w") as output:
        stream = None
        for turn in range(round(seconds / length)):
            with av.open(str(source)) as container:
                template = container.streams.video[0]
                stream = stream or output.add_stream_from_template(template)
                for packet in container.demux(template):
                    if packet.dts is None or packet.pts is None or packet.time_base is None:
                        continue
                    offset = round(turn * length / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    output.mux(packet)
    return target


def frames_per_second(path: Path, rounds: int, every: int = 1) -> float:
    """Frames of the video, given out or not, per second."""
    total = sum(1 for _ in frames(path))
    best = 0.0
    for _ in range(rounds):
        start = time.process_time()
        for _ in frames(path, every=every):
            pass
        best = max(best, total / (time.process_time() - start))
    return best


def memory() -> float:
    """Resident memory of the process now, in MiB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def seconds_per_track_update(people: int, count: int = 500) -> float:
    rng = np.random.default_rng(0)
    centers = rng.uniform(100, 1000, (people, 2))
    tracker = Tracker()
    start = time.process_time()
    for i in range(count):
        moved = centers + 3 * i + rng.normal(0, 2, centers.shape)
        boxes = np.concatenate([moved - 40, moved + 40], axis=1).astype(np.float32)
        tracker.update([Detection(box, None, 0.9) for box in boxes], i / 30)
    return (time.process_time() - start) / count


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    table = Table("video", "size", "frames/s", "every third, frames/s", "shots, frames/s")
    console = make_console()
    with tempfile.TemporaryDirectory() as folder:
        if options.video is not None:
            videos = [options.video]
        else:
            sizes = ((360, 640), (720, 1280))
            videos = [write(Path(folder) / f"{width}x{height}.mp4", height, width) for height, width in sizes]
        for video in videos:
            image = next(frames(video, problems=[])).image
            detector, start = ShotDetector(), time.process_time()
            for i in range(300):
                detector.update(image, i / 30)
            shots = 300 / (time.process_time() - start)
            table.add_row(
                video.name,
                f"{image.shape[1]} x {image.shape[0]}",
                f"{frames_per_second(video, options.rounds):.0f}",
                f"{frames_per_second(video, options.rounds, every=3):.0f}",
                f"{shots:.0f}",
            )
        console.print(table)
        update = seconds_per_track_update(options.people)
        console.print(f"tracker: {1e3 * update:.2f} ms a frame with {options.people} people")

        long = repeat(videos[0], Path(folder) / "long.mkv", 60 * options.minutes)
        marks: list[str] = []
        for frame in frames(long):
            if frame.time >= len(marks) * 12 * options.minutes:
                marks.append(f"{memory():.0f}")
        console.print(f"memory over {frame.time / 60:.1f} min, MiB: {' '.join(marks)} {memory():.0f}")


if __name__ == "__main__":
    main()
