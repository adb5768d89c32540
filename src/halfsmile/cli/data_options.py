"""Options and small steps that the commands of ``halfsmile data`` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from halfsmile.utils.console import make_console, plain

if TYPE_CHECKING:
    from halfsmile.data.manifest import Manifest
    from halfsmile.taxonomy import Taxonomy

Layout = Annotated[
    Literal[
        "manifest",
        "store",
        "recordio",
        "parquet_images",
        "ferplus",
        "rafdb",
        "affectnet",
        "affwild2",
        "sequences",
        "lfw",
        "table",
        "class_folders",
        "folder",
    ]
    | None,
    tyro.conf.arg(metavar="LAYOUT", help_behavior_hint="(default: recognized)"),
]
LabelRule = Annotated[
    Literal["argmax", "argmax8", "majority", "probability", "multi_target"] | None,
    tyro.conf.arg(metavar="RULE", help_behavior_hint="(default: argmax)"),
]
OptionalFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")]
TaxonomyName = Annotated[
    str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: that of the data)")
]
SourceNames = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE [SOURCE ...]")]
Renames = Annotated[
    tuple[str, ...], tyro.conf.arg(metavar="OLD=NEW [OLD=NEW ...]", help_behavior_hint="(default: none)")
]
SplitName = Annotated[
    Literal["train", "valid", "test"] | None,
    tyro.conf.arg(metavar="{train,valid,test}", help_behavior_hint="(default: they stay without)"),
]
Flag = tyro.conf.FlagCreatePairsOff[bool]


def say(text: str) -> None:
    """Print one line, however long."""
    make_console().print(text, soft_wrap=True)


def say_without_split(manifest: Manifest) -> None:
    """Say how many labeled rows no training and no test will take."""
    if count := manifest.without_split():
        say(
            f"{count:,} labeled rows have no split, so training and testing leave them out; give them one, "
            "for example with --split train of `halfsmile data import` or `data merge`."
        )


def silence_opencv() -> None:
    """Keep OpenCV from writing about damaged pictures: they are counted and listed anyway."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def reader_options(label_rule: str | None) -> dict[str, Any]:
    """What a reader is told beside the path."""
    return {} if label_rule is None else {"rule": label_rule}


def read(path: Path, layout: str | None, label_rule: str | None) -> Manifest:
    """Read a data set.

    Raises:
        ValueError: If it can't be read, or a label rule is given for anything but FERPlus.
    """
    from halfsmile.data.readers.registry import read_any

    require_rule_fits([path], layout, label_rule)
    return read_any(path, layout, **reader_options(label_rule))


def require_rule_fits(paths: Sequence[Path], layout: str | None, label_rule: str | None) -> None:
    """Refuse a label rule for data sets that have none.

    Raises:
        ValueError: If there is one, and a data set is not FERPlus.
    """
    if label_rule is None:
        return
    from halfsmile.data.readers.registry import recognize

    for path in paths:
        found = layout or recognize(path).name
        if found != "ferplus":
            raise ValueError(f"A label rule is for FERPlus, but {path} is read as {found}.")


def taxonomy_named(text: str | None) -> Taxonomy | None:
    """A known taxonomy, or one of the labels in the text with commas between; None for None.

    Raises:
        ValueError: If it is neither.
    """
    from halfsmile.taxonomy import TAXONOMIES, from_labels

    if text is None or text in TAXONOMIES:
        return None if text is None else TAXONOMIES[text]
    if "," not in text:
        raise ValueError(
            f"Taxonomy {text!r} is unknown; known are {', '.join(TAXONOMIES)}, or give the labels "
            "with commas between."
        )
    return from_labels(label.strip() for label in text.split(","))


def renames(texts: Sequence[str], source: str | None = None) -> dict[str, str | None]:
    """``old=new`` and ``old=none`` as a dictionary; ``source:old=new`` counts for that source only.

    Raises:
        ValueError: If a text is not of that form.
    """
    found: dict[str, str | None] = {}
    for text in texts:
        left, equals, new = text.partition("=")
        owner, colon, old = left.rpartition(":")
        if not equals or not old or not new:
            raise ValueError(f"Can't read the rename {text!r}: give old=new, or old=none to drop.")
        if not colon or owner == source:
            found[old] = None if new.lower() == "none" else new
    return found


def named_path(text: str) -> tuple[str, Path]:
    """``name=path``, or a path that is named after its last part.

    Example:
        >>> named_path("rafdb=/data/RAF-DB")
        ('rafdb', PosixPath('/data/RAF-DB'))
    """
    name, equals, path = text.partition("=")
    if equals and "/" not in name and not Path(text).exists():
        return name, Path(path)
    return Path(text).resolve().stem, Path(text)


def roles_table(manifest: Manifest, roles: Sequence[str], names: Sequence[str]) -> Any:
    """How many faces of each class have which role."""
    from collections import Counter

    from rich.table import Table

    labels = [label or "no label" for label in manifest.column("label")]
    counts: Mapping[tuple[str, str], int] = Counter(zip(labels, roles, strict=True))
    table = Table("class", *(name.replace("_", " ") for name in names))
    rows = [*manifest.counts(), *(["no label"] if "no label" in labels else [])]
    for label in rows:
        table.add_row(*plain((label, *(f"{counts[label, name]:,}" for name in names))))
    table.add_row("all", *(f"{list(roles).count(name):,}" for name in names), style="bold")
    return table
