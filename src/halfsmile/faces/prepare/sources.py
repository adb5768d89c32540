"""What is to be prepared: pictures and videos, or the rows of a data set with what it says of each face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from halfsmile.data.exchange.label_names import read_named
from halfsmile.data.manifest import SCHEMA, LeftOut, Manifest, UnreadLabelsError
from halfsmile.data.readers.recognition.recognize import PICTURES_AND_VIDEOS, labels_of_videos
from halfsmile.data.readers.registry import read_any, recognize
from halfsmile.data.readers.unread.signs import note_on_names, tables_beside
from halfsmile.data.readers.videos import are_videos, bare
from halfsmile.data.tables.intervals import any_video, names_video, split_interval
from halfsmile.faces import sources as files
from halfsmile.taxonomy import Taxonomy

_BLOCK = 4096
_ALIKE = (
    "Faces of one video are alike: keep them together, `halfsmile data split … --by video` or --by person."
)
_OF_VIDEOS = (
    "what is said of a video is said of the largest face in each of its frames, also before the expression "
    f"begins and after it ends. {_ALIKE}"
)
_OF_PARTS = f"what is said of a part of a video is said of the largest face in each of its frames. {_ALIKE}"
_SAID = tuple(name for name in SCHEMA.names if name not in ("image", "sha256"))


@dataclass(frozen=True, slots=True)
class FaceSource:
    """A picture or a video.

    Args:
        name: Unique in the store: the path as it was given, and what lies below.
        root: Folder or archive that ``locator`` is relative to; of a video, its file.
        locator: Of a picture.
        is_video: Whether it is a video.
        said: What a data set says of the face in a picture, or of those in a video: columns of the manifest
            that are not null.
        start: Of a video, from when on it is meant, in seconds.
        end: Until when; None for its end.
    """

    name: str
    root: Path
    locator: str = ""
    is_video: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class FaceSources:
    """All sources, in the order in which they are prepared.

    Args:
        parts: One after the other.
        taxonomy: Classes of the labels; None where nothing is labeled.
        notes: What was found and what was ignored, for people.
    """

    parts: tuple[Collection[FaceSource], ...]
    taxonomy: Taxonomy | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def has_videos(self) -> bool:
        """Whether some are videos."""
        return any(
            part.has_videos if isinstance(part, Rows) else any(source.is_video for source in part)
            for part in self.parts
        )

    def __iter__(self) -> Iterator[FaceSource]:
        for part in self.parts:
            yield from part


class Rows(Collection[FaceSource]):
    """The rows of a manifest as sources, made when they are asked for: there may be millions.

    A picture that several rows name is a source for each; the later ones have a number behind their name.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        values, counts = pc.value_counts(manifest.table["image"]).flatten()
        self._repeated = set(values.filter(pc.greater(counts, 1)).to_pylist())

    @property
    def has_videos(self) -> bool:
        """Whether rows name whole videos."""
        return any_video(self._manifest.table["image"])

    def __len__(self) -> int:
        return len(self._manifest)

    def __contains__(self, source: object) -> bool:
        return any(source == own for own in self)

    def __iter__(self) -> Iterator[FaceSource]:
        root = Path(self._manifest.root)
        prefix = f"{root}!" if root.is_file() else f"{root.as_posix()}/"
        seen: Counter[str] = Counter()
        for batch in self._manifest.table.to_batches(max_chunksize=_BLOCK):
            for row in batch.to_pylist():
                locator = row["image"]
                name = prefix + locator
                if locator in self._repeated:
                    seen[locator] += 1
                    name += f" ({seen[locator]})" if seen[locator] > 1 else ""
                said = {n: row[n] for n in _SAID if row[n] is not None}
                if names_video(locator):
                    file, start, end = split_interval(locator)
                    yield FaceSource(name, root / file, is_video=True, said=said, start=start, end=end)
                else:
                    yield FaceSource(name, root, locator, said=said)


def find(
    names: Sequence[str | Path],
    /,
    *,
    layout: str | None = None,
    leave_out: Sequence[Path] = (),
    **options: Any,
) -> FaceSources:
    """Everything behind some names.

    What :func:`~halfsmile.data.readers.registry.recognize` takes for a data set is read by its reader, so
    that labels, people, splits, boxes and landmarks are kept. Everything else is searched for pictures,
    archives and videos, see :mod:`halfsmile.faces.sources`.

    Args:
        names: Files, folders, archives, patterns, data sets.
        layout: Of all names, one of :data:`~halfsmile.data.readers.registry.LAYOUTS`; ``folder`` takes the
            pictures and videos and nothing else. None recognizes each.
        leave_out: Folders whose contents are left out, except files that are named themselves.
        options: For the reader.

    Raises:
        ValueError: If a name stands for nothing or for a camera or a stream, a data set can't be read, or two
            of them have different classes.
    """
    parts: list[Collection[FaceSource]] = []
    notes: list[str] = []
    taxonomies: dict[str, Taxonomy] = {}
    for name in dict.fromkeys(map(str, names)):
        manifest = _data_set(Path(name), layout, options, notes)
        if manifest is None:
            parts.append(_files(name, leave_out, notes))
            continue
        rows = Rows(manifest)
        parts.append(rows)
        notes += [f"{name}: {note}" for note in manifest.notes]
        if rows.has_videos and manifest.taxonomy is not None:
            are_parts = any(split_interval(video)[0] != video for video in manifest.column("image"))
            notes.append(f"{name}: {_OF_PARTS if are_parts else _OF_VIDEOS}")
        if manifest.taxonomy is not None:
            taxonomies[name] = manifest.taxonomy
    if len({taxonomy.labels for taxonomy in taxonomies.values()}) > 1:
        listed = "\n".join(f"  {name}: {list(taxonomy.labels)}" for name, taxonomy in taxonomies.items())
        raise ValueError(
            f"One store has one list of classes, but these differ:\n{listed}\nPrepare a store from each, and "
            "merge them with `halfsmile data merge`."
        )
    sources = FaceSources(_once(parts), next(iter(taxonomies.values()), None), tuple(notes))
    if not len(sources):
        raise ValueError("Name at least one picture, video, folder, archive or data set.")
    return sources


def _data_set(
    path: Path, layout: str | None, options: Mapping[str, Any], notes: list[str]
) -> Manifest | None:
    """The rows of a data set; None for plain pictures and videos."""
    tells_names = options.get("names") is not None
    if (layout == "folder" and not tells_names) or not path.exists():
        return None
    if layout is not None:
        return read_named(path, layout, videos=True, **options)
    try:
        found = recognize(path)
    except ValueError:
        found = None
    if (found is None or found.name != "videos") and not tells_names and labels_of_videos(path):
        raise ValueError(f"{path}: {PICTURES_AND_VIDEOS} To take all without labels: --unlabeled.")
    if found is None and are_videos(path):
        if tells_names:
            return read_any(path, videos=True, **options)
        notes += [f"{path}: {note}" for note in note_on_names(bare(path), "videos")]
        if beside := tables_beside(path):
            notes.append(
                f"{path}: {', '.join(beside)} lie beside and were not read; give its path to read one."
            )
    if found is None:
        return None
    if found.name == "folder" and not tells_names:
        plain = read_any(path, **options)  # which refuses to pass labels over
        notes += [f"{path}: {note}" for note in plain.notes if isinstance(note, LeftOut)]
        return None
    guess = "" if found.is_certain else "perhaps "
    notes.append(f"{path}: {guess}{found.name}, for {found.reason}.")
    try:
        return read_named(path, videos=True, **options)
    except UnreadLabelsError:
        raise
    except ValueError as error:
        raise ValueError(f"{error} To take the pictures without labels: --unlabeled.") from error


def _files(name: str, leave_out: Sequence[Path], notes: list[str]) -> list[FaceSource]:
    found = files.find_sources([name], leave_out=leave_out)
    if live := [item.name for item in found.items if item.is_live]:
        raise ValueError(f"{live[0]} has no end; record it into a file first.")
    notes += [f"{name}: {note}" for note in found.notes]
    if found.ignored:
        first, reason = found.ignored[0]
        notes.append(f"{name}: {len(found.ignored)} files were ignored, first {first} ({reason}).")
    return [
        FaceSource(item.name, Path(item.name), is_video=True)
        if item.kind == "video"
        else FaceSource(item.name, item.root, item.locator)
        for item in found.items
    ]


def _once(parts: Sequence[Collection[FaceSource]]) -> tuple[Collection[FaceSource], ...]:
    """The parts without sources that an earlier part has."""
    if len(parts) == 1:
        return tuple(parts)
    seen: set[str] = set()
    kept: list[Collection[FaceSource]] = []
    for part in parts:
        names = [source.name for source in part]
        is_new = [name not in seen for name in names]
        seen.update(names)
        fresh = part if all(is_new) else [s for s, new in zip(part, is_new, strict=True) if new]
        kept.append(fresh)
    return tuple(kept)
