"""Trains ``faces/models/upright.onnx`` on unlabeled faces, and measures it or another file.

    python benchmarks/upright.py LFW_STORE --out upright.onnx
    python benchmarks/upright.py LFW_STORE --measure src/halfsmile/faces/models/upright.onnx

Faces of stores are turned by any angle, by about a quarter and by about two; the package's detectors find and
align them as if they were upright, and the angle by which what they cut out is off is the label: nobody names
anything. Needs torch (the extra ``train``). The last 15 % of the faces are not trained on, and measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import torch
import tyro
from torch import nn

from halfsmile.data.decode import decode
from halfsmile.data.preprocess import Image
from halfsmile.data.store.read import FaceStore, read
from halfsmile.faces.align import alignment, warp
from halfsmile.faces.detect import Detector
from halfsmile.faces.mtcnn import Mtcnn
from halfsmile.faces.upright import SIZE, Upright
from halfsmile.faces.yunet import YuNet
from halfsmile.metrics.ranking import area_under_curve
from halfsmile.utils.progress import Progress

SIDE, CROP = 224, 96  # pixels of a face on its canvas, and of what is cut out and kept
KEPT_APART = 0.15
Crops = npt.NDArray[np.uint8]
Angles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """What to train on.

    Args:
        stores: Of unlabeled faces, as ``halfsmile data prepare`` writes them.
        out: The file to write; None measures only.
        measure: A file to measure instead of training one.
        faces: From each store at most, spread over it.
        steps: Of AdamW.
        batch: Crops of a step.
        seed: Of everything.
        threads: Of torch.
    """

    stores: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path | None = None
    measure: Path | None = None
    faces: int = 2500
    steps: int = 7000
    batch: int = 128
    seed: int = 0
    threads: int = 1


def pictures(options: Options) -> list[Image]:
    """Faces of the stores, in a mixed order."""
    found = []
    for root in options.stores:
        store, count = FaceStore(root), len(read(root))
        for row in np.linspace(0, count - 1, min(count, options.faces)).astype(int):
            image = decode(store.read(int(row)), f"face {row}")
            found.append(np.repeat(image, 3, 2) if image.shape[2] == 1 else image)
    order = np.random.default_rng(options.seed).permutation(len(found))
    return [found[i] for i in order]


def turned_crops(faces: list[Image], seed: int) -> tuple[Crops, Angles, npt.NDArray[np.intp]]:
    """What the detectors make of turned faces: gray (N, CROP, CROP), degrees clockwise, whose face."""
    random = np.random.default_rng(seed)
    detectors: tuple[Detector, ...] = (YuNet(threshold=0.5, threads=1), Mtcnn(threads=1))
    crops, angles, owners = [], [], []
    with Progress("turning faces", total=len(faces)) as progress:
        for number, face in enumerate(faces):
            side = round(SIDE * random.uniform(0.4, 1.4))
            shown = np.asarray(cv2.resize(face, (side, side)), np.uint8)
            edge = side // 2
            canvas = np.asarray(cv2.copyMakeBorder(shown, edge, edge, edge, edge, cv2.BORDER_REPLICATE))
            if random.random() < 0.2:
                canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), side * random.uniform(0.005, 0.02)))
            size, middle = canvas.shape[0], np.full(2, side, np.float64)
            for about, spread in ((0, 180), (random.choice((90, 270)), 25), (180, 25)):
                angle = about + random.uniform(-spread, spread)
                matrix = cv2.getRotationMatrix2D((side, side), -angle, 1)
                seen = cv2.warpAffine(canvas, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
                picture = np.asarray(seen, np.uint8)
                for detector in detectors:
                    for found in detector.detect([picture])[0]:
                        if np.abs((found.box[:2] + found.box[2:]) / 2 - middle).max() > side / 4:
                            continue
                        try:
                            aligned = alignment(found, CROP)
                        except ValueError:
                            continue
                        crop = cv2.cvtColor(warp(picture, aligned, CROP), cv2.COLOR_RGB2GRAY)
                        crops.append(np.asarray(crop, np.uint8))
                        turn = math.degrees(math.atan2(aligned[1, 0], aligned[0, 0]))
                        angles.append((angle + turn) % 360)
                        owners.append(number)
            progress.advance(1)
    return np.stack(crops), np.array(angles), np.array(owners, np.intp)


class Turns(nn.Module):
    """Three convolutions and a linear layer: gray levels (N, 1, 32, 32) to probabilities of four turns."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 8), (8, 16), (16, 32)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 16, 4))

    def logits(self, faces: torch.Tensor) -> torch.Tensor:
        """(N, 4)."""
        centered = faces - faces.mean((2, 3), keepdim=True)
        spread = centered.square().mean((2, 3), keepdim=True).sqrt() + 1e-3
        scores: torch.Tensor = self.layers(centered / spread)
        return scores

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """(N, 4)."""
        return self.logits(faces).softmax(1)


def moved(crop: Crops, angle: float, random: np.random.Generator) -> tuple[Crops, float]:
    """A crop turned once more, shifted, mirrored and made noisy, at the network's size, and its new angle."""
    if random.random() < 0.5:
        crop, angle = crop[:, ::-1], -angle
    more = float(random.choice((0, 90, 180, 270)) + random.normal(0, 8))
    scale = SIZE / CROP * random.uniform(0.9, 1.1)
    matrix = np.asarray(cv2.getRotationMatrix2D((CROP / 2, CROP / 2), -more, scale), np.float64)
    matrix[:, 2] += SIZE / 2 - CROP / 2 + random.normal(0, 1, 2)
    small = cv2.resize(crop, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_AREA)
    matrix[:, :2] *= CROP / (2 * SIZE)
    pixels = cv2.warpAffine(small, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    noisy = pixels * random.uniform(0.7, 1.3) + random.normal(0, random.uniform(0, 8), pixels.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8), (angle + more) % 360


def train(crops: Crops, angles: Angles, options: Options) -> Turns:
    """Fit the network to the nearest quarter of each crop."""
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    network = Turns()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=options.steps)
    with Progress("training", total=options.steps) as progress:
        for _ in range(options.steps):
            rows = random.integers(0, len(crops), options.batch)
            views = [moved(crops[row], float(angles[row]), random) for row in rows]
            faces = torch.from_numpy(np.stack([view for view, _ in views])[:, None]).float()
            wanted = torch.tensor([round(angle / 90) % 4 for _, angle in views])
            loss = nn.functional.cross_entropy(network.logits(faces), wanted, label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            progress.advance(1)
    return network.eval()


def told_apart(upright: Upright, crops: Crops, angles: Angles) -> str:
    """How well upright crops (off by less than 30 degrees) are told from those off by more than 60."""
    off = np.abs((angles + 180) % 360 - 180)
    kept = (off < 30) | (off > 60)
    scores, stands = upright.crops(crops[kept]), off[kept] < 30
    below = ", ".join(
        f"below {limit}: {(scores[stands] < limit).mean():.1%} of the upright, "
        f"{(scores[~stands] < limit).mean():.1%} of the others"
        for limit in (0.7, 0.5)
    )
    area = area_under_curve(scores, stands)
    return f"{stands.sum():,} upright, {(~stands).sum():,} others: AUC {area:.4f}; {below}"


def main(options: Options) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    if (options.out is None) == (options.measure is None):
        raise SystemExit("Give --out FILE to train a network, or --measure FILE to measure one.")
    faces = pictures(options)
    crops, angles, owners = turned_crops(faces, options.seed)
    is_new = owners >= (1 - KEPT_APART) * len(faces)
    path = options.measure or Path()
    if options.out is not None:
        path = options.out
        network = train(crops[~is_new], angles[~is_new], options)
        torch.onnx.export(
            network,
            (torch.zeros(2, 1, SIZE, SIZE),),
            path,
            input_names=["faces"],
            output_names=["turns"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            external_data=False,
            verbose=False,
        )
    print(told_apart(Upright(path), crops[is_new], angles[is_new]))


if __name__ == "__main__":
    main(tyro.cli(Options))
