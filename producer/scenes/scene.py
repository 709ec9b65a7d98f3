"""A drawn camera: a room, people in it, and the truth about every frame."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from maskgate.inference.image import Pixels
from producer.scenes.actor import Actor, Placed
from producer.scenes.background import HEIGHT, WIDTH, draw_background
from producer.scenes.person import EXTENT, SCALE
from producer.scenes.truth import Film, Seen

__all__ = ["Film", "Scene", "Seen"]

#: A drawn face from the hairline to the chin, in half heights from the middle of the head.
_TOP, _BOTTOM = -0.72, 0.96
_PROFILE_SHIFT = 0.2  # of the face's width: a profile lies before the middle of the head
_NOISE_MARGIN_PX = 64


class Scene:
    """A room with people. The same arguments and the same time give the same pixels.

    ``lights`` are times and the light from then on; ``noise`` is the sensor's, in grey levels.
    """

    def __init__(
        self,
        background: int,
        actors: Sequence[Actor],
        duration_s: float,
        *,
        lights: Sequence[tuple[float, float]] = ((0.0, 1.0),),
        noise: float = 2.5,
    ) -> None:
        self.actors = tuple(actors)
        self._duration_s = duration_s
        self._room = draw_background(background)
        self._lights = tuple(lights)
        self._noise = _noise(background, noise)

    @property
    def duration_s(self) -> float:
        """Seconds until everybody has gone."""
        return self._duration_s

    def frame(self, t_s: float) -> Pixels:
        """The picture at a time, uint8 RGB (480, 640, 3)."""
        image = self._room.copy()
        for actor, placed in self._there(t_s):
            _paste(image, _layer(actor, placed), actor.light)
        light = [factor for since, factor in self._lights if since <= t_s][-1]
        if light != 1:
            image = np.asarray(cv2.convertScaleAbs(image, alpha=light), np.uint8)
        return self._with_noise(image, t_s)

    def truth(self, t_s: float) -> list[Seen]:
        """Everybody whose face is at least partly inside the picture, the smallest face first."""
        there = self._there(t_s)
        boxes = [_box(actor, placed) for actor, placed in there]
        seen = []
        for number, ((actor, placed), box) in enumerate(zip(there, boxes, strict=True)):
            if _inside(box) is None:
                continue
            visible = _visible(box, there[number + 1 :])
            pose = placed.pose.rounded()
            seen.append(
                Seen(actor.person.seed, *box, pose.worn, pose.turn, pose.hand, round(visible, 3))
            )
        return seen

    def _there(self, t_s: float) -> list[tuple[Actor, Placed]]:
        """Those who are there, the farthest first: the nearer ones are drawn over them."""
        placed = [(actor, actor.at(t_s)) for actor in self.actors]
        there = [(actor, place) for actor, place in placed if place is not None]
        return sorted(there, key=lambda entry: entry[1].face_px)

    def _with_noise(self, image: Pixels, t_s: float) -> Pixels:
        rng = np.random.default_rng(round(t_s * 1000))
        down, across = rng.integers(0, _NOISE_MARGIN_PX, 2)
        brighter, darker = (
            sign[down : down + HEIGHT, across : across + WIDTH] for sign in self._noise
        )
        return np.asarray(cv2.subtract(cv2.add(image, brighter), darker), np.uint8)


def _noise(seed: int, sigma: float) -> tuple[Pixels, Pixels]:
    """What noise adds and what it takes away, larger than a frame: each frame takes a part."""
    shape = (HEIGHT + _NOISE_MARGIN_PX, WIDTH + _NOISE_MARGIN_PX, 3)
    noise = np.random.default_rng(seed).normal(0, sigma, shape)
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)


def _layer(actor: Actor, placed: Placed) -> Pixels:
    """The person as they are in this frame, uint8 (480, 640, 4); the coat reaches the floor."""
    pictures = actor.person.pictures(placed.pose)
    scale = placed.face_px / (2 * actor.person.looks.half_width) / SCALE
    level = 0
    while scale < 0.5 and level + 1 < len(pictures):
        scale, level = scale * 2, level + 1
    middle = (-EXTENT[0] * SCALE / 2**level, -EXTENT[1] * SCALE / 2**level)
    matrix = cv2.getRotationMatrix2D(middle, placed.roll, scale)
    matrix[:, 2] += (placed.x - middle[0], placed.y - middle[1])
    layer = cv2.warpAffine(
        pictures[level], matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(layer, np.uint8)


def _paste(image: Pixels, layer: Pixels, light: float) -> None:
    """Put a layer on an image, in place."""
    columns = np.flatnonzero(layer[..., 3].any(axis=0))
    rows = np.flatnonzero(layer[..., 3].any(axis=1))
    if not columns.size:
        return
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    person = cv2.cvtColor(np.ascontiguousarray(layer[part]), cv2.COLOR_RGBA2RGB)
    if light != 1:
        person = cv2.convertScaleAbs(person, alpha=light)
    through = cv2.cvtColor(255 - layer[part][..., 3], cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(image[part], through, scale=1 / 255)
    image[part] = cv2.add(behind, person)


def _box(actor: Actor, placed: Placed) -> tuple[float, float, float, float]:
    """The face of a person: x, y, width, height in pixels."""
    looks, pose = actor.person.looks, placed.pose.rounded()
    half_height = placed.face_px / 2 * looks.half_height / looks.half_width
    shift = _PROFILE_SHIFT * pose.turn if pose.is_profile else 0
    return (
        placed.x + placed.face_px * (shift - 0.5),
        placed.y + _TOP * half_height,
        placed.face_px,
        (_BOTTOM - _TOP) * half_height,
    )


def _inside(box: tuple[float, float, float, float]) -> tuple[slice, slice] | None:
    """The part of a frame that a box covers; None if it lies outside."""
    x, y, width, height = box
    left, right = max(0, round(x)), min(WIDTH, round(x + width))
    top, bottom = max(0, round(y)), min(HEIGHT, round(y + height))
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None


def _visible(
    box: tuple[float, float, float, float], nearer: Sequence[tuple[Actor, Placed]]
) -> float:
    """The share of a face's box that is in the frame and not behind somebody nearer."""
    part = _inside(box)
    if part is None:
        return 0.0
    hidden: npt.NDArray[np.bool_] = np.zeros((HEIGHT, WIDTH), np.bool_)[part]
    for actor, placed in nearer:
        hidden = hidden | (_layer(actor, placed)[part][..., 3] > 127)
    return float((~hidden).sum() / (round(box[2]) * round(box[3])))
