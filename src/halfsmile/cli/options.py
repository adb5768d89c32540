"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

Model = Annotated[
    Path | None, tyro.conf.arg(metavar="MODEL", help_behavior_hint="(default: the model in the box)")
]
"""An exported ONNX file, or the folder of a run that was exported."""

ModelThreads = Annotated[
    int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: one for each processor)")
]
PredictDevice = Literal[
    "auto", "cpu", "cuda", "tensorrt", "rocm", "migraphx", "directml", "coreml", "openvino"
]
OptionalFolder = Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(default: none)")]
OptionalFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")]
RunFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
Store = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="STORE")]
DataPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
Table = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TABLE")]
Paths = Annotated[
    tuple[Path, ...], tyro.conf.arg(metavar="PATH [PATH ...]", help_behavior_hint="(default: none)")
]

Device = Annotated[
    Literal["cpu", "cuda", "mps"] | None,
    tyro.conf.arg(metavar="{cpu,cuda,mps}", help_behavior_hint="(default: what is there)"),
]
Text = Annotated[str | None, tyro.conf.arg(metavar="TEXT", help_behavior_hint="(default: the recipe's)")]
DataSetName = Annotated[
    Literal["ferplus", "rafdb", "affectnet", "affwild2", "sequences", "faces"] | None,
    tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: recognized)"),
]
Classes = Annotated[
    Literal[7, 8] | None, tyro.conf.arg(metavar="{7,8}", help_behavior_hint="(default: the data set's)")
]
Threshold = Annotated[
    float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="(default: the model's)")
]
Prior = Annotated[
    str | None, tyro.conf.arg(metavar="{uniform,natural,FILE}", help_behavior_hint="(default: the model's)")
]


def require_paths(**paths: Path | Sequence[Path] | None) -> None:
    """Refuse paths that are not there, before anything slow is imported.

    Args:
        paths: By the option that names them, with ``_`` for ``-``; None is passed over.

    Raises:
        ValueError: With option and path of the first.
    """
    for name, found in paths.items():
        for path in (found,) if isinstance(found, Path) else found or ():
            if not path.exists():
                raise ValueError(f"--{name.replace('_', '-')}: {path} does not exist.")


REGISTRY = ConstructorRegistry()
"""How the parser reads what it would read otherwise."""


@REGISTRY.primitive_rule
def optional_choice(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """One of several words where nothing may be said, too: then ``None`` is no word.

    Args:
        info: The type of an option.

    Returns:
        How it is read; None for other types.
    """
    parts = get_args(info.type)
    kinds = [part for part in parts if part is not NoneType]
    if get_origin(info.type) not in (Union, UnionType) or len(kinds) != 1 or len(parts) != 2:
        return None
    if get_origin(kinds[0]) is not Literal:
        return None
    words = {str(word): word for word in get_args(kinds[0])}
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(words) + "}",
        instance_from_str=lambda given: words[given[0]],
        is_instance=lambda value: value is None or value in words.values(),
        str_from_instance=lambda value: [str(value)],
        choices=tuple(words),
    )
