"""Faces drawn by code, with and without a mask: for load tests and demos without any data.

They are drawn at 112 px with anti-aliased shapes and soft shading. Reduced to the model's input
they still have eye sockets, the shadow of a nose, lips and a jaw, or cloth with folds.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from maskgate.inference.image import Pixels
from producer.shapes import SIDE_PX, Colour, FloatImage, blend, ellipse, line, polygon

# Share of the faces with each feature.
BEARDED, BESPECTACLED, CAPPED, LONG_HAIRED, DARK_FRAMED, SMILING = 0.2, 0.25, 0.12, 0.4, 0.7, 0.3
_SKIN = (
    (255, 224, 196),
    (241, 194, 155),
    (224, 172, 125),
    (198, 134, 88),
    (160, 105, 70),
    (110, 70, 48),
    (80, 52, 38),
)
_HAIR = ((25, 20, 18), (50, 35, 25), (90, 60, 35), (150, 110, 60), (120, 120, 120), (190, 185, 180))
_MASKS = (
    (150, 195, 225),
    (120, 175, 215),
    (235, 240, 242),
    (225, 228, 230),
    (35, 35, 40),
    (60, 75, 110),
    (120, 120, 125),
    (150, 200, 185),
)


@dataclass(frozen=True, slots=True)
class DrawnFace:
    """A drawing: ``pixels`` uint8 RGB (side_px, side_px, 3); ``slice`` names what makes it hard."""

    pixels: Pixels
    masked: bool
    slice: str


@dataclass(frozen=True, slots=True)
class _Face:
    """Positions in pixels; ``turn`` shifts the features of a face that is seen from the side."""

    x: float
    y: float
    half_width: float
    half_height: float
    turn: float
    skin: Colour


def draw_face(rng: np.random.Generator, *, masked: bool, side_px: int = SIDE_PX) -> DrawnFace:
    """Draw one face; the same generator state gives the same pixels."""
    half_width = rng.uniform(30, 37)
    face = _Face(
        x=SIDE_PX / 2 + rng.normal(0, 3),
        y=SIDE_PX / 2 + rng.normal(2, 3),
        half_width=half_width,
        half_height=half_width * rng.uniform(1.25, 1.42),
        turn=float(np.clip(rng.normal(0, 0.22), -0.5, 0.5)),
        skin=np.asarray(_SKIN[rng.integers(len(_SKIN))]) + rng.normal(0, 6, 3),
    )
    canvas = _background(rng)
    hair = np.asarray(_HAIR[rng.integers(len(_HAIR))], float)
    _head(canvas, face, hair, rng)
    _eyes(canvas, face, hair, rng)
    _nose(canvas, face)
    _mouth(canvas, face, rng)
    tags = []
    if rng.random() < BEARDED:
        _beard(canvas, face, hair, rng)
        tags.append("beard")
    if masked:
        _mask(canvas, face, rng)
    if rng.random() < BESPECTACLED:
        _glasses(canvas, face, rng)
        tags.append("glasses")
    if rng.random() < CAPPED:
        _cap(canvas, face, rng)
        tags.append("cap")
    if abs(face.turn) > 0.35:
        tags.append("turned")
    light = rng.uniform(0.55, 1.1)
    if light < 0.68:
        tags.append("dark")
    pixels = _photograph(canvas, face, light, rng)
    if side_px != SIDE_PX:
        pixels = np.asarray(
            cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8
        )
    return DrawnFace(pixels, masked, tags[-1] if tags else "plain")


def _background(rng: np.random.Generator) -> FloatImage:
    coarse = (
        rng.uniform(30, 225)
        + rng.normal(0, 12, 3)
        + rng.normal(0, 22, (4, 4, 1))
        + rng.normal(0, 8, (4, 4, 3))
    )
    return np.asarray(
        cv2.resize(coarse.astype(np.float32), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC),
        np.float32,
    )


def _head(canvas: FloatImage, face: _Face, hair: Colour, rng: np.random.Generator) -> None:
    x, y, w, h = face.x, face.y, face.half_width, face.half_height
    shirt = rng.uniform(20, 230, 3)
    blend(canvas, ellipse(x, y + h * 1.75, w * 2.1, h * 0.85, soft=1), shirt)
    blend(
        canvas,
        polygon(
            [
                (x - w * 0.55, y + h * 0.4),
                (x + w * 0.55, y + h * 0.4),
                (x + w * 0.6, y + h * 1.3),
                (x - w * 0.6, y + h * 1.3),
            ],
            soft=1,
        ),
        face.skin * 0.72,
    )
    long = rng.uniform(0.9, 1.5) if rng.random() < LONG_HAIRED else 0.75
    blend(canvas, ellipse(x, y - h * 0.18, w * 1.17, h * long, soft=1.2), hair)
    for side in (-1, 1):
        blend(
            canvas,
            ellipse(
                x + side * w * (1.0 - 0.1 * side * face.turn), y + 1, w * 0.13, h * 0.18, soft=0.8
            ),
            face.skin * 0.85,
        )
    skull = ellipse(x, y - h * 0.12, w, h * 0.86)
    jaw = ellipse(x, y + h * 0.25, w * 0.84, h * 0.72)
    cover = np.asarray(cv2.GaussianBlur(np.maximum(skull, jaw), (0, 0), 0.8), np.float32)
    blend(canvas, cover, face.skin)
    # Shading: darker at the edges and below the cheeks, lighter on forehead, nose and cheeks.
    inner = ellipse(x + face.turn * w * 0.4, y, w * 0.72, h * 0.78, soft=9)
    blend(canvas, cover * (1 - inner), face.skin * 0.66, 0.75)
    blend(
        canvas,
        ellipse(x + face.turn * w * 0.5, y - h * 0.5, w * 0.5, h * 0.18, soft=6),
        np.minimum(face.skin * 1.15, 255),
        0.6,
    )
    fringe = y - h * rng.uniform(0.62, 0.78)
    top = polygon(
        [
            (x - w * 1.1, y - h * 1.1),
            (x + w * 1.1, y - h * 1.1),
            (x + w * 0.95, fringe + 6),
            (x + rng.uniform(-w, w) * 0.6, fringe),
            (x - w * 0.95, fringe + 6),
        ],
        soft=1.5,
    )
    blend(canvas, top * ellipse(x, y - h * 0.18, w * 1.17, h * 0.9, soft=1), hair)


def _features_x(face: _Face, offset: float) -> float:
    """The x of a feature: shifted with the turn, with the far side foreshortened."""
    return (
        face.x
        + face.turn * face.half_width * 0.6
        + offset * face.half_width * (1 - 0.35 * abs(face.turn))
    )


def _eyes(canvas: FloatImage, face: _Face, hair: Colour, rng: np.random.Generator) -> None:
    y, w, h = face.y - face.half_height * 0.12, face.half_width, face.half_height
    openness = rng.uniform(0.05, 0.085)
    for side in (-1, 1):
        x = _features_x(face, side * 0.4)
        blend(canvas, ellipse(x, y - h * 0.02, w * 0.26, h * 0.12, soft=3), face.skin * 0.55, 0.7)
        blend(
            canvas,
            ellipse(x, y, w * 0.18, h * openness, soft=0.6),
            np.asarray((228.0, 222.0, 216.0)),
        )
        blend(
            canvas,
            ellipse(x, y, w * 0.085, h * openness, soft=0.5),
            np.asarray((45.0, 32.0, 25.0)),
        )
        lid = [
            (x - w * 0.2, y),
            (x - w * 0.08, y - h * openness),
            (x + w * 0.08, y - h * openness),
            (x + w * 0.2, y),
        ]
        blend(canvas, line(lid, 2, soft=0.6), face.skin * 0.25, 0.8)
        brow = y - h * rng.uniform(0.16, 0.2)
        blend(
            canvas,
            line(
                [(x - w * 0.25, brow + 1), (x, brow - 1.5), (x + w * 0.25, brow + 1)], 3, soft=0.9
            ),
            hair * 0.8,
            0.8,
        )


def _nose(canvas: FloatImage, face: _Face) -> None:
    x, w, h = _features_x(face, face.turn * 0.2), face.half_width, face.half_height
    tip = face.y + h * 0.2
    shadow = 1.0 if face.turn <= 0 else -1.0
    blend(
        canvas,
        line(
            [(x + shadow * w * 0.1, face.y - h * 0.12), (x + shadow * w * 0.13, tip - 3)], 3, soft=2
        ),
        face.skin * 0.6,
        0.7,
    )
    blend(
        canvas,
        line([(x, face.y - h * 0.1), (x, tip - 4)], 3, soft=1.8),
        np.minimum(face.skin * 1.2, 255),
        0.7,
    )
    blend(canvas, ellipse(x, tip + 1, w * 0.24, h * 0.055, soft=1.6), face.skin * 0.5, 0.7)
    for side in (-1, 1):
        blend(
            canvas,
            ellipse(x + side * w * 0.1, tip, w * 0.055, h * 0.025, soft=0.6),
            face.skin * 0.22,
            0.9,
        )


def _mouth(canvas: FloatImage, face: _Face, rng: np.random.Generator) -> None:
    x, y, w, h = (
        _features_x(face, 0),
        face.y + face.half_height * 0.5,
        face.half_width,
        face.half_height,
    )
    wide, lips = rng.uniform(0.3, 0.42), face.skin * np.asarray((0.82, 0.5, 0.5))
    blend(canvas, ellipse(x, y + h * 0.13, w * 0.25, h * 0.05, soft=2.5), face.skin * 0.6, 0.6)
    blend(canvas, ellipse(x, y, w * wide, h * 0.062, soft=0.9), lips, 0.9)
    if rng.random() < SMILING:
        blend(
            canvas,
            ellipse(x, y, w * wide * 0.8, h * 0.035, soft=0.6),
            np.asarray((235.0, 228.0, 220.0)),
        )
    else:
        blend(
            canvas,
            line([(x - w * wide, y), (x, y + 0.8), (x + w * wide, y)], 2, soft=0.7),
            lips * 0.4,
            0.9,
        )


def _beard(canvas: FloatImage, face: _Face, hair: Colour, rng: np.random.Generator) -> None:
    x, y, w, h = _features_x(face, 0), face.y, face.half_width, face.half_height
    chin = ellipse(x, y + h * 0.5, w * 0.75, h * 0.46, soft=2.5) * (
        1 - ellipse(x, y + h * 0.15, w * 0.62, h * 0.3, soft=2.5)
    )
    chin = chin * (1 - ellipse(x, y + h * 0.5, w * 0.36, h * 0.07, soft=1))
    texture = 1 + rng.normal(0, 0.18, (SIDE_PX, SIDE_PX)).astype(np.float32)
    blend(canvas, np.clip(chin * texture, 0, 1).astype(np.float32), hair, rng.uniform(0.35, 0.8))


def _mask(canvas: FloatImage, face: _Face, rng: np.random.Generator) -> None:
    x, y, w, h = _features_x(face, 0), face.y, face.half_width, face.half_height
    colour = np.clip(np.asarray(_MASKS[rng.integers(len(_MASKS))]) + rng.normal(0, 8, 3), 0, 255)
    bridge, edge, chin = (
        y - h * rng.uniform(0.0, 0.08),
        y + h * rng.uniform(0.08, 0.16),
        y + h * rng.uniform(0.88, 0.97),
    )
    left, right = face.x - w * 0.9, face.x + w * 0.9
    outline = [
        (x - w * 0.18, bridge), (x + w * 0.18, bridge),
        (right, edge), (right - w * 0.08, y + h * 0.5),
        (x + w * 0.42, chin), (x - w * 0.42, chin),
        (left + w * 0.08, y + h * 0.5), (left, edge),
    ]  # fmt: skip
    for side, at in ((-1, left), (1, right)):
        for height in (edge, y + h * 0.5):
            blend(
                canvas,
                line([(at, height), (face.x + side * w * 1.02, y - h * 0.02)], 1, soft=0.5),
                colour * 0.95,
                0.8,
            )
    blend(canvas, polygon(outline, soft=2.5), face.skin * 0.4, 0.5)
    cover = polygon(outline, soft=0.8)
    blend(canvas, cover, colour)
    middle = ellipse(x, y + h * 0.38, w * 0.55, h * 0.42, soft=8)
    blend(canvas, cover * (1 - middle), colour * 0.68, 0.8)
    blend(
        canvas,
        cover * line([(x, bridge + 2), (x, y + h * 0.35)], 4, soft=3),
        np.minimum(colour * 1.15, 255),
        0.6,
    )
    style = rng.random()
    if style < 0.6:
        for part in (0.25, 0.42, 0.59):
            fold = y + h * (part + rng.normal(0, 0.015))
            blend(
                canvas,
                cover * line([(left, fold - 2), (x, fold + 2), (right, fold - 2)], 1, soft=0.8),
                colour * 0.75,
                0.7,
            )
    elif style < 0.75:
        print_colour = rng.uniform(0, 255, 3)
        for _ in range(14):
            spot = ellipse(rng.uniform(left, right), rng.uniform(edge, chin), 2.5, 2.5, soft=0.6)
            blend(canvas, cover * spot, print_colour, 0.8)
    else:
        blend(canvas, cover * line([(x, bridge), (x, chin)], 1, soft=1), colour * 0.7, 0.7)


def _glasses(canvas: FloatImage, face: _Face, rng: np.random.Generator) -> None:
    y, w, h = face.y - face.half_height * 0.1, face.half_width, face.half_height
    frame = (
        np.asarray((30.0, 28.0, 28.0))
        if rng.random() < DARK_FRAMED
        else np.asarray((140.0, 110.0, 60.0))
    )
    for side in (-1, 1):
        x = _features_x(face, side * 0.42)
        ring = ellipse(x, y, w * 0.32, h * 0.16) - ellipse(x, y, w * 0.32 - 1.6, h * 0.16 - 1.6)
        blend(canvas, np.clip(ring, 0, 1).astype(np.float32), frame, 0.9)
    blend(
        canvas,
        line([(_features_x(face, -0.1), y - 1), (_features_x(face, 0.1), y - 1)], 2),
        frame,
        0.9,
    )


def _cap(canvas: FloatImage, face: _Face, rng: np.random.Generator) -> None:
    x, y, w, h = face.x, face.y, face.half_width, face.half_height
    colour = rng.uniform(10, 220, 3)
    rim = y - h * 0.55
    dome = ellipse(x, rim, w * 1.15, h * 0.6, soft=1)
    dome[round(rim) :] = 0
    blend(canvas, dome, colour)
    blend(canvas, ellipse(x + face.turn * w, rim, w * 1.0, h * 0.1, soft=1), colour * 0.6)


def _photograph(canvas: FloatImage, face: _Face, light: float, rng: np.random.Generator) -> Pixels:
    """Adds light from one side, a colour cast, angle and distance of the camera, blur and noise."""
    ramp = np.linspace(-1, 1, SIDE_PX, dtype=np.float32)
    across, down = rng.uniform(-0.3, 0.3, 2)
    image = canvas * light * (1 + across * ramp[None, :, None] + down * ramp[:, None, None])
    image = image * np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    turn = cv2.getRotationMatrix2D(
        (face.x, face.y), float(rng.normal(0, 7)), float(rng.uniform(1.0, 1.45))
    )
    turn[:, 2] += np.asarray(
        (SIDE_PX / 2 - face.x + rng.normal(0, 2), SIDE_PX / 2 - face.y + rng.normal(0, 2))
    )
    image = np.asarray(
        cv2.warpAffine(image, turn, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REFLECT), np.float32
    )
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 2.0))), np.float32)
    image += rng.normal(0, rng.uniform(1, 6), image.shape).astype(np.float32)
    return np.asarray(np.clip(image, 0, 255), np.uint8)
