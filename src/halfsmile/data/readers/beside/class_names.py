"""What numbers of classes mean, as a file beside the pictures says, such as ``classes.txt``.

A file holds a name a line, in the order of the numbers, or pairs of number and name in either order; as JSON
a list or an object of these, also under ``id2label``; as YAML the list ``names``; a readme says it in a
sentence or in the features of Hugging Face.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from halfsmile.data.readers.beside.texts import folders_of, is_near, names_beside, text_beside
from halfsmile.data.readers.beside.yaml_names import names_in_yaml
from halfsmile.data.readers.folder import has_image_suffix
from halfsmile.data.readers.folders.meaning import MAX_CLASSES
from halfsmile.data.readers.words import expression_of, meaning_of

SUFFIXES = (".txt", ".json", ".csv", ".tsv", ".names", ".yaml", ".yml", ".md")
_OF_CLASSES = re.compile(r"class|label|categor|emotion|expression|id2|idx", re.IGNORECASE)
_MAYBE = re.compile(r"names?$|map(ping)?$|config|data$", re.IGNORECASE)
"""Names of files that say what numbers of classes mean only where most of what they name are expressions."""
_OF_NUMBERS = re.compile(r"count|weight|distribution|frequenc|histogram|statistic", re.IGNORECASE)
"""Names of files whose numbers are no numbers of classes."""
_README = re.compile(r"read[\s_-]*me", re.IGNORECASE)
_IN_PROSE = re.compile(
    r"(?<![\w.])[\"'(\[]?(\d|[1-9]\d)[\"')\]]?\s*[=:.)>-]*\s*[\"'(]?([^\W\d_]+)"
    r"(?=[ \t]*(?:$|[,;|)\]}\"'.\n]|[\"'(\[]?\d))"
)
"""A number and a word that ends there: ``1. Happy to help`` names nothing."""
_NAME_IN_FRONT = re.compile(
    r"([^\W\d_]+)[\"')\]]?[ \t]*[=:(\[>-]*[ \t]*[\"']?(\d|[1-9]\d)"
    r"(?=[)\]\"']*[ \t]*(?:$|[,;|)\]}.](?!\d)|and\b|[^\W\d_]+[\"')\]]?[ \t]*[=:(\[>-]*[ \t]*[\"']?\d))"
)
"""A word and a number that ends there, as ``Angry (0)``: ``sad: 48 pictures`` names nothing."""
_OF_OTHERS = re.compile(
    r"image|img|file|path|pic|photo|subject|person|participant|video|count", re.IGNORECASE
)
"""What columns of names and numbers are called that are not those of classes."""
_IS_NUMBER_OF_CLASS = re.compile(r"label|class|\bid\b|idx|index|code|value", re.IGNORECASE)
_IS_RANK = re.compile(
    r"rank|place|#|\b(no|nr|n)\b|number|count|total|image|picture|face|sample", re.IGNORECASE
)
"""Heads of columns in a readme's table."""
_WRAPPED = (
    "id2label",
    "label2id",
    "names",
    "classes",
    "labels",
    "class_to_idx",
    "idx_to_class",
    "categories",
)
_NUMBER_FIRST = re.compile(r"\W*(\d|[1-9]\d)\s*[\s:=,;|>).-]+\s*[\"']?([^\W\d].*?)[\"']?\W*")
_NUMBER_LAST = re.compile(r"\W*([^\W\d].*?)[\"']?\s*[\s:=,;|>(-]+\s*(\d|[1-9]\d)\W*")
_MARKS = re.compile(r"[,;|=:/\\\t]")
_SHOWN = 12


@dataclass(frozen=True)
class ClassNames:
    """What is said of the numbers.

    Args:
        names: Class by number; empty where no file tells them.
        note: Which file does, or why none of those beside does; empty where there is none.
    """

    names: Mapping[str, str]
    note: str = ""


def class_names_beside(
    places: Iterable[Path], numbers: Collection[str], faces: Iterable[str] = ()
) -> ClassNames:
    """What the files of some folders or archives say of the numbers of classes.

    A file counts in a place itself, in the folders on the way from there to the faces, and in folders of
    lists in any of these: in other folders are other data sets.

    Args:
        places: Folders or archives; those that are not there are passed over.
        numbers: Of the classes.
        faces: Pictures or tables of them, relative to the last place.

    Names without numbers count from 0 where 0 is among the numbers, and from 1 where their last one is the
    number of names; else they tell nothing.
    """
    found: dict[str, dict[str, str]] = {}
    doubts: list[str] = []
    there = list(dict.fromkeys(map(Path, places)))
    own = folders_of(faces)
    for place in there:
        if not place.exists():
            continue
        for name in names_beside(place, SUFFIXES):
            if not is_near(name, own if place == there[-1] else ()):
                continue
            said = _in_file(place, name)
            if said is None:
                continue
            names = _of(numbers, said)
            if names is None:
                doubts.append(_doubt(name, said, numbers))
            elif len(set(names.values())) > 1:
                found.setdefault(name, names)
    if len({tuple(sorted(names.items())) for names in found.values()}) > 1:
        return ClassNames({}, f"{' and '.join(list(found)[:2])} beside say different things of them.")
    for name, names in found.items():
        said = ", ".join(f"{number} {names[number]}" for number in sorted(names, key=float)[:_SHOWN])
        return ClassNames(names, f"Numbers mean what {name} beside says: {said}.")
    return ClassNames({}, next(iter(doubts), ""))


def names_classes(root: Path, name: str, labels: Collection[str]) -> bool:
    """Whether a file beside pictures only lists their classes."""
    if not name.lower().endswith(SUFFIXES):
        return False
    said = _in_file(root, name)
    listed = said.values() if isinstance(said, Mapping) else said
    return listed is not None and {n.casefold() for n in listed} >= {label.casefold() for label in labels}


def is_list_of_classes(root: Path, name: str, pictures: Collection[str]) -> bool:
    """Whether a file only says what numbers of classes mean, or lists classes.

    Args:
        root: Folder or archive.
        name: Of the file.
        pictures: Names of the pictures there without suffixes: where most of them are the numbers that the
            file has, it is a table of them.
    """
    if not name.lower().endswith(SUFFIXES) or (said := _in_file(root, name, alone=True)) is None:
        return False
    numbered = (
        {picture.lstrip("0") or "0" for picture in pictures} & said.keys() if isinstance(said, dict) else ()
    )
    return 2 * len(numbered) <= len(pictures) or not numbered


def _in_file(root: Path, name: str, *, alone: bool = False) -> Sequence[str] | dict[str, str] | None:
    """Names by number, or in their order; None where a file holds something else."""
    path = PurePosixPath(name)
    is_readme = _README.search(path.stem) is not None
    is_of_classes = path.suffix == ".names" or _OF_CLASSES.search(path.stem) is not None
    if (
        not (is_readme or is_of_classes or _MAYBE.search(path.stem))
        or _OF_NUMBERS.search(path.stem)
        or (text := text_beside(root, name)) is None
    ):
        return None
    if is_readme:
        return _in_readme(text)
    if path.suffix.lower() in (".yaml", ".yml"):
        return names_in_yaml(text) or None
    said = _in_text(path, text, alone=alone)
    is_of_classes |= any(f'"{key}"' in text for key in _WRAPPED if key != "names")
    return said if said is None or is_of_classes or _are_expressions(said) else None


def _are_expressions(said: Sequence[str] | dict[str, str]) -> bool:
    """Whether more than half of the names are expressions."""
    names = list(said.values() if isinstance(said, dict) else said)
    return 2 * sum(expression_of(name) is not None for name in names) > len(names)


def _in_text(path: PurePosixPath, text: str, *, alone: bool) -> Sequence[str] | dict[str, str] | None:
    """What JSON or lines say."""
    if path.suffix.lower() == ".json":
        try:
            return _in_json(json.loads(text), alone=alone)
        except (ValueError, RecursionError):
            return None
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) == 1 and lines[0].count(",") > 1:
        lines = lines[0].split(",")
    return _in_lines(lines)


def _in_readme(text: str) -> dict[str, str] | None:
    """What a table and what sentences say; None where they say different things."""
    table, prose = _in_markdown(text), _in_prose(text)
    if not table or not prose:
        return table or prose
    both = table.keys() & prose.keys()
    agree = both and all(meaning_of(table[number]) == meaning_of(prose[number]) for number in both)
    return {**prose, **table} if agree else None


def _in_markdown(text: str) -> dict[str, str] | None:
    """Expressions by the number beside them in a table of Markdown, where these count from 0 or 1 on.

    None where a row has several numbers and no head says which is that of the class, or the head says that
    it is a rank or a count.
    """
    names: dict[str, str] = {}
    head: list[str] = []
    last: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip(" *`_") for cell in line.strip().strip("|").split("|")]
        if "|" in line and all(re.fullmatch(":?-+:?", cell) for cell in cells):
            head = last
        last = cells
        words = [cell for cell in cells if expression_of(cell)]
        numbers = {place: cell for place, cell in enumerate(cells) if cell.isdecimal()}
        if len(words) != 1 or not numbers:
            continue
        heads = {place: head[place] if place < len(head) else "" for place in numbers}
        told = [place for place in numbers if _IS_NUMBER_OF_CLASS.search(heads[place])]
        chosen = told if len(numbers) > 1 or told else list(numbers)
        if len(chosen) != 1 or (not told and _IS_RANK.search(heads[chosen[0]])):
            return None
        if names.setdefault(str(int(numbers[chosen[0]])), words[0]) != words[0]:
            return None
    count = len(names)
    is_whole = sorted(map(int, names)) in (list(range(count)), list(range(1, count + 1)))
    return names if count > 1 and is_whole and len(set(names.values())) == count else None


def _in_prose(text: str) -> dict[str, str] | None:
    """Numbers that a text names expressions for, as ``0=Angry, 1: disgust`` or ``Angry (0)``.

    None where a number has two names, a line could be read in both orders, or numbers behind names do not
    count from 0 or 1 on: these are numbers of pictures.
    """
    names: dict[str, str] = {}
    behind: set[str] = set()
    for line in text.splitlines():
        first = [(number, name) for number, name in _IN_PROSE.findall(line) if expression_of(name)]
        last = [(number, name) for name, number in _NAME_IN_FRONT.findall(line) if expression_of(name)]
        if first and (len(first) == len(last) or (len(first) > len(last) and _begins_with_a_name(line))):
            return None
        for number, name in max(first, last, key=len):
            if names.setdefault(number, name).casefold() != name.casefold():
                return None
        if len(last) > len(first):
            behind |= {number for number, _ in last}
    if behind and sorted(map(int, behind)) not in (list(range(len(behind))), list(range(1, len(behind) + 1))):
        return None
    return names if len(names) > 1 and len(set(names.values())) == len(names) else None


def _begins_with_a_name(line: str) -> bool:
    """Whether an expression stands right in front of the first number."""
    word = re.search(r"([^\W\d_]+)[\s=:(\[>\"'-]*$", re.split(r"\d", line, maxsplit=1)[0])
    return word is not None and expression_of(word[1]) is not None


def _in_lines(lines: Sequence[str]) -> Sequence[str] | dict[str, str] | None:
    if not 1 < len(lines) <= MAX_CLASSES + 1 or any(
        map(has_image_suffix, re.split(r"[\s,;|]+", " ".join(lines)))
    ):
        return None
    for pattern, number in ((_NUMBER_FIRST, 1), (_NUMBER_LAST, 2)):
        found = [pattern.fullmatch(line) for line in lines]
        rows = [match for match in found[not found[0] :] if match]
        if len(rows) > 1 and not found[0] and _OF_OTHERS.search(lines[0]):
            return None
        if len(rows) > 1 and len(rows) == len(found) - (not found[0]):
            names = {
                str(int(match[number])): re.split(r"[,;\t]", match[3 - number])[0].strip() for match in rows
            }
            return names if len(names) == len(rows) == len(set(names.values())) else None
    plain = [line.strip("\"' ,;") for line in lines]
    is_plain = all(
        name
        and not _MARKS.search(name)
        and not name[0].isdigit()
        and len(name) <= 40
        and len(name.split()) < 4
        for name in plain
    )
    return plain if is_plain and len(set(plain)) == len(plain) else None


def _in_json(document: Any, *, alone: bool = False) -> Sequence[str] | dict[str, str] | None:
    """Names in a document; where nothing else is wanted in it, None if there is a list of objects, too."""
    if isinstance(document, list) and all(isinstance(name, str) for name in document):
        return (
            document
            if 1 < len(document) <= MAX_CLASSES and not any(map(has_image_suffix, document))
            else None
        )
    if isinstance(document, list) and all(isinstance(item, dict) for item in document):
        pairs = [
            (item.get("id", item.get("index")), item.get("name", item.get("label"))) for item in document
        ]
        return _numbered({str(number): name for number, name in pairs}) if len(pairs) > 1 else None
    if not isinstance(document, dict):
        return None
    if alone and any(isinstance(v, list) and v and isinstance(v[0], dict) for v in document.values()):
        return None
    if key := next((key for key in _WRAPPED if isinstance(document.get(key), list | dict)), None):
        return _in_json(document[key])
    return _numbered(document) or _numbered({str(number): name for name, number in document.items()})


def _numbered(names: Mapping[str, Any]) -> dict[str, str] | None:
    """Names by number where keys and values are such."""
    if not 1 < len(names) <= MAX_CLASSES or not all(str(key).isdecimal() for key in names):
        return None
    if not all(isinstance(name, str) and name and not has_image_suffix(name) for name in names.values()):
        return None
    return (
        {str(int(key)): name for key, name in names.items()}
        if len(set(names.values())) == len(names)
        else None
    )


def _of(numbers: Collection[str], said: Sequence[str] | dict[str, str]) -> dict[str, str] | None:
    """The names of some numbers; None where they tell not all, or not from where they count."""
    if not all(number.isdecimal() for number in numbers):
        return None
    if isinstance(said, dict):
        return {n: said[n] for n in numbers} if set(numbers) <= said.keys() else None
    counted = {int(number) for number in numbers}
    if 0 in counted and max(counted) < len(said):
        return {number: said[int(number)] for number in numbers}
    if 0 not in counted and max(counted) == len(said):
        return {number: said[int(number) - 1] for number in numbers}
    return None


def _doubt(name: str, said: Sequence[str] | dict[str, str], numbers: Collection[str]) -> str:
    if isinstance(said, dict):
        lacking = sorted(set(numbers) - said.keys(), key=float)
        return f"{name} beside has names, but none for {', '.join(lacking[:_SHOWN])}."
    return (
        f"{name} beside has {len(said)} names ({', '.join(said[:_SHOWN])}), and does not say from which "
        "number they count."
    )
