"""Face-recognition sets in RecordIO, as InsightFace gives them out (MS1M, Glint360K, WebFace …).

``train.rec`` holds the records, ``train.idx`` the key and the offset of each, and ``property`` (optional) the
number of people and the size of the pictures. A record's label is the number of a person; these sets know
no expressions. See :mod:`halfsmile.data.containers.recordio` for the format.

Record 0 may be a header with two labels: one more than the key of the last picture, and one more than the
key of the last identity. The records of identities hold no picture but the range of keys of one person's
pictures. Where these ranges cover all pictures, two headers a person are read instead of one a picture.
Labels are float32: above 2²⁴ they no longer are exact, and every picture's own header is read.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from halfsmile.data.containers.open_file import OpenFile
from halfsmile.data.containers.recordio import (
    FRAME,
    HEADER,
    LENGTH_BITS,
    MAGIC,
    PAYLOAD_LIMIT,
    read_payload,
    unpack,
)
from halfsmile.data.manifest import Manifest
from halfsmile.utils.progress import Progress

Integers = npt.NDArray[np.int64]

_EXACT = 1 << 24
_CHUNK = 1 << 16
_STRINGS = 1 << 22
_HEAD = FRAME.size + HEADER.size + 4


def read(root: Path, *, progress: bool = True) -> Manifest:
    """Read the index of a RecordIO file; pictures are not touched.

    Args:
        root: A ``.rec`` file, or a folder that holds exactly one. Without its ``.idx`` the file is walked
            through from record to record.
        progress: Show progress on standard error when it takes more than two seconds.

    Returns:
        Rows in the order of the file with ``image`` (offset of the record) and ``person`` (the label).
        Records without a picture, cut short or damaged are left out and counted in the notes.

    Raises:
        ValueError: If there is no such file, its index is damaged, or no record holds a picture.
    """
    path = _rec_file(Path(root))
    file = OpenFile(path.open("rb"))
    index = path.with_suffix(".idx")
    notes: list[str] = []
    if index.is_file():
        keys, offsets = _read_index(index)
    else:
        notes.append(f"{path.name} has no {index.name}; the records were found by walking through the file.")
        keys, offsets = _walk(file, path.name, notes, progress)
    found = _by_identity(file, keys, offsets) or _by_record(path, file, offsets, progress)
    if not len(found.offsets):
        raise ValueError(
            f"{path} has {len(offsets):,} records and none holds a picture ({found.damaged:,} are damaged or "
            f"cut short). Is {index.name} the index of this file?"
        )
    if found.damaged:
        notes.append(f"{found.damaged:,} records of {path.name} are damaged or cut short and were left out.")
    if found.without_picture:
        notes.append(f"{found.without_picture:,} records of {path.name} are headers without a picture.")
    is_person = np.isfinite(found.labels) & (found.labels == np.rint(found.labels))
    if not is_person.all():
        notes.append(f"{int((~is_person).sum()):,} labels are no whole numbers; these rows have no person.")
    people = np.where(is_person, found.labels, 0).astype(np.int64)
    notes += _compare_with_property(path.with_name("property"), len(np.unique(people[is_person])))
    columns = {
        "image": _strings(found.offsets, prefix=f"{path.name}@"),
        "person": _strings(people, missing=~is_person),
    }
    return Manifest.from_columns(columns, path.parent, None, notes)


@dataclass(frozen=True)
class _Found:
    """Offsets of the records with a picture in the order of the file, and their labels (float32)."""

    offsets: Integers
    labels: npt.NDArray[np.float32]
    without_picture: int
    damaged: int


def _rec_file(root: Path) -> Path:
    if root.is_file():
        return root
    files = sorted(root.glob("*.rec"))
    if len(files) != 1:
        raise ValueError(
            f"{root} holds {len(files)} .rec files {[file.name for file in files[:9]]}; name one of them."
        )
    return files[0]


def _read_index(path: Path) -> tuple[Integers, Integers]:
    """Keys and offsets in the order of the offsets, each offset once."""
    try:
        table = pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(column_names=["key", "offset"]),
            parse_options=pa_csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=pa_csv.ConvertOptions(column_types={"key": pa.int64(), "offset": pa.int64()}),
        )
    except (OSError, pa.ArrowException) as error:
        raise ValueError(
            f"{path} is no index: its lines are a key, a tab and an offset ({error})."
        ) from error
    if table["key"].null_count or table["offset"].null_count:
        raise ValueError(f"{path} is no index: a key or an offset is missing.")
    keys, offsets = (np.asarray(table[name].to_numpy(), np.int64) for name in ("key", "offset"))
    if offsets.min() < 0:
        raise ValueError(f"{path} is no index: it has the offset {offsets.min()}.")
    offsets, first = np.unique(offsets, return_index=True)
    return keys[first], offsets


def _walk(file: OpenFile, name: str, notes: list[str], progress: bool) -> tuple[Integers, Integers]:
    """Offsets of all records, found from one to the next; damage ends the walk and is noted."""
    offsets: list[int] = []
    offset = 0
    with Progress(f"reading {name} (MiB)", total=file.length >> 20, active=progress) as shown:
        while frame := file.read(offset, FRAME.size):
            magic, packed = FRAME.unpack(frame) if len(frame) == FRAME.size else (0, 0)
            if magic != MAGIC:
                notes.append(
                    f"{name} is damaged at byte {offset:,} of {file.length:,}; the rest was not read."
                )
                break
            if packed >> LENGTH_BITS in (0, 1):
                offsets.append(offset)
            offset += FRAME.size + -(-(packed & (PAYLOAD_LIMIT - 1)) // 4) * 4
            if len(offsets) % _CHUNK == 0:
                shown.advance((offset >> 20) - shown.done)
    found = np.array(offsets, np.int64)
    return np.full(len(found), -1, np.int64), found


def _by_identity(file: OpenFile, keys: Integers, offsets: Integers) -> _Found | None:
    """Labels from the identities' ranges; None where there are none, or they don't fit the pictures."""
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    if not len(keys) or not np.array_equal(sorted_keys, np.arange(len(keys))):
        return None
    by_key = offsets[order]
    try:
        header = _labels(file, by_key[0])
        end = int(header[0]) if len(header) == 2 else 0
        if not (1 < end < len(keys) == header[1] <= _EXACT):
            return None
        ranges = np.array([_labels(file, offset) for offset in by_key[end:]], np.int64)
        ranges = ranges[ranges[:, 0] < ranges[:, 1]]
        ranges = ranges[np.argsort(ranges[:, 0])]
        edges = np.concatenate([[1], ranges[:, 1]])
        if not (np.array_equal(ranges[:, 0], edges[:-1]) and edges[-1] == end):
            return None
        first, last = (
            np.array([_labels(file, offset)[0] for offset in by_key[at]], np.float32)
            for at in (ranges[:, 0], ranges[:, 1] - 1)
        )
    except (ValueError, IndexError, OverflowError):
        return None
    if not np.array_equal(first, last):
        return None
    labels = np.repeat(first, ranges[:, 1] - ranges[:, 0])
    in_file = np.argsort(by_key[1:end], kind="stable")
    return _Found(by_key[1:end][in_file], labels[in_file], len(keys) - end + 1, 0)


def _labels(file: OpenFile, offset: int) -> tuple[float, ...]:
    """Labels of a record; its picture is read only where the record is divided, which is rare."""
    head = file.read(int(offset), _HEAD + 4)
    if len(head) < _HEAD:
        raise ValueError(f"the record at byte {offset} is cut short")
    magic, packed = FRAME.unpack_from(head)
    count = HEADER.unpack_from(head, FRAME.size)[0]
    length = packed & (PAYLOAD_LIMIT - 1)
    if magic == MAGIC and packed >> LENGTH_BITS == 0 and count <= 2 and length >= HEADER.size + 4 * count:
        if offset + FRAME.size + length > file.length:
            raise ValueError(f"the record at byte {offset} is cut short")
        return unpack(head[FRAME.size : FRAME.size + length])[0]
    return unpack(read_payload(file.read, int(offset))[0])[0]


def _by_record(path: Path, file: OpenFile, offsets: Integers, progress: bool) -> _Found:
    """Labels from every record's own header, in constant memory."""
    labels = np.zeros(len(offsets), np.float32)
    has_picture, is_damaged = np.zeros((2, len(offsets)), np.bool_)
    if file.length < _HEAD:
        return _Found(offsets[:0], labels[:0], 0, len(offsets))
    with (
        path.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        Progress("reading the headers of records", total=len(offsets), active=progress) as shown,
    ):
        if hasattr(mmap, "MADV_RANDOM"):
            mapped.madvise(mmap.MADV_RANDOM)
        for start in range(0, len(offsets), _CHUNK):
            rows = slice(start, start + _CHUNK)
            labels[rows], has_picture[rows], is_damaged[rows] = _headers(mapped, file, offsets[rows])
            if hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)
            shown.advance(len(offsets[rows]))
    headers = ~has_picture & ~is_damaged
    return _Found(offsets[has_picture], labels[has_picture], int(headers.sum()), int(is_damaged.sum()))


def _headers(
    mapped: mmap.mmap, file: OpenFile, offsets: Integers
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """First label, whether there is a picture, and whether it is damaged, of some records."""
    places = np.minimum(offsets, file.length - _HEAD)[:, None] + np.arange(_HEAD)
    words = np.frombuffer(mapped, np.uint8)[places].view("<u4")
    flag, length = words[:, 1] >> LENGTH_BITS, (words[:, 1] & (PAYLOAD_LIMIT - 1)).astype(np.int64)
    count = words[:, 2].astype(np.int64)
    labels = np.where(count == 0, words[:, 3], words[:, 8]).astype("<u4").view("<f4").astype(np.float32)
    needed = HEADER.size + 4 * count
    is_whole = (words[:, 0] == MAGIC) & (flag == 0) & (offsets + FRAME.size + length <= file.length)
    is_whole &= (length >= needed) & (offsets <= file.length - _HEAD)
    has_picture = is_whole & (length > needed)
    is_damaged = ~is_whole
    for row in np.flatnonzero(is_damaged):
        try:
            found, picture = unpack(read_payload(file.read, int(offsets[row]))[0])
        except ValueError:
            continue
        labels[row] = found[0]
        has_picture[row], is_damaged[row] = bool(picture), False
    return labels, has_picture, is_damaged


def _compare_with_property(path: Path, people: int) -> list[str]:
    """A note where the file ``property`` (people, height, width) names another number of people."""
    try:
        claimed = int(path.read_text(encoding="ascii").split(",")[0])
    except (OSError, ValueError):
        return []
    return (
        [f"{path.name} names {claimed:,} people, the records have {people:,}."] if claimed != people else []
    )


def _strings(
    numbers: Integers, *, prefix: str = "", missing: npt.NDArray[np.bool_] | None = None
) -> pa.ChunkedArray:
    """Whole numbers as text behind a prefix, in chunks since Arrow's text arrays end at 2 GiB."""
    chunks = []
    for start in range(0, len(numbers), _STRINGS):
        rows = slice(start, start + _STRINGS)
        text = pa.array(numbers[rows], mask=None if missing is None else missing[rows]).cast(pa.string())
        chunks.append(pc.binary_join_element_wise(pa.scalar(prefix), text, "") if prefix else text)
    return pa.chunked_array(chunks, type=pa.string())
