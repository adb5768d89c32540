"""How fast networks over frames run on cached features, and how much memory a long video takes.

Prints frames per second of whole-video inference, the milliseconds that a frame of an online stream takes,
and the memory of the process over a video of two hours. Compare rows of one run, on a quiet machine.

    python benchmarks/temporal_speed.py --threads 2
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from halfsmile.models.temporal.convolution import make_network
from halfsmile.models.temporal.encoder import TemporalConfig, TemporalNetwork
from halfsmile.sequences.windowed import FrameFeatures, LogitStream, frame_logits


@dataclass(frozen=True)
class Arguments:
    """What the program takes.

    Args:
        features: Size of a frame's features.
        frames: Frames of a timed video.
        hours: Length of the long video at 25 frames a second; 0 leaves it out.
        threads: Threads of torch.
    """

    features: int = 384
    frames: int = 4000
    hours: float = 2.0
    threads: int = 1


def video(frames: int, features: int) -> Iterator[FrameFeatures]:
    """Frames with new features each, one in ten without a face."""
    rng = np.random.default_rng(0)
    for i in range(frames):
        feature = rng.standard_normal(features, dtype=np.float32)
        yield FrameFeatures(i / 25, feature if i % 10 else None)


def resident() -> float:
    """Memory that the process holds now, in MiB; Linux only, elsewhere NaN."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def speed(model: TemporalNetwork, shown: list[FrameFeatures]) -> float:
    """Frames per second of the fastest of three runs."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in frame_logits(model, shown):
            pass
        seconds.append(time.perf_counter() - start)
    return len(shown) / min(seconds)


def stream_milliseconds(model: TemporalNetwork, shown: list[FrameFeatures]) -> float:
    """Median time of one frame in a stream."""
    stream, seconds = LogitStream(model), []
    for frame in shown:
        start = time.perf_counter()
        stream.push(frame.time, frame.features)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def main() -> None:
    arguments = tyro.cli(Arguments, description=__doc__)
    torch.set_num_threads(arguments.threads)
    offline = TemporalConfig()
    configs = {
        "Temporal Encoder, offline": offline,
        "Temporal Encoder, online, delay 5": replace(offline, delay=5),
        "temporal convolution, offline": replace(offline, kind="convolution", depth=4),
        "temporal convolution, online, delay 5": replace(offline, kind="convolution", depth=4, delay=5),
    }
    shown = list(video(arguments.frames, arguments.features))
    for name, config in configs.items():
        torch.manual_seed(0)
        model = make_network(config, features=arguments.features, classes=8).eval()
        stream = (
            f"  {stream_milliseconds(model, shown[:300]):6.2f} ms a streamed frame" if config.online else ""
        )
        print(f"{name:40s} {speed(model, shown):8,.0f} frames/s{stream}")
    frames = round(arguments.hours * 3600 * 25)
    if frames:
        model = make_network(offline, features=arguments.features, classes=8).eval()
        start, marks = time.perf_counter(), []
        for i, _ in enumerate(frame_logits(model, video(frames, arguments.features))):
            if i % 5000 == 4999:
                marks.append(resident())
        seconds = time.perf_counter() - start
        print(
            f"{frames:,} frames offline in {seconds:.0f} s ({frames / seconds:,.0f} frames/s, features drawn "
            f"included); memory {marks[0]:.0f} MiB after 5,000 frames, {marks[-1]:.0f} MiB at the end, "
            f"at most {max(marks):.0f} MiB"
        )


if __name__ == "__main__":
    main()
