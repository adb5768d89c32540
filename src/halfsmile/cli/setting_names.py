"""The fields of recipes that ``--set`` takes, so that a wrong one is told before torch is imported.

Written twice: a test holds this table to the recipes.
"""

from __future__ import annotations

from difflib import get_close_matches

_GROUPS = {
    ("",): (
        "blank_shift:float encoder finetune flip:bool held_out:float init labels pretrain "
        "prior_shift:float protocol seed:int semi standardize:bool temporal tune"
    ),
    ("encoder",): (
        "activation:gelu|quick_gelu channels:int depth:int depths drop_path:float heads:int "
        "image_size:int last_block:bool mean mlp_ratio:float norm_epsilon:float patch_size:int "
        "pooling:token|average pre_norm:bool std stem width:int widths"
    ),
    ("finetune", "tune"): (
        "accumulate:int alpha:float augment batch_size:int drop_path:float dropout:float "
        "ema_decay:float? epochs:float least_steps:int mixing:facemix|mixup|cutmix|none optim "
        "sampling:natural|sqrt|balanced small_share:float small_side:int? smoothing:float "
        "vote_share:float"
    ),
    ("tune",): "named",
    ("tune.named",): (
        "alignment:float batch_size:int teachers temperature:float unlabeled:own|extra|all weight:float "
        "zoom:float"
    ),
    ("finetune.augment", "pretrain.augment", "semi.strong", "semi.weak", "tune.augment"): (
        "blur:float blur_sigmas camera:float crop_ratio crop_scale erase:float erase_area "
        "erase_aspect erase_noise:bool fill:float flip:float gray:float "
        "interpolation:bilinear|bicubic|nearest magnitude:float magnitude_std:float "
        "num_operations:int operation_probability:float rotation:float shear:float "
        "translation:float"
    ),
    ("finetune.optim", "pretrain.optim", "semi.optim", "temporal.optim", "tune.optim"): (
        "betas clip:float? decay_until:float final_learning_rate:float first_learning_rate:float "
        "layer_decay:float learning_rate:float warmup:float weight_decay:float"
    ),
    ("pretrain",): (
        "accumulate:int augment batch_size:int decoder_depth:int decoder_heads:int "
        "decoder_width:int epochs:float mask_ratio:float match:float normalize_target:bool optim "
        "paint:float teacher teacher_mean teacher_std"
    ),
    ("protocol",): (
        "data_set:ferplus|rafdb|affectnet|affwild2|sequences|faces group:person|video? label_rule "
        "metric:accuracy|macro_f1 num_classes:int? test_people:float? test_splits"
    ),
    ("semi",): (
        "accumulate:int drop_path:float dropout:float ema_decay:float epochs:float "
        "labeled_batch:int method optim regmixup:float regmixup_alpha:float "
        "sampling:natural|sqrt|balanced smoothing:float strong "
        "unlabeled:own|extra|all unlabeled_batch:int vote_share:float weak weight:float"
    ),
    ("semi.method",): (
        "alignment:float alpha:float consistency:float contrast:float deviations:float "
        "fairness:float feedback:float guard least:float mirror:bool momentum:float name per_sample:bool "
        "period:int ramp:int scale:float start:fresh|finetuned strength:float teachers "
        "temperature:float threshold:float zoom:float"
    ),
    ("semi.method.guard",): (
        "decay:float quantile:float score:none|confidence|energy threshold:float?"
    ),
    ("temporal",): (
        "balance:bool batch_size:int ema_decay:float? hide:float hop:int network noise:float "
        "optim own_share:float smoothing:float steps:int"
    ),
    ("temporal.network",): (
        "delay:int? depth:int dropout:float heads:int history:int kind:transformer|convolution "
        "mlp_ratio:float width:int window:int"
    ),
}  # fmt: skip
"""Fields by the parts of a recipe that have them, with what they take; ``?`` stands for none, too."""
FIELDS = {
    f"{group}.{name}" if group else name: kind
    for groups, text in _GROUPS.items()
    for group in groups
    for name, _, kind in (field.partition(":") for field in text.split())
}
_EXAMPLE = "finetune.epochs=10"


def require_settings(settings: tuple[str, ...]) -> None:
    """Refuse settings that no recipe has, or whose value is of another kind.

    What only some recipes have is told by :func:`halfsmile.recipes.overrides.override`.

    Raises:
        ValueError: With the nearest names, or what a field takes.

    Example:
        >>> require_settings(("finetune.epoch=3",))
        Traceback (most recent call last):
        ...
        ValueError: No recipe has a field 'finetune.epoch'. Did you mean finetune.epochs or tune.epochs? ...
    """
    for text in settings:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise ValueError(f"Can't read the setting {text!r}: give stage.field=value, as in {_EXAMPLE}.")
        if name not in FIELDS:
            last = name.rpartition(".")[2]
            near = get_close_matches(name, FIELDS, n=2, cutoff=0.75)
            near += [known for known in FIELDS if known.rpartition(".")[2] == last and known not in near]
            meant = f" Did you mean {' or '.join(near[:4])}?" if near else ""
            raise ValueError(
                f"No recipe has a field {name!r}.{meant} `halfsmile train METHOD --help` shows those of one."
            )
        _require_value(name, value, FIELDS[name])


def _require_value(name: str, value: str, kind: str) -> None:
    """Refuse a value of another kind."""
    if not kind or (kind.endswith("?") and value.lower() in ("none", "null")):
        return
    kind = kind.removesuffix("?")
    if kind in ("int", "float"):
        try:
            _ = int(value) if kind == "int" else float(value)
        except ValueError:
            what = "a whole number" if kind == "int" else "a number"
            raise ValueError(f"{name} is {what}, found {value!r}.") from None
    elif kind == "bool":
        if value.lower() not in ("true", "yes", "1", "false", "no", "0"):
            raise ValueError(f"{name} is true or false, found {value!r}.")
    elif value not in kind.split("|"):
        raise ValueError(f"{name} is one of {', '.join(kind.split('|'))}; found {value!r}.")
