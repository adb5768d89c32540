"""Hair styles as closed curves in face units, behind and in front of the face."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from halfsmile.data.synthetic.moves import TRAITS, Points
from halfsmile.data.synthetic.people import Person
from halfsmile.data.synthetic.rig import mirror, spline_matrix

Array = npt.NDArray[np.float32]

# Outer edge of the hair on top of the head, then the hairline back to the middle.
_CAP: dict[str, Points] = {
    "buzz": (
        (0, -1.03),
        (0.40, -0.97),
        (0.66, -0.72),
        (0.74, -0.40),
        (0.72, -0.14),
        (0.665, -0.16),
        (0.645, -0.40),
        (0.54, -0.60),
        (0.30, -0.70),
        (0, -0.71),
    ),
    "short": (
        (0, -1.12),
        (0.42, -1.06),
        (0.71, -0.80),
        (0.80, -0.42),
        (0.75, -0.06),
        (0.67, -0.08),
        (0.66, -0.36),
        (0.56, -0.60),
        (0.30, -0.69),
        (0, -0.71),
    ),
    "quiff": (
        (0, -1.26),
        (0.40, -1.20),
        (0.66, -0.92),
        (0.74, -0.45),
        (0.72, -0.12),
        (0.67, -0.14),
        (0.64, -0.42),
        (0.50, -0.66),
        (0.26, -0.76),
        (0, -0.78),
    ),
    "curly": (
        (0, -1.22),
        (0.44, -1.14),
        (0.78, -0.84),
        (0.92, -0.42),
        (0.86, 0.02),
        (0.68, -0.02),
        (0.65, -0.34),
        (0.54, -0.56),
        (0.30, -0.65),
        (0, -0.67),
    ),
    "bob": (
        (0, -1.13),
        (0.44, -1.07),
        (0.76, -0.78),
        (0.88, -0.25),
        (0.88, 0.38),
        (0.68, 0.52),
        (0.67, 0.05),
        (0.62, -0.40),
        (0.36, -0.64),
        (0, -0.74),
    ),
    "long": (
        (0, -1.11),
        (0.42, -1.05),
        (0.73, -0.78),
        (0.84, -0.25),
        (0.90, 0.45),
        (0.74, 0.80),
        (0.68, 0.10),
        (0.62, -0.38),
        (0.36, -0.63),
        (0, -0.74),
    ),
    "bun": (
        (0, -1.07),
        (0.41, -1.01),
        (0.69, -0.76),
        (0.76, -0.40),
        (0.72, -0.08),
        (0.67, -0.12),
        (0.63, -0.42),
        (0.52, -0.62),
        (0.28, -0.72),
        (0, -0.75),
    ),
    "scarf": (
        (0, -1.12),
        (0.44, -1.06),
        (0.76, -0.76),
        (0.86, -0.20),
        (0.84, 0.45),
        (0.66, 0.68),
        (0.665, 0.05),
        (0.61, -0.40),
        (0.36, -0.62),
        (0, -0.68),
    ),
}
_BACK: dict[str, Points] = {
    "bob": ((0, -1.1), (0.62, -0.9), (0.88, -0.3), (0.93, 0.35), (0.80, 0.72), (0.3, 0.75), (0, 0.75)),
    "long": ((0, -1.08), (0.60, -0.9), (0.84, -0.3), (0.94, 0.4), (1.02, 1.15), (0.80, 1.5), (0, 1.5)),
    "curly": ((0, -1.25), (0.66, -1.02), (0.96, -0.45), (0.92, 0.12), (0.6, 0.3), (0, 0.3)),
    "scarf": ((0, -1.1), (0.62, -0.9), (0.86, -0.2), (0.88, 0.5), (0.95, 1.1), (1.05, 1.5), (0, 1.5)),
    "bun": ((0, -1.42), (0.16, -1.38), (0.25, -1.22), (0.2, -1.02), (0, -0.95)),
}
_FRINGE: Points = ((0, -0.47), (0.2, -0.475), (0.4, -0.47), (0.60, -0.38), (0.70, -0.20))


def _closed(half: Points) -> Array:
    """Smooth closed outline from the half at image right."""
    return spline_matrix(len(half)) @ np.asarray(half, np.float32)


def _both(half: Array) -> Array:
    return np.concatenate([half, half[::-1] * np.array([-1, 1], np.float32)])


@lru_cache(maxsize=4096)
def _shapes(
    style: str, width: float, parting: float, fringe: float
) -> tuple[Array | None, Array | None, Array | None]:
    stretch = np.array([1 + 0.065 * width, 1], np.float32)
    back = _both(_closed(_BACK[style])) * stretch if style in _BACK else None
    if style not in _CAP:
        return back, None, None
    half = _closed(_CAP[style])
    cap = _both(half) * stretch
    middle = len(half) // 2
    inner = np.zeros(len(half), bool)
    inner[middle + 2 :] = True
    inner = np.concatenate([inner, inner[::-1]])
    if style not in ("scarf", "curly"):
        # The hairline rises towards the parting.
        rise = np.exp(-(((cap[:, 0] - 0.35 * parting) / 0.28) ** 2)) * 0.07
        cap[inner, 1] -= rise[inner]
    if style in ("curly",):
        turn = np.arange(len(cap))
        cap[~inner] *= (1 + 0.035 * np.sin(turn * 2.1))[~inner, None].astype(np.float32)
    bangs = None
    if fringe > 0 and style in ("short", "bob", "long", "quiff"):
        lower = mirror(np.asarray(_FRINGE, np.float32))
        lower = spline_matrix(len(lower), 4) @ lower
        strand = 0.022 * np.abs(np.sin(np.arange(len(lower)) * 1.3 + parting * 3))
        lift = (1 - fringe) * 0.18 + 0.10 * np.clip(lower[:, 0] * np.sign(parting or 1.0), 0, 1)
        lower[:, 1] -= (strand + lift).astype(np.float32)
        upper = np.array([(0.66, -0.70), (0.4, -0.95), (-0.4, -0.95), (-0.66, -0.70)], np.float32)
        bangs = np.concatenate([lower, upper]) * stretch
    return back, cap.astype(np.float32), None if bangs is None else bangs.astype(np.float32)


def hair_shapes(person: Person) -> tuple[Array | None, Array | None, Array | None]:
    """Outlines of a person's hair.

    Args:
        person: Whose hair.

    Returns:
        Behind the head, on the head, and hanging into the forehead; each of shape (points, 2) in face units,
        or None.
    """
    width = float(person.traits[TRAITS.index("face_width")])
    return _shapes(person.hair_style, round(width, 2), round(person.parting, 2), round(person.fringe, 2))
