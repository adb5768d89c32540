"""Options and small steps that the commands of ``halfsmile data`` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

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
        "fer2013",
        "rafdb",
        "affectnet",
        "affwild2",
        "sequences",
        "lfw",
        "coco",
        "yolo",
        "voc",
        "sidecars",
        "videos",
        "table",
        "class_folders",
        "folder",
    ]
    | None,
    tyro.conf.arg(metavar="LAYOUT", help_behavior_hint="(default: recognized)"),
]
DataSetOf = Literal["ferplus", "rafdb", "affectnet", "affwild2", "sequences"]
PUBLISHED: dict[str | None, DataSetOf] = {name: name for name in get_args(DataSetOf)}
"""Data sets by the layouts whose name is that of a protocol, too."""
LabelRule = Annotated[
    Literal["argmax", "argmax8", "majority", "probability", "multi_target"] | None,
    tyro.conf.arg(metavar="RULE", help_behavior_hint="(default: argmax)"),
]
TaxonomyName = Annotated[
    str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: that of the data)")
]
SourceNames = Annotated[
    tuple[str, ...],
    tyro.conf.Positional,
    tyro.conf.arg(metavar="SOURCE [SOURCE ...]", help_behavior_hint="(required)"),
]
Renames = Annotated[
    tuple[str, ...], tyro.conf.arg(metavar="OLD=NEW [OLD=NEW ...]", help_behavior_hint="(default: none)")
]
SplitName = Annotated[
    Literal["train", "valid", "test"] | None,
    tyro.conf.arg(metavar="{train,valid,test}", help_behavior_hint="(default: they stay without)"),
]
OptionalShare = Annotated[str | None, tyro.conf.arg(metavar="SHARE", help_behavior_hint="(default: none)")]
Flag = tyro.conf.FlagCreatePairsOff[bool]


def say(text: str) -> None:
    """Print one line, however long."""
    make_console().print(text, soft_wrap=True)


def say_people_known(manifest: Manifest, by: str | None) -> None:
    """Say that a draw may keep each person in one part, where people are known and it did not."""
    if by is None and any(manifest.column("person")):
        say("People are known: --by person keeps each in one part, without which scores are too good.")


def say_without_split(manifest: Manifest) -> None:
    """Say how many labeled rows no training and no test will take."""
    if count := manifest.without_split():
        say(
            f"{count:,} labeled rows have no split, so training and testing leave them out; give them one: "
            "--split train of `halfsmile data import` or `data merge` beside data with a test split, else "
            "`halfsmile data split … --test 20%` or --test 20% of `halfsmile train`."
        )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a data set is read, where that can't be known.

    Args:
        layout: How to read it, if it is taken for something else.
        label_rule: How the ten votes for a face of FERPlus become its label; docs/train.md has the rules.
        columns: Of a table: image=pth label=mood box=x,y,w,h. Nothing behind the = leaves a part out.
        label_names: What labels or numbers of folders mean: 0=neutral 1=happiness; 9=none drops them, and a
            class that no face has. Or a published order: rafdb, affectnet7, affectnet8, fer2013, ferplus,
            ckplus.
        box: Whether the four numbers of a table's box are two corners or a corner, width and height.
        splits: What a table's column or folders call the splits: 0=train 1=valid 2=test; 3=none is in none.
        from_names: What the names of pictures tell: a pattern as '{person}_{label}_*', or of folders as
            in '{person}/{label}/*', of {label}, {person}, {video}, {frame} and {split}, with * for anything
            else and {label:2} for two letters; a regular expression with groups (?P<label>…); the name of a
            data set whose way is known (kdef, jaffe, rafd, ravdess, crema-d, nimstim, faces); or words, for
            words of expressions.
    """

    layout: Layout = None
    label_rule: LabelRule = None
    columns: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="PART=COLUMN [PART=COLUMN ...]", help_behavior_hint="(default: recognized)"),
    ] = ()
    label_names: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="LABEL=NAME [LABEL=NAME ...]", help_behavior_hint="(default: as they are)"),
    ] = ()
    box: Annotated[
        Literal["xyxy", "xywh", "cxcywh"] | None,
        tyro.conf.arg(
            metavar="{xyxy,xywh,cxcywh}", help_behavior_hint="(default: what the columns' names say)"
        ),
    ] = None

    splits: Annotated[
        tuple[str, ...],
        tyro.conf.arg(metavar="NAME=SPLIT [NAME=SPLIT ...]", help_behavior_hint="(default: as they are)"),
    ] = ()
    from_names: Annotated[
        str | None, tyro.conf.arg(metavar="PATTERN", help_behavior_hint="(default: nothing)")
    ] = None

    def reader_options(self) -> dict[str, Any]:
        """What a reader is told beside the path.

        Raises:
            ValueError: If an option can't be understood.
        """
        options: dict[str, Any] = {}
        if self.label_rule is not None:
            options["rule"] = self.label_rule
        if self.columns:
            options["columns"] = columns(self.columns)
        if self.label_names:
            options["labels"] = label_names(self.label_names)
        if self.box is not None:
            options["box"] = self.box
        if self.splits:
            options["splits"] = split_names(self.splits)
        if self.from_names is not None:
            options["names"] = self.from_names
        return options

    def is_said(self) -> bool:
        """Whether anything but a label rule says how to read."""
        return self.layout is not None or bool(self.reader_options().keys() - {"rule"})

    def read(self, path: Path) -> Manifest:
        """Read a data set.

        Raises:
            ValueError: If it can't be read, or an option is given that it has no use for.
        """
        from halfsmile.data.exchange.label_names import read_named

        require_rule_fits([path], self.layout, self.label_rule)
        return read_named(path, self.layout, **self.reader_options())


def columns(texts: Sequence[str]) -> dict[str, str | tuple[str, ...]]:
    """``part=column`` and ``part=column,column`` as a dictionary.

    Raises:
        ValueError: If a text is not of that form.

    Example:
        >>> columns(["image=pth", "box=x,y,w,h", "label="])
        {'image': 'pth', 'box': ('x', 'y', 'w', 'h'), 'label': ''}
    """
    found: dict[str, str | tuple[str, ...]] = {}
    for text in texts:
        part, equals, names = text.partition("=")
        if not equals or not part:
            raise ValueError(
                f"Can't read the column {text!r}: give part=column, as in image=pth or box=x,y,w,h."
            )
        found[part] = tuple(names.split(",")) if "," in names else names
    return found


def label_names(texts: Sequence[str]) -> dict[str, str | None]:
    """``label=name`` as a dictionary, with commas or blanks between; a published order by its name.

    Raises:
        ValueError: If a text is not of that form.

    Example:
        >>> label_names(["0=neutral,1=happiness", "9=none"])
        {'0': 'neutral', '1': 'happiness', '9': None}
        >>> label_names(["rafdb"])["4"]
        'happiness'
    """
    from halfsmile.data.readers.words import NUMBERINGS

    found: dict[str, str | None] = {}
    for text in (part for given in texts for part in given.split(",") if part.strip()):
        old, equals, new = text.strip().partition("=")
        if not equals and old in NUMBERINGS:
            found |= NUMBERINGS[old]
        elif not old or not new:
            raise ValueError(
                f"Can't read the label name {text!r}: give label=name, as in 0=neutral, label=none to drop, "
                f"or one of {', '.join(NUMBERINGS)}."
            )
        else:
            found[old] = None if new.lower() == "none" else new
    return found


def split_names(texts: Sequence[str]) -> dict[str, str | None]:
    """``name=split`` as a dictionary, with commas or blanks between.

    Raises:
        ValueError: If a text is not of that form, or names no split.

    Example:
        >>> split_names(["0=train,1=val", "2=none"])
        {'0': 'train', '1': 'valid', '2': None}
    """
    from halfsmile.data.readers.words import split_of

    found: dict[str, str | None] = {}
    for text in (part for given in texts for part in given.split(",") if part.strip()):
        name, equals, said = text.strip().rpartition("=")
        split = split_of(said)
        if not equals or not name or (split is None and said.lower() != "none"):
            raise ValueError(
                f"Can't read the split {text.strip()!r}: give name=train, name=valid, name=test or name=none."
            )
        found[name] = split
    return found


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


def share(text: str | None) -> float:
    """``20%`` or ``0.2`` as a number; 0 for None.

    Raises:
        ValueError: If it is neither.

    Example:
        >>> share("20%"), share("0.25"), share(None)
        (0.2, 0.25, 0.0)
    """
    if text is None:
        return 0.0
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"A share is given as 20% or 0.2, found {text!r}.") from None


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
