"""The layouts that there are, and what a path was recognized as."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from halfsmile.data.readers import rafdb
from halfsmile.data.tables.rows import TABLE_SUFFIXES

LAYOUTS = {
    "manifest": "a manifest that halfsmile wrote (.parquet)",
    "store": "a face store (index.parquet and tar shards)",
    "recordio": "InsightFace RecordIO (.rec and .idx)",
    "parquet_images": "Parquet files with the pictures in their cells",
    "ferplus": "FERPlus (fer2013.csv and fer2013new.csv, or FER2013Train …)",
    "fer2013": "FER2013 (a table with the columns emotion and pixels)",
    "rafdb": f"RAF-DB ({rafdb.LIST})",
    "affectnet": "AffectNet (training.csv, or train_set/annotations)",
    "affwild2": "Aff-Wild2 (EXPR_…_Challenge/Train_Set)",
    "sequences": "sequences of frames (frames.csv)",
    "lfw": "Labeled Faces in the Wild (<person>/<person>_0001.jpg)",
    "coco": "annotations in COCO's JSON",
    "yolo": "YOLO's text files with boxes, one a picture",
    "voc": "Pascal VOC's XML files, one a picture",
    "sidecars": "a file with the label for each picture",
    "videos": "videos with labels, in folders named after them or in a table",
    "table": f"a table of faces ({', '.join(TABLE_SUFFIXES)})",
    "class_folders": "folders named after labels, in a folder or an archive",
    "folder": "pictures without labels, in a folder or an archive",
}
"""Layouts by name; each but the first two is a module of :mod:`halfsmile.data.readers` or ``annotations``."""


@dataclass(frozen=True)
class Layout:
    """What a path holds.

    Args:
        name: One of :data:`LAYOUTS`.
        root: What to give to the reader: the path, or a folder below that the path only wraps.
        reason: Why this layout, for people.
        is_certain: Whether files of its own tell the layout; False for a guess by folder names.
        tables: Of the layout ``table``, those in or below a folder or archive.
        has_rafdb_names: Whether the pictures that were looked at are named as RAF-DB's are.
    """

    name: str
    root: Path
    reason: str
    is_certain: bool = True
    tables: tuple[Path, ...] = ()
    has_rafdb_names: bool = False
