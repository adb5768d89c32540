"""What a recipe is: every hyper-parameter of a run, stage by stage, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from halfsmile.data.protocols.protocol import Protocol
from halfsmile.data.samplers import Sampling
from halfsmile.methods.facemix import Mixing
from halfsmile.methods.noisy_student import Naming
from halfsmile.methods.pseudo_label import FixMatch
from halfsmile.methods.semi import Method
from halfsmile.models.encoder import EncoderConfig
from halfsmile.models.resnet import ResNetConfig
from halfsmile.models.temporal.encoder import TemporalConfig
from halfsmile.recipes.optim import OptimConfig
from halfsmile.transforms.augment import Augment
from halfsmile.utils.ranges import require_positive, require_shares

Preset = Literal["tiny", "cpu", "gpu", "paper"]
Unlabeled = Literal["own", "extra", "all"]

_NETWORK = TemporalConfig()
_OPTIM = OptimConfig(learning_rate=3e-3, warmup=0.1, clip=1.0)


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Stage I, on all unlabeled faces: masked autoencoder, distillation of a teacher, or both at once.

    Args:
        epochs: Passes over the faces.
        batch_size: Faces of a step.
        accumulate: Parts that a step is computed in, to save memory.
        optim: Optimizer and schedule.
        augment: View of a face.
        mask_ratio: Share of the patches of a face that are hidden and painted again.
        normalize_target: Standardize each patch that is to be painted.
        decoder_width: Token dimension of the decoder, which paints them.
        decoder_depth: Its blocks.
        decoder_heads: Its heads.
        paint: Weight of painting; 0 only matches a teacher.
        teacher: Network whose middle maps and features are matched: ``face`` for the face network, a run
            folder, whose labels must lie in this run's budget, or an ONNX file that gives a vector for a
            face; null for none. For residual networks.
        teacher_mean: Of an ONNX file, which takes pixels of 0 to 255 less this: one number, or one for each
            channel.
        teacher_std: Likewise what they are divided by then.
        match: Weight of matching it.

    Raises:
        ValueError: If a number is out of range, or there is nothing to learn.
    """

    epochs: float
    batch_size: int
    accumulate: int = 1
    optim: OptimConfig
    augment: Augment
    mask_ratio: float = 0.75
    normalize_target: bool = True
    decoder_width: int = 512
    decoder_depth: int = 8
    decoder_heads: int = 16
    paint: float = 1.0
    teacher: str | None = None
    teacher_mean: tuple[float, ...] = ()
    teacher_std: tuple[float, ...] = ()
    match: float = 1.0

    def __post_init__(self) -> None:
        require_positive(match=self.match)
        if self.paint < 0 or (self.paint == 0 and self.teacher is None):
            raise ValueError(
                f"Stage I paints (pretrain.paint above 0, found {self.paint:g}), or matches a teacher "
                "(pretrain.teacher), or both."
            )
        require_positive(epochs=self.epochs, batch_size=self.batch_size, accumulate=self.accumulate)
        require_positive(decoder_width=self.decoder_width, decoder_depth=self.decoder_depth)
        require_positive(decoder_heads=self.decoder_heads)


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """Stage II: the labeled few.

    Args:
        epochs: Passes over the labeled faces.
        least_steps: Steps at least: very few labels are passed over more often than that, for a network does
            not learn in a few dozen steps. 0 for none, and so where other epochs are set.
        batch_size: Faces of a step.
        accumulate: Parts that a step is computed in; mixing happens within a part.
        optim: Optimizer and schedule.
        augment: View of a face.
        sampling: How often a class is drawn: as often as it occurs (``natural``), by the square root of that
            (``sqrt``), or all classes equally (``balanced``).
        mixing: How two faces of a batch become one: ``facemix`` weighs them by how far they overlap,
            ``mixup`` blends them, ``cutmix`` puts a part of one into the other; or ``none``.
        alpha: The share λ of the first face is drawn from Beta(alpha, alpha); higher values mix more.
        smoothing: Label smoothing: the share of a label that is spread evenly over all classes.
        vote_share: Part of the target that follows the annotators' votes, the rest being the label alone.
        drop_path: Stochastic depth: how often the last block is skipped; rises from 0 at the first.
        dropout: Share of the features that is set to 0 before the classifier's last layer.
        ema_decay: What the averaged weights (EMA, a running average over the steps) keep of themselves in a
            step; they are what is evaluated and kept. None for no average.
        small_side: Side in pixels that faces are shrunk to in the first steps; null shows them as they are.
            Only for residual networks, a multiple of their total stride.
        small_share: Share of the steps that are the first ones.
    """

    epochs: float
    least_steps: int = 0
    batch_size: int
    accumulate: int = 1
    optim: OptimConfig
    augment: Augment
    sampling: Sampling = "natural"
    mixing: Mixing = "facemix"
    alpha: float = 1.0
    smoothing: float = 0.1
    vote_share: float = 0.0
    drop_path: float = 0.0
    dropout: float = 0.0
    ema_decay: float | None = 0.999
    small_side: int | None = None
    small_share: float = 0.6

    def __post_init__(self) -> None:
        require_positive(epochs=self.epochs, batch_size=self.batch_size, accumulate=self.accumulate)
        require_positive(alpha=self.alpha)
        if self.least_steps < 0:
            raise ValueError(f"least_steps must be at least 0, found {self.least_steps}.")
        require_shares(smoothing=self.smoothing, vote_share=self.vote_share, drop_path=self.drop_path)
        require_shares(dropout=self.dropout, ema_decay=self.ema_decay)

    def passes(self, rows: int) -> float:
        """How often so many labeled faces are passed over.

        Example:
            >>> from dataclasses import replace
            >>> from halfsmile.recipes import supervised
            >>> finetune = replace(supervised().finetune, epochs=24, least_steps=400, batch_size=64)
            >>> finetune.passes(2770), finetune.passes(64)
            (24, 400.0)
        """
        return max(self.epochs, self.least_steps * self.batch_size / max(1, rows))


@dataclass(frozen=True, kw_only=True)
class NamedConfig(Naming):
    """Unlabeled faces of the last fine-tuning, as the network of the stage before names them, softly.

    Args:
        batch_size: Named faces of a step, beside the labeled ones; 0 for none.
        weight: What a named face counts against a labeled one.
        unlabeled: Which faces are named, as in :class:`SemiConfig`.
    """

    zoom: float = 1.0
    batch_size: int = 0
    weight: float = 1.0
    unlabeled: Unlabeled = "own"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(weight=self.weight)
        if self.batch_size < 0:
            raise ValueError(f"batch_size of named faces must be at least 0, found {self.batch_size}.")


@dataclass(frozen=True, kw_only=True)
class TuneConfig(FineTuneConfig):
    """Last fine-tuning: the fields of :class:`FineTuneConfig`, and named faces.

    Args:
        named: Faces without a label that are learned too, see :mod:`halfsmile.methods.noisy_student`.

    Raises:
        ValueError: If named faces would be mixed in a way that has no soft targets.
    """

    named: NamedConfig = NamedConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.named.batch_size and self.mixing not in ("none", "mixup"):
            raise ValueError(
                f"Named faces are mixed by mixup or not at all, and the last fine-tuning mixes by "
                f"{self.mixing}. Set tune.mixing=none (or mixup) before tune.named.batch_size."
            )


@dataclass(frozen=True, kw_only=True)
class SemiConfig:
    """Stage III: a semi-supervised method on the unlabeled many.

    Args:
        method: Which one, as ``halfsmile train`` names it; its own hyper-parameters follow.
        sampling: How often a class of the labeled faces is drawn: ``natural``, ``sqrt`` or ``balanced``, as
            in Stage II.
        unlabeled: ``own`` takes the rest of the training split, ``extra`` the unlabeled faces from
            other sources, ``all`` what there is of both.
        epochs: Passes over the unlabeled faces.
        labeled_batch: Labeled faces of a step.
        unlabeled_batch: Unlabeled faces of a step.
        accumulate: Parts that a step is computed in.
        optim: Optimizer and schedule.
        weak: View of labeled faces and of the teacher, changed a little.
        strong: View of the student, changed much.
        weight: Factor on the loss of the unlabeled faces.
        regmixup: Weight, within the unlabeled loss, of accepted faces mixed with each other; 0 mixes none.
            See ``methods/regmixup``.
        regmixup_alpha: Their mixing is drawn from Beta(alpha, alpha).
        smoothing: Label smoothing of the labeled loss, as in Stage II.
        vote_share: Part of the target that follows the annotators' votes, as in Stage II.
        drop_path: Stochastic depth, as in Stage II.
        dropout: As in Stage II.
        ema_decay: What the teacher, a running average (EMA) of the network that learns, keeps of itself in a
            step.

    Raises:
        ValueError: If a number is out of range, or the method has no place for mixed faces.
    """

    method: Method = field(default_factory=FixMatch)
    sampling: Sampling = "natural"
    unlabeled: Unlabeled = "own"
    epochs: float
    labeled_batch: int
    unlabeled_batch: int
    accumulate: int = 1
    optim: OptimConfig
    weak: Augment
    strong: Augment
    weight: float = 5.0
    regmixup: float = 0.0
    regmixup_alpha: float = 10.0
    smoothing: float = 0.0
    vote_share: float = 0.0
    drop_path: float = 0.0
    dropout: float = 0.0
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        require_positive(
            epochs=self.epochs,
            labeled_batch=self.labeled_batch,
            unlabeled_batch=self.unlabeled_batch,
            accumulate=self.accumulate,
            regmixup_alpha=self.regmixup_alpha,
        )
        if self.regmixup < 0:
            raise ValueError(f"regmixup must be at least 0, found {self.regmixup}.")
        if self.regmixup and getattr(self.method, "own_step", False):
            raise ValueError(
                f"{self.method.name} makes a step of its own, which has no place for regmixup. Set "
                "semi.regmixup=0, or take another semi.method."
            )
        require_shares(smoothing=self.smoothing, vote_share=self.vote_share, drop_path=self.drop_path)
        require_shares(dropout=self.dropout, ema_decay=self.ema_decay)


@dataclass(frozen=True, kw_only=True)
class TemporalStageConfig:
    """Stage IV: a network over the frozen features of neighboring frames.

    Args:
        network: Its shape.
        steps: Optimizer steps.
        batch_size: Windows of a step.
        hop: Frames from one training window to the next.
        optim: Optimizer and schedule.
        smoothing: Label smoothing: the share of a label that is spread evenly over all classes.
        balance: Weigh classes by the inverse of their frequency among the training frames.
        hide: Chance of a training frame to be hidden from the network.
        noise: Standard deviation of the noise on standardized features.
        ema_decay: What the averaged weights (EMA, a running average over the steps) keep of themselves in a
            step; they are what is evaluated and kept. None for no average.
        own_share: Share of the labeled people (or videos) whose frames train this stage and no other, in
            [0, 1). On frames that trained the per-frame network its features are better than they ever are
            again; 0 takes those frames all the same.

    Raises:
        ValueError: If ``own_share`` is out of its range.
    """

    network: TemporalConfig = _NETWORK
    steps: int = 600
    batch_size: int = 16
    hop: int = 16
    optim: OptimConfig = _OPTIM
    smoothing: float = 0.1
    balance: bool = True
    hide: float = 0.15
    noise: float = 0.3
    ema_decay: float | None = 0.99
    own_share: float = 0.0

    def __post_init__(self) -> None:
        require_positive(steps=self.steps, batch_size=self.batch_size, hop=self.hop)
        require_shares(smoothing=self.smoothing, ema_decay=self.ema_decay)
        if not 0 <= self.own_share < 1:
            raise ValueError(f"own_share must lie in [0, 1), found {self.own_share}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run.

    Args:
        name: Which function made it.
        preset: Size: ``tiny``, ``cpu``, ``gpu`` or ``paper``.
        protocol: What is trained and tested on, and by which rule; null until the data are known.
        labels: Label budget, the part of the labels that may be used (``10%``, ``40`` a class, ``all``).
        held_out: Share of the training rows outside the budget that is held out: it trains nothing, its
            labels watch how good pseudo-labels are and calibrate the export.
        seed: Of all chance: the draw of the budget, and every stage.
        init: Weights that take the place of Stage I: a run folder, a file, or an address.
        encoder: The network.
        standardize: Standardize the encoder's features over the batch before the classifier's head.
        pretrain: Stage I; null trains from scratch or from given weights.
        finetune: Stage II.
        semi: Stage III; null stops after Stage II.
        tune: Last fine-tuning, of the classifier of Stage III (of Stage II without it), on the labeled faces,
            and on named ones if asked for; null for none.
        temporal: Stage IV, on data sets of videos; null stops after single frames.
        flip: Average the probabilities of a face and its mirror image when evaluating.
        prior_shift: τ of post-hoc logit adjustment: how far answers are shifted towards classes with few
            labels; 0 for not at all.
        blank_shift: ρ of CDMAD: how much of what a classifier says of a picture without a face is taken out
            of its answers; 0 for nothing.

    Raises:
        ValueError: If the network can't be shown the small faces that a stage begins with.
    """

    name: str
    preset: Preset
    protocol: Protocol | None = None
    labels: str = "10%"
    held_out: float = 0.05
    seed: int = 0
    init: str | None = None
    encoder: EncoderConfig
    standardize: bool = False
    pretrain: PretrainConfig | None
    finetune: FineTuneConfig
    semi: SemiConfig | None
    tune: TuneConfig | None = None
    temporal: TemporalStageConfig | None = None
    flip: bool = True
    prior_shift: float = 0.0
    blank_shift: float = 0.0

    @property
    def resolved_protocol(self) -> Protocol:
        """The protocol of a run whose data are known.

        Raises:
            ValueError: If it was not resolved yet.
        """
        if self.protocol is None:
            raise ValueError(f"The recipe {self.name} does not say yet what it is trained and tested on.")
        return self.protocol

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"The seed must be 0 or above, found {self.seed}.")
        require_shares(held_out=self.held_out)
        for config in (self.finetune, self.tune):
            if config is not None and config.small_side is not None:
                _require_small(config.small_side, config.small_share, self.encoder)


def _require_small(side: int, share: float, network: EncoderConfig) -> None:
    if not isinstance(network, ResNetConfig):
        raise ValueError("small_side is for residual networks; a Transformer takes faces of one size.")
    if not 0 < side < network.image_size or side % network.stride:
        raise ValueError(
            f"small_side must be a multiple of the network's total stride {network.stride} below "
            f"{network.image_size}, found {side}."
        )
    if not 0 <= share <= 1:
        raise ValueError(f"small_share must lie in [0, 1], found {share}.")
