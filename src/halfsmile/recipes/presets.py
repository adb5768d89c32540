"""The stages of SSFER in four sizes: every other recipe replaces fields of one of them.

``tiny`` trains in a minute and is for trying things out; ``cpu`` fits two processor cores and is what was
measured best there; ``gpu`` is meant for one consumer GPU and an evening, its numbers chosen by arithmetic
and not measured yet; ``paper`` is what SSFER published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from halfsmile.models.resnet import ResNetConfig
from halfsmile.models.vit_config import VitConfig, vit_config
from halfsmile.recipes.config import FineTuneConfig, Preset, PretrainConfig, Recipe, SemiConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.transforms.augment import Augment

_PAPER_VIEW = Augment(crop_scale=(0.2, 1.0), crop_ratio=(3 / 4, 4 / 3), flip=0.5, interpolation="bicubic")
_VIEW = Augment(crop_scale=(0.65, 1.25), crop_ratio=(4 / 5, 5 / 4), flip=0.5, rotation=10.0)
_TINY_VIEW = Augment(crop_scale=(0.8, 1.0), crop_ratio=(0.9, 1.1), flip=0.5)


def stages(name: str, preset: Preset) -> Recipe:
    """All three stages of SSFER in one size.

    Args:
        name: Of the recipe.
        preset: The size.

    Raises:
        ValueError: If there is no such size.
    """
    if preset not in _PRESETS:
        raise ValueError(f"Unknown preset {preset!r}; known are {', '.join(_PRESETS)}.")
    return _PRESETS[preset](name)


def _paper(name: str) -> Recipe:
    """SSFER as published (arXiv 2410.17622): ViT-B/16, 224 px."""
    return Recipe(
        name=name,
        preset="paper",
        encoder=vit_config("base"),
        pretrain=PretrainConfig(
            epochs=800,
            batch_size=256,
            optim=OptimConfig(learning_rate=3.4e-4, warmup=50 / 800),
            augment=_PAPER_VIEW,
            normalize_target=False,
        ),
        finetune=FineTuneConfig(
            epochs=100,
            batch_size=32,
            optim=OptimConfig(
                learning_rate=1.5e-4,
                first_learning_rate=5e-5,
                final_learning_rate=1e-5,
                warmup=0.05,
                decay_until=0.5,
            ),
            augment=_PAPER_VIEW,
        ),
        semi=SemiConfig(
            epochs=50,
            labeled_batch=64,
            unlabeled_batch=64,
            optim=OptimConfig(learning_rate=1.5e-4, final_learning_rate=1.5e-4, warmup=0.0),
            weak=_PAPER_VIEW,
            strong=replace(_PAPER_VIEW, num_operations=2, magnitude=9.0, magnitude_std=0.5),
        ),
    )


def _cpu(name: str) -> Recipe:
    """SSFER for two processor cores: a small residual network on 64 px gray faces.

    Mixup stands in for FaceMix, which looks at two pictures of a face where mixup looks at one. Rare classes
    are drawn more often, by the square root of their counts.
    """
    optim = OptimConfig(learning_rate=3e-3, final_learning_rate=1e-5, clip=5.0, betas=(0.9, 0.98))
    return Recipe(
        name=name,
        preset="cpu",
        encoder=ResNetConfig(image_size=64, patch_size=8, widths=(32, 64, 128, 256), depths=(1, 2, 2, 2)),
        pretrain=PretrainConfig(
            epochs=5,
            batch_size=64,
            optim=OptimConfig(learning_rate=2e-3, warmup=0.05, clip=5.0),
            augment=replace(_VIEW, crop_scale=(0.6, 1.0)),
            mask_ratio=0.6,
            decoder_width=128,
            decoder_depth=2,
        ),
        finetune=FineTuneConfig(
            epochs=40,
            batch_size=64,
            sampling="sqrt",
            optim=optim,
            augment=_VIEW,
            mixing="mixup",
            alpha=0.4,
            vote_share=0.5,
            ema_decay=0.995,
        ),
        semi=SemiConfig(
            sampling="sqrt",
            epochs=14,
            labeled_batch=32,
            unlabeled_batch=64,
            optim=replace(optim, learning_rate=1.5e-3),
            weak=_VIEW,
            strong=replace(_VIEW, num_operations=2, magnitude=9.0, magnitude_std=0.5, erase=0.25),
            weight=2.0,
            vote_share=0.5,
        ),
    )


def _gpu(name: str) -> Recipe:
    """SSFER for one consumer GPU: a residual network of 18 layers on 112 px color faces."""
    recipe = _cpu(name)
    optim = OptimConfig(learning_rate=2e-3, final_learning_rate=1e-5, clip=5.0)
    encoder = ResNetConfig(
        image_size=112,
        patch_size=16,
        channels=3,
        widths=(64, 128, 256, 512),
        depths=(2, 2, 2, 2),
        mean=(0.588, 0.459, 0.402),
        std=(0.228, 0.202, 0.190),
    )
    return replace(
        recipe,
        preset="gpu",
        encoder=encoder,
        pretrain=recipe.pretrain
        and replace(
            recipe.pretrain,
            epochs=100,
            batch_size=256,
            optim=OptimConfig(learning_rate=3e-3, warmup=0.05, clip=5.0),
            decoder_width=256,
            decoder_depth=4,
            decoder_heads=8,
        ),
        finetune=replace(recipe.finetune, epochs=60, optim=optim, drop_path=0.1, ema_decay=0.999),
        semi=recipe.semi
        and replace(
            recipe.semi,
            epochs=30,
            labeled_batch=64,
            unlabeled_batch=192,
            optim=replace(optim, learning_rate=1e-3),
            drop_path=0.1,
        ),
    )


def _tiny(name: str) -> Recipe:
    """SSFER in a minute or two: a Transformer of three narrow blocks on 32 px gray faces."""
    recipe = _cpu(name)
    optim = replace(recipe.finetune.optim, learning_rate=2e-3)
    encoder = VitConfig(
        image_size=32,
        patch_size=8,
        channels=1,
        width=96,
        depth=3,
        heads=4,
        stem=(16, 32),
        pooling="average",
        mean=(0.5,),
        std=(0.25,),
    )
    return replace(
        recipe,
        preset="tiny",
        encoder=encoder,
        standardize=True,
        pretrain=recipe.pretrain
        and replace(
            recipe.pretrain,
            epochs=8,
            batch_size=64,
            optim=replace(recipe.pretrain.optim, learning_rate=8e-4),
            augment=_TINY_VIEW,
            mask_ratio=0.5,
            decoder_width=64,
            decoder_depth=1,
            decoder_heads=4,
        ),
        finetune=replace(
            recipe.finetune,
            epochs=40,
            batch_size=32,
            sampling="natural",
            optim=optim,
            augment=_TINY_VIEW,
            mixing="facemix",
            alpha=0.2,
            drop_path=0.1,
            ema_decay=0.98,
        ),
        semi=recipe.semi
        and replace(
            recipe.semi,
            sampling="natural",
            epochs=12,
            optim=optim,
            drop_path=0.1,
            weak=_TINY_VIEW,
            strong=replace(_TINY_VIEW, num_operations=2, magnitude=6.0),
            ema_decay=0.99,
        ),
    )


_PRESETS: dict[Preset, Callable[[str], Recipe]] = {"tiny": _tiny, "cpu": _cpu, "gpu": _gpu, "paper": _paper}
