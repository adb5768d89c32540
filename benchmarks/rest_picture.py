"""A generated person's faint smile with and without the person's own rest, as the picture in docs/predict.md.

    python -m benchmarks.rest_picture --out docs/images/rest.svg

The person does not exist. The frames are cut by the landmarks that they are drawn with.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tyro

from halfsmile.data.preprocess import Image
from halfsmile.data.synthetic.actions import sample_activation
from halfsmile.data.synthetic.draw import draw
from halfsmile.data.synthetic.folders import encode_png
from halfsmile.data.synthetic.people import make_person
from halfsmile.data.synthetic.scene import Strengths, sample_scene
from halfsmile.faces.detect import Detection
from halfsmile.faces.video.frames import VideoFrame
from halfsmile.predict.answers.baseline import PersonBaseline, relate_to_rest
from halfsmile.predict.drawing.timeline import Timeline
from halfsmile.predict.face import Faces
from halfsmile.predict.model import ExpressionModel
from halfsmile.predict.predictor import Predictor
from halfsmile.predict.video import Seen
from halfsmile.utils.files import atomic_write

WIDTH, FRAME, SHOWN, RATE = 1000, 96, 9, 10.0
SIDE = 160


@dataclass(frozen=True)
class Options:
    """What to draw.

    Args:
        out: The picture, SVG.
        person: Of the generated people.
        smile: How much of a full smile there is, 0 to 1.
        frames: Of the clip, at ten a second.
    """

    out: Path
    person: int = 8
    smile: float = 0.35
    frames: int = 50


def clip(person: int, smile: float, frames: int) -> tuple[list[Image], list[Detection]]:
    """Frames of somebody who rests, smiles faintly for the middle third, and rests; and where the face is."""
    rng = np.random.default_rng([7, person])
    amount = Strengths(pose=0.3, light=0.3, occlusion=0, blur=0.3, noise=0.5, background=0.5)
    scene, apex = sample_scene(rng, amount), sample_activation("happiness", rng, amount.expression)
    place = np.linspace(0, 1, frames)
    intensity = np.clip(np.minimum(place - 0.3, 0.7 - place) / 0.08, 0, 1) * smile
    images, faces = [], []
    for number, value in enumerate(intensity):
        shot = replace(
            scene, texture=scene.texture + 7919 * number, roll=scene.roll + 0.02 * np.sin(number / 5)
        )
        drawing = draw(make_person(7, person), apex * np.float32(value), shot, SIDE)
        images.append(drawing.image)
        faces.append(
            Detection(np.asarray(drawing.box, np.float32), np.asarray(drawing.landmarks, np.float32))
        )
    return images, faces


def looks(predictor: Predictor, images: list[Image], faces: list[Detection]) -> list[Seen]:
    """The clip with an answer for each frame by itself."""
    answers = predictor.answers([predictor.crops(i, [f]) for i, f in zip(images, faces, strict=True)], faces)
    found = []
    for number, (row, image, face) in enumerate(zip(answers.rows(), images, faces, strict=True)):
        said = predictor.result(face, *row, "clip", frame=number, time=number / RATE, track=1)
        found.append(Seen("clip", VideoFrame(number, number / RATE, image), Faces([said])))
    return found


def related(predictor: Predictor, seen: list[Seen]) -> list[Seen]:
    """The same, relative to the person's rest."""
    person = PersonBaseline(predictor.labels)
    return list(relate_to_rest(seen, predictor.judge, person, first=lambda: seen))


def picture(images: list[Image], before: list[Seen], after: list[Seen], labels: tuple[str, ...]) -> str:
    """Some frames, and a timeline for each way to answer."""
    parts, top = [], FRAME + 20
    for place, number in enumerate(np.linspace(0, len(images) - 1, SHOWN).astype(int)):
        data = base64.b64encode(encode_png(images[number][::2, ::2])).decode()
        x = 92 + place * (WIDTH - 108 - FRAME) / (SHOWN - 1)
        parts.append(
            f'<image x="{x:.0f}" y="10" width="{FRAME}" height="{FRAME}" '
            f'href="data:image/png;base64,{data}"/>'
        )
    for title, frames in (("each frame for itself", before), ("--baseline person", after)):
        timeline = Timeline(labels, title, seconds=1 / RATE)
        for seen in frames:
            timeline.add(seen.faces, seen.frame.time)
        drawn = timeline.svg()
        height = int(drawn.partition('height="')[2].partition('"')[0])
        parts.append(drawn.replace("<svg ", f'<svg y="{top}" ', 1))
        top += height + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" '
        f'height="{top}">\n'
        f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def smiling(seen: list[Seen]) -> npt.NDArray[np.bool_]:
    """Which frames are called happiness."""
    return np.array([one.faces[0].expression == "happiness" for one in seen])


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    predictor = Predictor(ExpressionModel.load(None, threads=1, device="cpu"), detector="aligned")
    images, faces = clip(options.person, options.smile, options.frames)
    before = looks(predictor, images, faces)
    after = related(predictor, before)
    print(f"called happiness: {smiling(before).sum()} frames, relative to rest {smiling(after).sum()}")
    with atomic_write(options.out) as temporary:
        temporary.write_text(picture(images, before, after, predictor.labels), encoding="utf-8")


if __name__ == "__main__":
    main()
