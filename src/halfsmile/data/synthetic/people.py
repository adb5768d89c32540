"""Who is drawn: skin, hair, eyes, glasses, beard, age and the shape of the face, fixed by (seed, person)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.moves import TRAITS

Array = npt.NDArray[np.float32]
HairStyle = Literal["bald", "buzz", "short", "quiff", "curly", "bob", "long", "bun", "scarf"]
FacialHair = Literal["none", "stubble", "mustache", "goatee", "beard"]

_SKIN = np.array(
    [
        (252, 222, 200),
        (244, 207, 178),
        (232, 188, 154),
        (214, 164, 126),
        (184, 130, 93),
        (148, 98, 68),
        (116, 76, 53),
        (90, 59, 43),
    ],
    np.float32,
)
_HAIR = np.array(
    [
        (34, 29, 30),
        (52, 37, 30),
        (84, 56, 38),
        (122, 82, 50),
        (140, 68, 38),
        (196, 154, 92),
        (224, 194, 138),
        (150, 60, 90),
        (62, 92, 132),
    ],
    np.float32,
)
_HAIR_SHARE = (0.24, 0.24, 0.17, 0.12, 0.06, 0.09, 0.05, 0.015, 0.015)
_EYES = np.array(
    [(70, 42, 26), (96, 60, 34), (116, 96, 52), (74, 110, 76), (76, 124, 164), (110, 126, 138)], np.float32
)
_CLOTHES = np.array(
    [
        (62, 84, 120),
        (150, 62, 62),
        (72, 110, 88),
        (58, 58, 66),
        (222, 218, 208),
        (204, 160, 84),
        (120, 94, 134),
        (96, 150, 168),
        (232, 150, 130),
    ],
    np.float32,
)


@dataclass(frozen=True)
class Person:
    """Everything about a face that an expression does not change. Colors are RGB, 0 to 255, shape (3,).

    Args:
        number: Person id.
        traits: Shape of the face in standard deviations, in the order of ``rig.TRAITS``.
        skin: Skin color.
        hair: Hair color (the cloth's for ``scarf``).
        brow: Brow color.
        eye: Iris color.
        lip: Color of the lower lip.
        clothes: Color of the clothes.
        hair_style: One of :data:`HairStyle`.
        parting: Where the hair is parted, -1 (image left) to 1.
        fringe: How far hair hangs into the forehead, 0 (not at all) to 1.
        facial_hair: One of :data:`FacialHair`.
        glasses: Frame color, or None without glasses.
        round_glasses: True if the lenses are round.
        age: 0 (smooth) to 1 (deep lines, gray hair).
    """

    number: int
    traits: Array
    skin: Array
    hair: Array
    brow: Array
    eye: Array
    lip: Array
    clothes: Array
    hair_style: HairStyle
    parting: float
    fringe: float
    facial_hair: FacialHair
    glasses: Array | None
    round_glasses: bool
    age: float


@lru_cache(maxsize=4096)
def make_person(seed: int, number: int) -> Person:
    """The person with this number in the population of this seed: the same on every call.

    Args:
        seed: Population.
        number: Person id, from 0 on.

    Returns:
        The person.
    """
    rng = np.random.default_rng([seed, number, 0x9E2507])
    tone = rng.random() * (len(_SKIN) - 1.001)
    skin = _SKIN[int(tone)] * (1 - tone % 1) + _SKIN[int(tone) + 1] * (tone % 1)
    skin = np.clip(skin + rng.normal(0, 5, 3) + rng.normal(0, 4), 0, 255).astype(np.float32)
    age = float(rng.beta(1.1, 2.2))
    # Dark skin goes with the dark hair colors at the table's start, fair skin with all of it.
    shares = np.array(_HAIR_SHARE) * np.exp(-np.arange(len(_HAIR)) * max(0.0, tone - 2.5) * 0.5)
    hair = _HAIR[rng.choice(len(_HAIR), p=shares / shares.sum())] * float(rng.uniform(0.85, 1.15))
    gray = float(np.clip((age - 0.55) * 3.5, 0, 1)) * float(rng.random() < 0.8)
    hair = hair * (1 - gray) + np.array([172, 170, 168], np.float32) * gray
    masculine = bool(rng.random() < 0.5)
    styles: tuple[tuple[HairStyle, float], ...] = (
        (
            ("bald", 0.1),
            ("buzz", 0.2),
            ("short", 0.33),
            ("quiff", 0.19),
            ("curly", 0.1),
            ("bob", 0.02),
            ("long", 0.06),
        )
        if masculine
        else (
            ("short", 0.1),
            ("curly", 0.15),
            ("bob", 0.22),
            ("long", 0.3),
            ("bun", 0.14),
            ("scarf", 0.08),
            ("buzz", 0.01),
        )
    )
    style = styles[int(rng.choice(len(styles), p=[share for _, share in styles]))][0]
    beards: tuple[FacialHair, ...] = ("none", "stubble", "mustache", "goatee", "beard")
    facial_hair = beards[int(rng.choice(5, p=(0.5, 0.2, 0.07, 0.08, 0.15)))]
    eye = _EYES[int(rng.choice(len(_EYES), p=(0.34, 0.26, 0.12, 0.08, 0.14, 0.06)))]
    if tone > 4:
        eye = _EYES[int(rng.integers(2))]
    # Brows must stay readable on any skin: never lighter than a darkened skin tone.
    brow = np.minimum(hair * 0.8, skin * 0.55)
    lip = skin * np.array([0.88, 0.66, 0.66], np.float32) + np.array([14, 4, 8], np.float32)
    if not masculine and rng.random() < 0.35:
        lip = lip * 0.45 + np.array([176, 40, 66], np.float32) * 0.55
    clothes = _CLOTHES[int(rng.integers(len(_CLOTHES)))]
    if style == "scarf":
        hair = _CLOTHES[int(rng.integers(len(_CLOTHES)))]
    frames = np.array([(30, 28, 30), (92, 58, 36), (120, 34, 40), (60, 70, 96)], np.float32)
    frame = frames[int(rng.integers(len(frames)))]
    traits = np.clip(rng.standard_normal(len(TRAITS)), -1.8, 1.8).astype(np.float32)
    traits[TRAITS.index("jaw_width")] += 0.6 if masculine else -0.4
    traits[TRAITS.index("brow_thickness")] += 0.4 if masculine else -0.5
    return Person(
        number=number,
        traits=traits,
        skin=skin,
        hair=np.clip(hair, 0, 255).astype(np.float32),
        brow=brow.astype(np.float32),
        eye=eye,
        lip=np.clip(lip, 0, 255).astype(np.float32),
        clothes=clothes,
        hair_style=style,
        parting=float(rng.uniform(-0.8, 0.8)),
        fringe=float(rng.random() < 0.4) * float(rng.uniform(0.4, 1.0)),
        facial_hair=facial_hair if masculine and style != "scarf" else "none",
        glasses=frame if rng.random() < 0.2 else None,
        round_glasses=bool(rng.random() < 0.5),
        age=age,
    )
