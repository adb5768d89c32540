"""Masked pre-training, written out: an encoder learns what faces look like before it sees a label.

Half of a face's patches are hidden, the encoder sees the others, and a small decoder paints what is missing
(He et al. 2021, arXiv 2111.06377). The loop below is all there is to it: networks and losses are plain torch
modules and functions of ``halfsmile.models`` and ``halfsmile.methods``. It leaves an encoder that
``halfsmile train --init`` starts from, and a picture of what was painted.

Needs the extra ``train``, and faces: a folder or an archive of pictures, the more the better. Without them it
draws people who do not exist. Two cores take about a minute.

    python examples/pretrain.py
    python examples/pretrain.py --faces my_faces/ --epochs 100 --preset cpu --out runs/my_encoder
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
import tyro
from safetensors.torch import save_file

import halfsmile
from halfsmile import recipes
from halfsmile.data.images import load_faces
from halfsmile.data.preprocess import preprocess
from halfsmile.data.synthetic import generate
from halfsmile.methods import build_autoencoder, masked_loss, random_masking
from halfsmile.models import build_encoder
from halfsmile.recipes.config import Preset
from halfsmile.transforms.augment import Augment
from halfsmile.utils.pictures import reconstruction_grid, write_png

BATCH = 64
MASK_RATIO = 0.5  # MAE hides 0.75 of 196 patches; faces this small have 16 or 36
LEARNING_RATE = 2e-3
VIEW = Augment(crop_scale=(0.6, 1.0), crop_ratio=(0.9, 1.1), flip=0.5)


def main(
    faces: Path | None = None,
    epochs: float = 30,
    preset: Preset = "tiny",
    draw: int = 2000,
    seed: int = 0,
    out: Path = Path("runs/pretrain"),
) -> list[float]:
    """Pre-train an encoder on faces without labels.

    Args:
        faces: Folder or archive of faces.
        epochs: Passes over them.
        preset: Of the recipe that shall start from the encoder; it says which network that is.
        draw: Number of faces to draw where none are given.
        seed: Of weights, views and hidden patches.
        out: Where encoder and picture go.

    Returns:
        Loss of each step.
    """
    kept = out / "encoder.safetensors"
    if kept.exists():
        sys.exit(f"{kept} is there already. Give another --out, or remove it.")
    config = recipes.ssfer(preset).encoder
    size, channels = config.image_size, config.channels

    # Every face once, at the size of the network: (N, S, S, C) uint8.
    if faces is not None:
        pictures = load_faces(halfsmile.data.read(faces), size=size, channels=channels).images
    else:
        print(f"Drawing {draw:,} faces of people who do not exist …")
        drawn = generate(draw, people=draw, difficulty=0.3, seed=seed)
        pictures = np.stack([preprocess(picture, size, channels) for picture in drawn.images])
    pool = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # (N, C, S, S)

    torch.manual_seed(seed)  # of the first weights; all else comes from the generator
    generator = torch.Generator().manual_seed(seed)
    encoder = build_encoder(config)
    autoencoder = build_autoencoder(
        encoder, decoder_width=64, decoder_depth=2, decoder_heads=4, normalize_target=True
    )
    patches = autoencoder.encoder.config.num_patches
    optimizer = torch.optim.AdamW(autoencoder.parameters(), betas=(0.9, 0.95), weight_decay=0.05)
    steps = math.ceil(epochs * len(pool) / BATCH)

    losses: list[float] = []
    for step in range(1, steps + 1):
        warmup, decay = min(1.0, step / (0.1 * steps)), 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * warmup * decay
        rows = torch.randint(len(pool), (BATCH,), generator=generator)
        images = VIEW(pool[rows], generator=generator).images  # (B, C, S, S) float in [0, 1]
        masking = random_masking(BATCH, patches, MASK_RATIO, generator)
        painted = autoencoder(images, masking)  # (B, N, p² · C)
        loss = masked_loss(painted, autoencoder.target(images), masking.mask)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
        if step % 50 == 0 or step == steps:
            print(f"step {step:,} of {steps:,}: loss {np.mean(losses[-50:]):.3f}")

    autoencoder.eval()
    some = pool[:9].float() / 255
    with torch.inference_mode():
        masking = random_masking(len(some), patches, MASK_RATIO, generator)
        masked, completed = autoencoder.reconstruct(some, masking)
    shown = [(255 * part).round().byte().permute(0, 2, 3, 1).numpy() for part in (some, masked, completed)]
    out.mkdir(parents=True, exist_ok=True)
    write_png(out / "reconstructions.png", reconstruction_grid(*shown))
    save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, kept)
    print(f"Written: {out / 'reconstructions.png'}, {kept}. Next:")
    print(f"  halfsmile train ssfer --preset {preset} --init {kept} --data DATA --out RUN")
    return losses


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except KeyboardInterrupt:
        sys.exit(130)
