"""Labels from CVAT, exported as "CVAT for images": ``annotations.xml``, or the archive that holds it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from halfsmile.data.containers.archive import open_archive
from halfsmile.data.exchange.answers import Answer, IsLabel

_SHAPES = ("tag", "box", "polygon", "points", "ellipse", "mask", "skeleton")


def read_cvat(path: Path, is_label: IsLabel) -> list[Answer]:
    """Labels of each picture: of its tags and shapes, or of their attributes.

    Args:
        path: The XML file, or a zip archive with one in it.
        is_label: Whether a text is one of the labels; other labels, as ``face``, don't count.

    Raises:
        ValueError: If the file is no such export, or says nothing that is a label.
    """
    root = _root(path)
    answers = []
    others: set[str] = set()
    for image in root.iter("image"):
        found = []
        boxes = 0
        strange: list[str] = []
        for shape in image:
            if shape.tag not in _SHAPES:
                continue
            texts = [shape.get("label", ""), *(each.text or "" for each in shape.iter("attribute"))]
            said = [text.strip() for text in texts]
            found += [text for text in said if is_label(text)]
            boxes += shape.tag != "tag" and any(map(is_label, said))
            strange += [text for text in said if text and not is_label(text)]
        others.update(strange)
        labels = tuple(found[:1] if len(set(found)) == 1 else found)
        answers.append(Answer(image.get("name", ""), labels, boxes=boxes, others=tuple(strange)))
    if not any(answer.labels for answer in answers):
        listed = ", ".join(sorted(others)[:12]) or "nothing"
        raise ValueError(
            f"{path} says no label of {len(answers):,} pictures; it says {listed}. Rename them: --rename "
            "OLD=NEW."
        )
    return answers


def _root(path: Path) -> ElementTree.Element:
    try:
        if path.suffix.lower() == ".xml":
            data = path.read_bytes()
        else:
            archive = open_archive(path)
            inside = [name for name in archive.names if name.lower().endswith(".xml")]
            if len(inside) != 1:
                raise ValueError(
                    f"{path} holds {len(inside)} XML files; expected one, as in CVAT's export "
                    "'CVAT for images'."
                )
            data = archive.read(inside[0])
        if b"<!ENTITY" in data:
            raise ValueError(f"{path} defines entities of its own, which are not read.")
        root = ElementTree.fromstring(data)  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        raise ValueError(f"{path} is no readable XML file ({error}).") from error
    if root.tag != "annotations":
        raise ValueError(f"{path} is no export of CVAT: expected <annotations>, found <{root.tag}>.")
    return root
