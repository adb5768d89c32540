"""What the names of pictures tell: label, person, video, frame or split, by a pattern or a published code.

A pattern is a path with placeholders, as ``{person}_{label}_*``, and fits the end of a picture's path:
``*`` stands for anything but ``/``, ``{label}`` for letters or digits, ``{label:2}`` for two characters, and
a placeholder between two ``/`` for the whole name of a folder. A regular expression with named groups does,
too, as ``(?P<label>[A-Z]{2})S?$``; so does the name of a published code, as ``kdef``; ``words`` takes the one
word for an expression in a name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.file_kind import has_video_suffix
from halfsmile.data.folds import with_splits
from halfsmile.data.manifest import LeftOut, Manifest
from halfsmile.data.readers.folder import has_image_suffix
from halfsmile.data.readers.words import EXPRESSIONS, expression_of, split_of, word_in
from halfsmile.data.tables.intervals import split_interval
from halfsmile.data.tables.labels import Classes, settle
from halfsmile.data.tables.values import is_number

PARTS = ("label", "person", "video", "frame", "split")
_HOLDER = re.compile(r"\{(" + "|".join(PARTS) + r")(?::(\d{1,2}))?\}")
_TEMPLATE = re.compile(_HOLDER.pattern + r"|(\*)|(\?)|(/)|([^{}*?/]+)")
_MIN_PICTURES = 8
_MAX_CODES = 12
_TWO_LETTERS = {
    "AF": "fear", "AN": "anger", "CA": "calm", "DI": "disgust", "FE": "fear", "HA": "happiness",
    "NE": "neutral", "SA": "sadness", "SP": "surprise", "SU": "surprise",
}  # fmt: skip
_RAVDESS = ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise")

Told = dict[str, str]


@dataclass(frozen=True)
class Code:
    """How the names of a published data set tell what is seen.

    Args:
        regex: Fits the name without its suffix, in any case.
        labels: Class by the code in the group ``label``.
        title: Of the data set.
    """

    regex: re.Pattern[str]
    labels: Mapping[str, str]
    title: str


def _code(title: str, regex: str, labels: Mapping[str, str]) -> Code:
    return Code(re.compile(regex, re.IGNORECASE), labels, title)


CODES = {
    "kdef": _code(
        "KDEF", r"[AB](?P<person>[FM]\d{2})(?P<label>AF|AN|DI|HA|NE|SA|SU)(S|HL|HR|FL|FR).*", _TWO_LETTERS
    ),
    "jaffe": _code(
        "JAFFE", r"(?P<person>[A-Z]{2})[.-](?P<label>AN|DI|FE|HA|NE|SA|SU)\d+[.-]\d+", _TWO_LETTERS
    ),
    "rafd": _code("RaFD", r"Rafd\d+_(?P<person>\d+)_\w+?_(?:fe)?male_(?P<label>[a-z]+)_\w+", {}),
    "ravdess": _code(
        "RAVDESS",
        r"(?P<video>0[12]-0[12]-(?P<label>0[1-8])-0[12]-0[12]-0[12]-(?P<person>\d{2})).*",
        {f"0{number}": label for number, label in enumerate(_RAVDESS, 1)},
    ),
    "crema-d": _code(
        "CREMA-D",
        r"(?P<video>(?P<person>\d{4})_[A-Z]{3}_(?P<label>ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX?)).*",
        {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral",
         "SAD": "sadness"},
    ),
    "nimstim": _code(
        "NimStim", r"(?P<person>\d{2}[FM])_(?P<label>AN|CA|DI|FE|HA|NE|SA|SP)_(?:O|C|X).*", _TWO_LETTERS
    ),
    "faces": _code(
        "FACES (Max Planck)",
        r"(?P<person>\d{1,3})_[ymo]_[fm]_(?P<label>[adfhns])_[ab]",
        {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "s": "sadness"},
    ),
}  # fmt: skip
"""Published codes by the name that ``--from-names`` takes."""
WORDS = "words"
_WITHOUT = " To take the faces without labels: leave {label} out of the pattern."


@dataclass(frozen=True)
class NamePattern:
    """What is read from the names of pictures.

    Args:
        text: As it was given.
        parts: What it tells, of :data:`PARTS`.
        tell: The parts of one path below the root; None where it does not fit.
        labels: Class by the code that a published data set has for it.
    """

    text: str
    parts: tuple[str, ...]
    tell: Callable[[str], Told | None] = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)


def name_pattern(text: str) -> NamePattern:
    """Understand a pattern, a regular expression or the name of a code.

    Raises:
        ValueError: If it is none of these, or tells nothing.

    Example:
        >>> name_pattern("{person}_{label}_*").tell("faces/S1_happy_03.png")
        {'person': 'S1', 'label': 'happy'}
        >>> name_pattern("kdef").tell("AF01HAS.JPG")
        {'person': 'F01', 'label': 'HA'}
    """
    if text.casefold() == WORDS:
        return NamePattern(text, ("label",), lambda path: _word(PurePosixPath(path).stem))
    if code := CODES.get(text.casefold()):
        return NamePattern(
            text,
            tuple(code.regex.groupindex),
            lambda path: _told(code.regex.fullmatch(PurePosixPath(path).stem)),
            {letters.casefold(): label for letters, label in code.labels.items()},
        )
    if _HOLDER.search(text):
        return _of_template(text)
    if "(" in text:
        return _of_regex(text)
    raise ValueError(
        f"Can't read the pattern of names {text!r}: give one as '{{person}}_{{label}}_*' with placeholders "
        f"of {', '.join(PARTS)}, a regular expression with such groups as (?P<label>…), or one of "
        f"{', '.join((WORDS, *CODES))}."
    )


def _of_regex(text: str) -> NamePattern:
    try:
        regex = re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression ({error}).") from error
    if not regex.groupindex and regex.groups == 1:
        return NamePattern(text, ("label",), lambda path: _first(regex, path))
    parts = tuple(regex.groupindex)
    if not parts or set(parts) - set(PARTS):
        raise ValueError(
            f"The groups of {text!r} are named {', '.join(parts) or 'nothing'}; name them of "
            f"{', '.join(PARTS)}, as in (?P<label>[a-z]+)."
        )
    return NamePattern(text, parts, lambda path: _told(regex.search(_stem(path)) or regex.search(path)))


def _of_template(text: str) -> NamePattern:
    pieces, parts, position = [], [], 0
    for found in _TEMPLATE.finditer(text):
        if found.start() != position:
            break
        position = found.end()
        part, width, star, mark, slash, plain = found.groups()
        if part is not None:
            if part in parts:
                raise ValueError(f"{text!r} names {part} twice.")
            alone = text[: found.start()][-1:] in ("", "/") and text[position : position + 1] in ("", "/")
            pieces.append(f"(?P<{part}>{_holder(part, width, alone=alone)})")
            parts.append(part)
        else:
            pieces.append("[^/]*?" if star else "[^/]" if mark else "/" if slash else re.escape(plain))
    if position < len(text):
        raise ValueError(
            f"Can't read {text[position:]!r} in the pattern {text!r}: placeholders are "
            f"{', '.join(f'{{{part}}}' for part in PARTS)}."
        )
    regex = re.compile(f"(?:.*/)?{''.join(pieces)}", re.IGNORECASE | re.DOTALL)
    return NamePattern(
        text, tuple(parts), lambda path: _told(regex.fullmatch(_stem(path)) or regex.fullmatch(path))
    )


def _holder(part: str, width: str | None, *, alone: bool) -> str:
    if width:
        return f"[^/]{{{width}}}"
    if part == "frame":
        return r"\d+"
    if alone:
        return "[^/]+"
    return r"(?:[^\W\d_]+|\d+)" if part == "label" else r"[^/_\s.-]+"


def _stem(path: str) -> str:
    """A path without the suffix of a picture or video."""
    return path.rpartition(".")[0] if has_image_suffix(path) or has_video_suffix(path) else path


def _told(match: re.Match[str] | None) -> Told | None:
    return None if match is None else {part: said for part, said in match.groupdict().items() if said}


def _first(regex: re.Pattern[str], path: str) -> Told | None:
    match = regex.search(_stem(path)) or regex.search(path)
    return {"label": match[1]} if match and match[1] else None


def _word(stem: str) -> Told | None:
    word = word_in(stem)
    return None if word is None else {"label": word}


def code_of(images: Sequence[str]) -> str | None:
    """The published code that the names of all pictures have; None for other names."""
    stems = [PurePosixPath(image).stem for image in images]
    return next(
        (name for name, code in CODES.items() if stems and all(map(code.regex.fullmatch, stems))), None
    )


def fill_in(
    manifest: Manifest,
    pattern: NamePattern,
    *,
    labels: Mapping[str, str | None] | None = None,
    splits: Mapping[str, str | None] | None = None,
) -> Manifest:
    """The same faces with what their names tell, where nothing else tells it.

    Args:
        manifest: The faces.
        pattern: What the names tell.
        labels: Class by what the names have for it; None drops the face.
        splits: Split by what the names have for it.

    Raises:
        UnreadLabelsError: If the labels in the names are numbers without a meaning.
        ValueError: If the pattern fits no name, or the faces have labels already.
    """
    if "label" in pattern.parts and manifest.taxonomy is not None:
        raise ValueError(
            f"{manifest.root} has labels already, so the pattern {pattern.text!r} should not tell them: "
            "leave {label} away, or take the pictures alone by --layout folder."
        )
    rows = manifest.table.to_pylist()
    told = [pattern.tell(split_interval(row["image"])[0].replace("!", "/")) for row in rows]
    others = [row["image"] for row, said in zip(rows, told, strict=True) if said is None]
    if len(others) == len(rows):
        raise ValueError(
            f"No picture of {manifest.root} is named as {pattern.text!r} says, first {others[0]}. * stands "
            "for anything but /."
        )
    notes = [
        *manifest.notes,
        f"{', '.join(pattern.parts)}: as the names of the pictures tell ({pattern.text}).",
    ]
    if others:
        notes.append(
            LeftOut(
                f"{len(others):,} of {len(rows):,} pictures are not named as {pattern.text!r} says, first "
                f"{others[0]}."
            )
        )
    for row, said in zip(rows, told, strict=True):
        for part, value in (said or {}).items():
            if row.get(part) is None:
                row[part] = _value(part, value, pattern, splits or {})
    taxonomy = manifest.taxonomy
    if "label" in pattern.parts:
        classes = Classes({}, None, labels or {}, without=_WITHOUT)
        root = Path(manifest.root)
        rows, taxonomy = settle(root, root, rows, classes, notes)
        if short := sorted(
            {row["label"] for row in rows if row["label"] and row["label"].casefold() not in EXPRESSIONS}
        ):
            notes.append(
                f"The classes are {', '.join(short[:_MAX_CODES])}, as the names have them; --label-names "
                f"{short[0]}=anger … calls them otherwise."
            )
    return Manifest.from_rows(rows, manifest.root, taxonomy, notes)


def _value(part: str, value: str, pattern: NamePattern, splits: Mapping[str, str | None]) -> Any:
    if part == "label":
        known = pattern.labels.get(value.casefold())
        return known or expression_of(value) or value
    if part == "frame":
        return int(value)
    if part != "split":
        return value
    split = splits[value] if value in splits else split_of(value)
    if split is None and value not in splits:
        raise ValueError(f"{value!r} in the names is no split. Say which it is: --splits {value}=train …")
    return split


def with_splits_of_folders(manifest: Manifest) -> Manifest:
    """The same faces with the splits that their folders are named after, where all have one."""
    told = [
        next(filter(None, map(split_of, image.replace("!", "/").split("/")[:-1])), None)
        for image in manifest.column("image")
    ]
    if None in told or len(set(told)) < 2:
        return manifest
    return with_splits(manifest, told, "Splits are those that the pictures' folders are named after.")


def pattern_of(name: str) -> str:
    """A pattern that reads the words of an expression and of a split in a name, and anything else.

    Example:
        >>> pattern_of("train_happy"), pattern_of("a happy person"), pattern_of("S01-sad")
        ('{split}_{label}', '* {label} *', '*-{label}')
    """
    parts = re.findall(r"[^\W_]+|[\W_]+", name)
    return "".join(
        "{label}" if word_in(part) else "{split}" if split_of(part) else "*" if part[0].isalnum() else part
        for part in parts
    )


def proposal(images: Sequence[str]) -> str | None:
    """A pattern by which the names of pictures may tell labels; None where nothing speaks for one.

    A few letters that come again and again in one place, in names that have the same number of parts, may
    be the expression.

    Example:
        >>> proposal([f"p{i}_{code}_{n}.png" for i in range(4) for code in ("AN", "HA") for n in (1, 2)])
        '*_{label}_*'
    """
    stems = [PurePosixPath(image).stem for image in images]
    if len(stems) < _MIN_PICTURES:
        return None
    for mark in "_-. ":
        parts = [stem.split(mark) for stem in stems]
        if len({len(fields) for fields in parts}) > 1 or len(parts[0]) < 2:
            continue
        for position in range(len(parts[0])):
            if _is_a_code(fields[position] for fields in parts):
                names = ["{label}" if at == position else "*" for at in range(len(parts[0]))]
                return mark.join(names)
    return None


def _is_a_code(values: Iterable[str]) -> bool:
    """Whether values are a few short words, each of which comes several times."""
    counts = Counter(value.casefold() for value in values)
    few = 1 < len(counts) <= _MAX_CODES and min(counts.values()) > 1
    return few and all(value.isalpha() and not is_number(value) for value in counts)
