"""What a camera does to a face: pose, light, things in the way, blur, noise and the background."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Occlusion = Literal["none", "bar", "patch", "hand", "corner", "curtain"]
_GRAY = np.full((3, 1), 1 / 3, np.float32)


@dataclass(frozen=True)
class Strengths:
    """How strong each disturbance is: 0 switches it off, 1 is natural, 2 is hard.

    Args:
        pose: In-plane rotation, scale, shift, turning and nodding of the head.
        light: Direction and gradient of the light, gamma, color cast.
        occlusion: How often something covers part of the face (every sixth face at 1).
        blur: Defocus.
        noise: Sensor noise.
        background: Contrast of what is behind the head.
        expression: How weak and how personal expressions are; 0 draws the table's full expression.

    Raises:
        ValueError: If a strength is negative or not finite.
    """

    pose: float = 1.0
    light: float = 1.0
    occlusion: float = 1.0
    blur: float = 1.0
    noise: float = 1.0
    background: float = 1.0
    expression: float = 1.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"Strength {item.name} is {value}; it is a number from 0 (off) upwards.")

    def times(self, difficulty: float) -> Strengths:
        """All strengths multiplied by one number."""
        return Strengths(**{item.name: getattr(self, item.name) * difficulty for item in fields(self)})


@dataclass(frozen=True)
class Scene:
    """One shot. Lengths are in sides of the picture, angles in radians.

    Args:
        center: Where the origin of the face lies, (x, y).
        scale: Length of one face unit.
        roll: In-plane rotation, clockwise in the picture.
        yaw: Turn of the head, positive towards image right.
        pitch: Nod, positive downwards.
        gaze: Shift of the irises in iris radii, (x, y).
        light: Direction of the light, (x, y), length 0 (from the front) to 1 (from the side).
        gamma: Exponent applied to the picture; above 1 is darker.
        cast: Factors on red, green and blue.
        occlusion: What covers the face; ``curtain`` leaves nothing of it to see.
        cover: Where and how: six numbers in [0, 1).
        blur: Standard deviation of the defocus.
        noise: Standard deviation of the noise in gray levels.
        backdrop: Colors of a coarse background picture, RGB, 0 to 255. Shape (4, 4, 3).
        texture: Seed of the noise pattern.
    """

    center: tuple[float, float]
    scale: float
    roll: float
    yaw: float
    pitch: float
    gaze: tuple[float, float]
    light: tuple[float, float]
    gamma: float
    cast: Array
    occlusion: Occlusion
    cover: Array
    blur: float
    noise: float
    backdrop: Array
    texture: int


def _limit(value: float, most: float) -> float:
    """Keep the face in the picture, however hard the pose."""
    return max(-most, min(most, value))


def sample_scene(rng: np.random.Generator, strengths: Strengths) -> Scene:
    """Draw a scene; the number of values taken from ``rng`` does not depend on the strengths.

    Args:
        rng: Source of randomness.
        strengths: How far each disturbance may go.

    Returns:
        The scene.
    """
    u = rng.random(24).tolist()
    n = [max(-2.2, min(2.2, value)) for value in rng.standard_normal(12).tolist()]
    colors = rng.random((5, 4, 3), dtype=np.float32)
    pose, light = strengths.pose, strengths.light
    angle, length = 2 * math.pi * u[0], min(1.0, light * u[1] * 0.9)
    gray = np.asarray(colors @ _GRAY, np.float32)
    colors = gray + (colors - gray) * 0.45
    # Half of the backgrounds are nearly plain, as in a studio.
    contrast = 210 * strengths.background * (0.25 if u[2] < 0.5 else 1.0)
    backdrop = 30 + 190 * colors[4, 0] + (colors[:4] - 0.5) * np.float32(contrast)
    kinds: tuple[Occlusion, ...] = ("bar", "patch", "hand", "corner")
    covered = u[3] < strengths.occlusion / 6
    warm = light * 0.06 * n[6]
    return Scene(
        center=(0.5 + _limit(0.028 * pose * n[0], 0.07), 0.5 + _limit(0.022 * pose * n[1], 0.05)),
        scale=0.40 * (1 + _limit(0.055 * pose * n[2], 0.14)),
        roll=_limit(0.12 * pose * n[3], 0.5),
        yaw=_limit(0.22 * pose * n[4], 0.45),
        pitch=_limit(0.12 * pose * n[5], 0.3),
        gaze=(0.2 * pose * n[9], 0.12 * pose * n[10]),
        light=(length * math.cos(angle), length * math.sin(angle)),
        gamma=math.exp(0.22 * light * n[7]),
        cast=np.array([1 + warm, 1 + 0.015 * light * n[8], 1 - warm], np.float32),
        occlusion=kinds[int(u[4] * 4)] if covered else "none",
        cover=np.array(u[5:11], np.float32),
        blur=strengths.blur * 0.024 * max(0.0, u[11] - 0.45),
        noise=strengths.noise * (1 + 6 * u[12] ** 2),
        backdrop=np.minimum(np.maximum(backdrop, 0), 255),
        texture=int(u[13] * 2**31),
    )
