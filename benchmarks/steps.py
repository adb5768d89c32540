"""Speed of a training step against the same step built from timm's blocks.

One MAE step and one fine-tuning step of the recipe's network and of a Transformer of its cost, from uint8
faces to updated weights, both sides in turn in one process. The other side of the Transformer has timm's
``Block`` (fused attention) instead of ours and the convolutional stem written with torch's modules as they
come. A residual network is made of timm's blocks on both sides; the other one has torch's convolutions alone
and keeps weights and maps in torch's default memory order; so does the other face network, whose scales and
biases behind the convolutions are layers of their own, as its author has them. The other side also has the C
library's own memory policy; shapes, weights, precision, augmentation and optimizer are the same.

    python benchmarks/steps.py --threads 2
    python benchmarks/steps.py --threads 2 --face
    python benchmarks/steps.py --profile
"""

from __future__ import annotations

import copy
import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar

import torch
import tyro
from rich.table import Table
from timm.models.vision_transformer import Block as TimmBlock
from torch import Tensor, nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from halfsmile.methods.facemix import FineTuneTask
from halfsmile.methods.pretrain.mae import MaeTask
from halfsmile.methods.pretrain.masked_conv import build_autoencoder
from halfsmile.methods.task import Batch, Task
from halfsmile.models import face_network
from halfsmile.models.classifier import Classifier
from halfsmile.models.encoder import build_encoder
from halfsmile.models.face_network import FaceNetwork, FaceNetworkConfig
from halfsmile.models.patches import ConvStem
from halfsmile.models.resnet import ResNet
from halfsmile.models.vit import Block
from halfsmile.models.vit_config import VitConfig
from halfsmile.models.winograd import Conv3x3
from halfsmile.recipes import recipe_named
from halfsmile.recipes.changes.face import with_face_network
from halfsmile.recipes.config import Preset, Recipe
from halfsmile.recipes.optim import OptimConfig
from halfsmile.taxonomy import FERPLUS
from halfsmile.training.environment import reuse_freed_memory
from halfsmile.training.optim import make_optimizer
from halfsmile.utils.console import make_console

Step = Callable[[], None]
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        recipe: Name of the recipe whose network and stages are used.
        preset: Its preset.
        threads: Processor cores to use.
        rounds: Alternations; the median counts.
        steps: Steps of one side in an alternation.
        batch_size: Faces of a step instead of the recipe's.
        face: Measure fine-tuning from the face network (``--init face``) instead.
        profile: Print the operators that our steps spend most time in, and stop.
    """

    recipe: str = "ssfer"
    preset: Preset = "cpu"
    threads: int = 2
    rounds: int = 7
    steps: int = 2
    batch_size: int | None = None
    face: bool = False
    profile: bool = False


def plain_stem(stem: ConvStem, images: Tensor) -> Tensor:
    """The stem's convolutions as torch's own modules compute them."""
    x = stem.first(images)
    for unit, down in zip(stem.units, stem.down, strict=True):
        x = down(F.relu(unit(x)))
    return x.flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class Scale(nn.Module):
    """A factor and a summand for each channel, as dlib has them in the place of batch norm.

    Args:
        channels: Their number.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Shape (B, C, H, W), both ways."""
        return maps * self.weight[:, None, None] + self.bias[:, None, None]


class DefaultOrder(nn.Module):
    """Maps in torch's default memory order, channels first."""

    def forward(self, images: Tensor) -> Tensor:
        """The same values."""
        return images.contiguous()


def as_timm_has_it(model: Model) -> Model:
    """A copy of a model, of the same weights: timm's Transformer blocks, plain stem, default memory order."""
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Block):
                width, heads = child.norm1.normalized_shape[0], child.attn.heads
                norm: Any = partial(nn.LayerNorm, eps=child.norm1.eps)
                other = TimmBlock(
                    width,
                    heads,
                    mlp_ratio=child.mlp.fc1.out_features / width,
                    qkv_bias=True,
                    drop_path=child.drop_path.rate,
                    norm_layer=norm,
                )
                other.load_state_dict(child.state_dict())
                setattr(module, name, other)
            elif isinstance(child, ConvStem):
                child.forward = partial(plain_stem, child)  # type: ignore[method-assign]
            elif isinstance(child, Conv3x3):
                child.forward = partial(nn.Conv2d.forward, child)  # type: ignore[method-assign]
            elif isinstance(child, ResNet):
                child.patch_embed = nn.Sequential(DefaultOrder(), *child.patch_embed)
            elif isinstance(child, FaceNetwork):
                first = child.patch_embed
                stem: Any = nn.Sequential(DefaultOrder(), first, Scale(first.out_channels))
                child.patch_embed = stem
            elif isinstance(child, face_network.Block):
                for convolution in ("conv1", "conv2"):
                    found = getattr(child, convolution)
                    setattr(child, convolution, nn.Sequential(found, Scale(found.out_channels)))
    return model


def training_step(task: Task, optim: OptimConfig, batch: Batch) -> Step:
    """One step as the training loop does it."""
    optimizer = make_optimizer(task.train().model, optim)
    parameters = [p for p in task.model.parameters() if p.requires_grad]
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        loss, _ = task(batch, generator)
        loss.backward()
        if optim.clip is not None:
            nn.utils.clip_grad_norm_(parameters, optim.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        task.after_update()

    return step


@dataclass(frozen=True)
class Pair:
    """Our step and the other one, and the number of faces in each."""

    ours: Step
    other: Step
    faces: int


TRANSFORMER = VitConfig(
    image_size=48,
    patch_size=8,
    channels=1,
    width=192,
    depth=4,
    heads=6,
    stem=(32, 64),
    pooling="average",
    mean=(0.5,),
    std=(0.25,),
)
"""Measured too where the recipe's encoder is a residual network."""


def sides(model: Model) -> tuple[Model, Model]:
    """The model as the training loop holds it, and the other side."""
    other = as_timm_has_it(model)
    return model.to(memory_format=torch.channels_last), other


def mae_steps(recipe: Recipe, batch_size: int | None) -> Pair:
    """Pre-training on random pictures."""
    config = recipe.pretrain
    if config is None:
        raise ValueError(f"Recipe {recipe.name} has no pre-training to measure.")
    count = batch_size or config.batch_size
    model = build_autoencoder(
        build_encoder(recipe.encoder),
        decoder_width=config.decoder_width,
        decoder_depth=config.decoder_depth,
        decoder_heads=config.decoder_heads,
        normalize_target=config.normalize_target,
    )
    ours, other = (MaeTask(m, augment=config.augment, mask_ratio=config.mask_ratio) for m in sides(model))
    batch = Batch(images=random_faces(recipe, count))
    return Pair(training_step(ours, config.optim, batch), training_step(other, config.optim, batch), count)


def tuning_steps(recipe: Recipe, batch_size: int | None) -> Pair:
    """Fine-tuning on random pictures."""
    config = recipe.finetune
    count = batch_size or config.batch_size
    encoder = build_encoder(recipe.encoder, drop_path=config.drop_path)
    model = Classifier(encoder, taxonomy=FERPLUS, standardize=recipe.standardize)
    ours, other = (
        FineTuneTask(
            m, augment=config.augment, mixing=config.mixing, alpha=config.alpha, ema_decay=config.ema_decay
        )
        for m in sides(model)
    )
    targets = F.one_hot(torch.arange(count) % len(FERPLUS), len(FERPLUS)).float()
    batch = Batch(images=random_faces(recipe, count), targets=targets)
    return Pair(training_step(ours, config.optim, batch), training_step(other, config.optim, batch), count)


def random_faces(recipe: Recipe, count: int) -> Tensor:
    """Noise of the recipe's size, (count, C, S, S) uint8."""
    side = recipe.encoder.image_size
    return torch.randint(0, 256, (count, recipe.encoder.channels, side, side), dtype=torch.uint8)


def memory_policy(kind: Literal["reused", "returned"]) -> None:
    """Keep freed memory, or return large buffers to the system as glibc does by default."""
    if kind == "reused":
        reuse_freed_memory()
    elif (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(-4, 65536)
        mallopt(-1, 128 * 1024)


def seconds(step: Step, steps: int) -> float:
    """Time of a step after one that is not counted."""
    step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


def show_profile(name: str, step: Step, steps: int) -> None:
    """Print the operators that a step spends most time in."""
    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(steps):
            step()
    print(f"\n{name}\n{profiled.key_averages().table(sort_by='self_cpu_time_total', row_limit=20)}")


def main(options: Options) -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    recipe = recipe_named(options.recipe, options.preset)
    if options.face:
        recipe = with_face_network(recipe, data_set="ferplus")
    encoders = {type(recipe.encoder).__name__.removesuffix("Config"): recipe.encoder}
    if not isinstance(recipe.encoder, (VitConfig, FaceNetworkConfig)):
        encoders["Vit"] = TRANSFORMER
    pairs: dict[str, Pair] = {}
    for name, encoder in encoders.items():
        network = replace(recipe, encoder=encoder)
        if network.pretrain is not None:
            pairs[f"{name}, MAE"] = mae_steps(network, options.batch_size)
        pairs[f"{name}, fine-tuning"] = tuning_steps(network, options.batch_size)
    if options.profile:
        memory_policy("reused")
        for name, pair in pairs.items():
            show_profile(name, pair.ours, options.steps)
        return
    table = Table(title=f"Training steps, {options.preset} preset, {options.threads} threads, float32")
    for column in ("stage", "faces", "ours, images/s", "timm, images/s", "ratio", "range"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for name, pair in pairs.items():
        ours, other = [], []
        for _ in range(options.rounds):
            memory_policy("reused")
            ours.append(seconds(pair.ours, options.steps))
            memory_policy("returned")
            other.append(seconds(pair.other, options.steps))
        ratios = sorted(b / a for a, b in zip(ours, other, strict=True))
        table.add_row(
            name,
            str(pair.faces),
            f"{pair.faces / statistics.median(ours):,.0f}",
            f"{pair.faces / statistics.median(other):,.0f}",
            f"{statistics.median(ratios):.2f}",
            f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
        )
    make_console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))
