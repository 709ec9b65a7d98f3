"""How people come and go: waypoints of an actor, with chance."""

import numpy as np

from producer.scenes.actor import Waypoint
from producer.scenes.background import WIDTH

LEAVE_S = 0.9
_BODY = 1.2  # from the middle of the head to the end of the sleeve, in widths of the face


def outside(side: int, face_px: float) -> float:
    """The x where somebody is just out of the frame, left (-1) or right (1) of it."""
    return 0.5 + side * (0.5 + _BODY * face_px / WIDTH)


def visit(
    rng: np.random.Generator,
    enters_s: float,
    leaves_s: float,
    *,
    x: float = 0.5,
    face_px: tuple[float, float] = (110, 190),
    side: int | None = None,
) -> tuple[Waypoint, ...]:
    """Somebody approaches from a side, stands at ``x``, leaves at ``leaves_s``, is gone 0.9 s on.

    ``face_px`` are the least and the greatest width of the face while they stand.
    """
    near = float(rng.uniform(*face_px))
    far = near * float(rng.uniform(0.35, 0.7))
    comes_from = side or _side(rng)
    goes_to = side or _side(rng)
    stands_s = enters_s + min(float(rng.uniform(0.8, 1.4)), (leaves_s - enters_s) / 2)
    return (
        Waypoint(enters_s, outside(comes_from, far), far),
        Waypoint(stands_s, x, near),
        Waypoint(leaves_s, x, near),
        Waypoint(leaves_s + LEAVE_S, outside(goes_to, near * 1.1), near * 1.1),
    )


def tail(
    rng: np.random.Generator, first: tuple[Waypoint, ...], stays_s: float
) -> tuple[Waypoint, ...]:
    """Somebody follows closely behind ``first``, then stands where they stood for ``stays_s``."""
    entered, stood, left, gone = first
    side = 1 if entered.x > stood.x else -1
    near = stood.face_px * float(rng.uniform(0.75, 0.95))
    behind, far = near * 0.72, entered.face_px * 0.8
    late_s = float(rng.uniform(0.4, 0.8))
    beside = stood.x + side * 0.42 * stood.face_px / WIDTH * float(rng.uniform(1.2, 2.4))
    return (
        Waypoint(entered.t_s + late_s, outside(side, far), far),
        Waypoint(stood.t_s + late_s, beside, behind),
        Waypoint(left.t_s, beside, behind),
        Waypoint(gone.t_s, stood.x, near),
        Waypoint(gone.t_s + stays_s, stood.x, near),
        Waypoint(gone.t_s + stays_s + LEAVE_S, outside(side, near * 1.1), near * 1.1),
    )


def _side(rng: np.random.Generator) -> int:
    return int(rng.choice((-1, 1)))
