"""The recipes, as plain functions: a variant calls another one and replaces fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from halfsmile.data.samplers import Sampling
from halfsmile.methods.ada_cm import AdaCM
from halfsmile.methods.debias import DebiasPL
from halfsmile.methods.family import method_named
from halfsmile.methods.freematch import FreeMatch
from halfsmile.methods.semi import Method
from halfsmile.methods.softmatch import SoftMatch
from halfsmile.models.resnet import ResNetConfig
from halfsmile.models.temporal import TemporalConfig
from halfsmile.models.vit_config import vit_config
from halfsmile.recipes.config import FineTuneConfig, Preset, PretrainConfig, Recipe, SemiConfig, Unlabeled
from halfsmile.training.optim import OptimConfig
from halfsmile.training.temporal_config import TemporalStageConfig
from halfsmile.transforms.augment import Augment

_PAPER_VIEW = Augment(crop_scale=(0.2, 1.0), crop_ratio=(3 / 4, 4 / 3), flip=0.5, interpolation="bicubic")
_VIEW = Augment(crop_scale=(0.65, 1.25), crop_ratio=(4 / 5, 5 / 4), flip=0.5, rotation=10.0)


def _paper(name: str) -> Recipe:
    """SSFER as published (arXiv 2410.17622): ViT-B/16, 224 px."""
    return Recipe(
        name=name,
        preset="paper",
        data_set="ferplus",
        label_rule="argmax",
        test_splits=("valid", "test"),
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
    """SSFER for two processor cores: a small residual network on 48 px grey faces."""
    optim = OptimConfig(learning_rate=3e-3, final_learning_rate=1e-5, clip=5.0, betas=(0.9, 0.98))
    return Recipe(
        name=name,
        preset="cpu",
        data_set="ferplus",
        label_rule="argmax",
        test_splits=("valid", "test"),
        encoder=ResNetConfig(image_size=48, patch_size=8, widths=(32, 64, 128, 256), depths=(1, 2, 2, 2)),
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
            epochs=32,
            batch_size=64,
            optim=optim,
            augment=_VIEW,
            alpha=0.4,
            vote_share=0.5,
            ema_decay=0.995,
        ),
        semi=SemiConfig(
            epochs=10,
            labeled_batch=32,
            unlabeled_batch=64,
            optim=replace(optim, learning_rate=1.5e-3),
            weak=_VIEW,
            strong=replace(_VIEW, num_operations=2, magnitude=9.0, magnitude_std=0.5, erase=0.25),
            weight=2.0,
            vote_share=0.5,
        ),
    )


_PRESETS: dict[Preset, Callable[[str], Recipe]] = {"paper": _paper, "cpu": _cpu}


def ssfer_ferplus(preset: Preset = "cpu") -> Recipe:
    """All three stages of SSFER on FERPlus: plain argmax of 10, test = PublicTest + PrivateTest."""
    return _PRESETS[preset]("ssfer-ferplus")


def supervised_ferplus(preset: Preset = "cpu") -> Recipe:
    """Baseline: the same network from scratch, mixup, on the labeled faces only."""
    recipe = _PRESETS[preset]("supervised-ferplus")
    longer = replace(recipe.finetune, mixing="mixup", optim=replace(recipe.finetune.optim, layer_decay=1.0))
    return replace(recipe, pretrain=None, semi=None, finetune=longer)


def ssfer_folders(preset: Preset = "cpu") -> Recipe:
    """All three stages on one's own faces: class folders ``train/<label>`` and ``test/<label>``.

    Stage III takes what unlabeled faces there are: all labels may be used where more faces come along.
    """
    recipe = with_semi(_PRESETS[preset]("ssfer-folders"), unlabeled="all")
    return replace(recipe, data_set="class-folders", label_rule=None, test_splits=("test",))


def supervised_folders(preset: Preset = "cpu") -> Recipe:
    """Baseline on one's own faces: from scratch, on the labeled faces only."""
    return replace(
        supervised_ferplus(preset),
        name="supervised-folders",
        data_set="class-folders",
        label_rule=None,
        test_splits=("test",),
    )


def boxed_ferplus(preset: Preset = "cpu") -> Recipe:
    """The model in the box: all labels of the training split with the annotators' votes, after Stage I.

    Tested on PrivateTest alone, so that PublicTest can calibrate. Views are blurred, shifted in light and
    partly erased, since photographs are less tidy than FER2013's crops. So small a network then names fewer
    training faces right than it could; a last fine-tuning shows them nearly as they are.
    """
    recipe = replace(_PRESETS[preset]("boxed-ferplus"), labels="all", held_out=0.0, test_splits=("test",))
    view = replace(
        recipe.finetune.augment,
        rotation=15.0,
        num_operations=1,
        magnitude=5.0,
        blur=0.2,
        blur_sigmas=(0.5, 1.0, 1.5),
        erase=0.15,
    )
    finetune = replace(
        recipe.finetune,
        epochs=36,
        augment=view,
        mixing="none",
        smoothing=0.0,
        vote_share=1.0,
        ema_decay=0.999,
        small_side=32 if preset == "cpu" else None,
    )
    tidy = replace(
        recipe.finetune.augment,
        crop_scale=(0.75, 1.2),
        crop_ratio=(0.87, 1.15),
        rotation=8.0,
        blur=0.1,
        blur_sigmas=(0.5, 1.0),
    )
    tune = replace(
        finetune,
        epochs=40,
        optim=replace(finetune.optim, learning_rate=finetune.optim.learning_rate / 2),
        augment=tidy,
        small_side=None,
    )
    return replace(recipe, finetune=finetune, semi=None, tune=tune)


def boxed_enlarged_ferplus(preset: Preset = "cpu") -> Recipe:
    """The model in the box, second part: the network of :func:`boxed_ferplus` on the same faces, enlarged.

    ``init`` is that run's last file of weights, ``RUN/tune/model.safetensors``. On faces a third larger a
    convolutional network makes maps a third larger, so it sees more with the same weights; it needs some
    epochs to get used to them (arXiv 1906.06423). It would overfit by now, so faces are mixed (mixup).
    """
    recipe = boxed_ferplus(preset)
    last = recipe.tune or recipe.finetune
    finetune = replace(
        last,
        epochs=30,
        mixing="mixup",
    )
    size = {"cpu": 64, "paper": 288}[preset]
    encoder = replace(recipe.encoder, image_size=size)
    return replace(recipe, name="boxed-enlarged-ferplus", encoder=encoder, finetune=finetune, tune=None)


_CPU_METHODS: dict[str, Method] = {
    "freematch": FreeMatch(momentum=0.99),
    "softmatch": SoftMatch(momentum=0.99),
    "debias": DebiasPL(momentum=0.99),
    "ada-cm": AdaCM(period=100),
}
"""Methods whose published memory is longer than the whole schedule of the preset ``cpu``."""


def with_semi(
    recipe: Recipe,
    *,
    method: str | None = None,
    sampling: Sampling | None = None,
    unlabeled: Unlabeled | None = None,
) -> Recipe:
    """The same recipe with another Stage III; what is None stays.

    The student of ``feedback`` sees no label, so it is fine-tuned on the labeled faces afterwards.

    Args:
        recipe: Any recipe that has a Stage III.
        method: Name of a semi-supervised method; it comes with the hyper-parameters of the recipe's preset.
        sampling: How often each class of the labeled faces is drawn.
        unlabeled: Which unlabeled faces are used.

    Raises:
        ValueError: If the method is unknown, or something is to be changed and there is no Stage III.
    """
    if method is None and sampling is None and unlabeled is None:
        return recipe
    if recipe.semi is None:
        raise ValueError(
            f"The recipe {recipe.name} has no Stage III, so method, sampling and unlabeled can't be chosen."
        )
    semi = recipe.semi
    if method is not None:
        chosen = _CPU_METHODS.get(method) if recipe.preset == "cpu" else None
        semi = replace(semi, method=chosen or method_named(method))
    semi = replace(semi, sampling=sampling or semi.sampling, unlabeled=unlabeled or semi.unlabeled)
    tune = None
    if semi.method.name == "feedback":
        epochs = 12 if recipe.preset == "cpu" else 100
        tune = recipe.tune or replace(recipe.finetune, epochs=epochs, optim=semi.optim, small_side=None)
        tune = replace(tune, sampling=semi.sampling)
    return replace(recipe, semi=semi, tune=tune)


def semi_ferplus(
    preset: Preset = "cpu",
    *,
    method: str = "fixmatch",
    sampling: Sampling = "natural",
    unlabeled: Unlabeled = "own",
) -> Recipe:
    """One row of a table of semi-supervised methods: all else is as in :func:`ssfer_ferplus`."""
    recipe = replace(ssfer_ferplus(preset), name="semi-ferplus")
    return with_semi(recipe, method=method, sampling=sampling, unlabeled=unlabeled)


def abaw6_ferplus(preset: Preset = "cpu") -> Recipe:
    """The spatial part of the ABAW6 method (arXiv 2403.11942) where it can be measured.

    Stated by the paper: labeled faces are drawn uniformly over the classes, unlabeled ones are
    face-recognition images, and a debiased feedback strategy is used. Inferred: the feedback is that of
    ``methods/feedback``, and so is fine-tuning the student at the end. Chosen: all else, which is as in
    :func:`ssfer_ferplus` but for the mixing of faces, an idea of that paper.
    """
    recipe = semi_ferplus(preset, method="feedback", sampling="balanced", unlabeled="extra")
    finetune = replace(recipe.finetune, sampling="balanced", mixing="none")
    tune = recipe.tune and replace(recipe.tune, mixing="none")
    return replace(recipe, name="abaw6-ferplus", finetune=finetune, tune=tune)


def sequences_synthetic(preset: Preset = "cpu") -> Recipe:
    """Stages II and IV on sequences of generated people (``data/synthetic/folders.write_sequences``).

    Three people in ten are tested, four in ten of the others train the Temporal Encoder alone. Neighboring
    frames are nearly equal, so a few passes are enough, and labels are drawn by person.
    """
    recipe = _PRESETS[preset]("sequences-synthetic")
    return replace(
        recipe,
        data_set="sequences",
        label_rule=None,
        test_splits=("test",),
        labels="all",
        group="person",
        test_people=0.3,
        pretrain=None,
        finetune=replace(recipe.finetune, epochs=10, sampling="balanced", mixing="none", vote_share=0.0),
        semi=None,
        temporal=TemporalStageConfig(network=TemporalConfig(window=32), own_share=0.4),
    )


def sequences_cpu(preset: Preset = "cpu") -> Recipe:
    """Stages II and IV on any table of frames, from the network of a run on still images.

    With ``init`` the weights of that run's last stage, as ``RUN/semi/model.safetensors``, the network knows
    expressions already, so Stage II only settles it on these faces, at a lower rate.
    """
    recipe = sequences_synthetic(preset)
    optim = replace(recipe.finetune.optim, learning_rate=3e-4)
    return replace(recipe, name="sequences-cpu", finetune=replace(recipe.finetune, epochs=6, optim=optim))


def abaw6_affwild2(preset: Preset = "cpu") -> Recipe:
    """The whole ABAW6 method (arXiv 2403.11942) on Aff-Wild2, as far as it is known.

    * Stated: unlabeled faces are face-recognition images; labeled ones are drawn uniformly over the classes;
      a debiased feedback strategy; a Temporal Encoder over the features of neighboring frames;
      post-processing; measured on the official validation set, by macro F1 over eight classes.
    * Inferred: the feedback is that of ``methods/feedback``; the per-frame features are frozen; the
      post-processing is smoothing over time (``sequences/smoothing``), chosen on training videos.
    * Chosen: everything else. Aff-Wild2 is the only labeled set, in its aligned crops. The Temporal Encoder
      has the window of 100 frames, the four blocks of width 128 and the class weights of another team of
      that challenge. Three videos in ten train it alone. Backbone, rates and lengths are those of
      :func:`abaw6_ferplus`, with fewer passes: there are twenty times as many frames, most nearly equal.
    """
    recipe = abaw6_ferplus(preset)
    network = TemporalConfig(width=128, depth=4, heads=4, mlp_ratio=1.0, dropout=0.3, window=100)
    return replace(
        recipe,
        name="abaw6-affwild2",
        data_set="affwild2",
        label_rule=None,
        test_splits=("valid",),
        labels="all",
        group="video",
        finetune=replace(recipe.finetune, epochs=2 if preset == "cpu" else 10, vote_share=0.0),
        semi=recipe.semi and replace(recipe.semi, vote_share=0.0),
        tune=recipe.tune and replace(recipe.tune, epochs=1 if preset == "cpu" else 5, vote_share=0.0),
        temporal=TemporalStageConfig(network=network, steps=3000, batch_size=32, hop=50, own_share=0.3),
    )


RECIPES: dict[str, Callable[[Preset], Recipe]] = {
    "ssfer-ferplus": ssfer_ferplus,
    "supervised-ferplus": supervised_ferplus,
    "ssfer-folders": ssfer_folders,
    "supervised-folders": supervised_folders,
    "semi-ferplus": semi_ferplus,
    "abaw6-ferplus": abaw6_ferplus,
    "boxed-ferplus": boxed_ferplus,
    "boxed-enlarged-ferplus": boxed_enlarged_ferplus,
    "sequences-synthetic": sequences_synthetic,
    "sequences-cpu": sequences_cpu,
    "abaw6-affwild2": abaw6_affwild2,
}


def recipe_named(name: str, preset: Preset) -> Recipe:
    """The recipe of a name and preset.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}; known are {', '.join(RECIPES)}.")
    return RECIPES[name](preset)
