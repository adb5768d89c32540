"""How fast faces are generated on one core: ``python benchmarks/synthetic.py [size ...]``.

Counts processor time, not wall time, so that other programs on the machine change little. Prints faces per
second of the fastest and of the median of many short runs; the people are met before the clock starts.
"""

from __future__ import annotations

import sys
import time

import cv2
import numpy as np

from halfsmile.data.synthetic import generate

CHUNK, RUNS, PEOPLE = 25, 40, 50


def measure(size: int) -> tuple[float, float]:
    """Faces per second at one size: (fastest run, median run)."""
    generate(10 * PEOPLE, size=size, people=PEOPLE)
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        generate(CHUNK, size=size, people=PEOPLE)
        seconds.append(time.process_time() - start)
    return CHUNK / min(seconds), CHUNK / float(np.median(seconds))


def main() -> None:
    cv2.setNumThreads(1)
    for size in [int(value) for value in sys.argv[1:]] or [48, 64, 112]:
        fastest, median = measure(size)
        print(f"{size:4d} px  {fastest:6.0f} faces/s fastest  {median:6.0f} faces/s median  (one core)")


if __name__ == "__main__":
    main()
