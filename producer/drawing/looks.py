"""What a drawn person looks like. All chance is here: drawing the same looks again changes nothing.

Lengths are shares of the head's half width or half height, unless a line says otherwise.
"""

from dataclasses import dataclass

import numpy as np

from producer.drawing.canvas import Colour

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
_DARK_FRAME, _HORN_FRAME = np.asarray((30.0, 28.0, 28.0)), np.asarray((140.0, 110.0, 60.0))


@dataclass(frozen=True, slots=True)
class Cloth:
    """A mask: its colour, where it ends on the face, and its folds, print or seam."""

    colour: Colour
    bridge: float
    edge: float
    chin: float
    folds: tuple[float, ...]
    print_colour: Colour
    spots: tuple[tuple[float, float], ...]

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Cloth":
        """Mostly folded surgical masks, some with a print, some with a seam."""
        style = rng.random()
        folds = tuple(part + rng.normal(0, 0.015) for part in (0.25, 0.42, 0.59))
        spots = tuple((rng.uniform(-0.9, 0.9), rng.uniform(0, 1)) for _ in range(14))
        printed = 0.6 <= style < 0.75
        return cls(
            colour=np.clip(_one_of(_MASKS, rng) + rng.normal(0, 8, 3), 0, 255),
            bridge=-rng.uniform(0.0, 0.08),
            edge=rng.uniform(0.08, 0.16),
            chin=rng.uniform(0.88, 0.97),
            folds=folds if style < 0.6 else (),
            print_colour=rng.uniform(0, 255, 3),
            spots=spots if printed else (),
        )


@dataclass(frozen=True, slots=True)
class Looks:
    """A person: half width and half height of the head in units, colours, features, cloth."""

    half_width: float
    half_height: float
    skin: Colour
    hair: Colour
    shirt: Colour
    hair_length: float
    fringe: float
    parting: float
    eye_opening: float
    brows: tuple[float, float]
    mouth_width: float
    smiling: bool
    beard: float | None
    beard_seed: int
    glasses: Colour | None
    cap: Colour | None
    cloth: Cloth

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Looks":
        """Somebody; the same generator state gives the same looks."""
        half_width = rng.uniform(30, 37)
        long_haired, bearded = rng.random() < LONG_HAIRED, rng.random() < BEARDED
        bespectacled, capped = rng.random() < BESPECTACLED, rng.random() < CAPPED
        return cls(
            half_width=half_width,
            half_height=half_width * rng.uniform(1.25, 1.42),
            skin=_one_of(_SKIN, rng) + rng.normal(0, 6, 3),
            hair=_one_of(_HAIR, rng),
            shirt=rng.uniform(20, 230, 3),
            hair_length=rng.uniform(0.9, 1.5) if long_haired else 0.75,
            fringe=rng.uniform(0.62, 0.78),
            parting=rng.uniform(-0.6, 0.6),
            eye_opening=rng.uniform(0.05, 0.085),
            brows=(rng.uniform(0.16, 0.2), rng.uniform(0.16, 0.2)),
            mouth_width=rng.uniform(0.3, 0.42),
            smiling=bool(rng.random() < SMILING),
            beard=rng.uniform(0.35, 0.8) if bearded else None,
            beard_seed=int(rng.integers(2**31)),
            glasses=_frame(rng) if bespectacled else None,
            cap=rng.uniform(10, 220, 3) if capped else None,
            cloth=Cloth.random(rng),
        )


@dataclass(frozen=True, slots=True)
class Head:
    """A head on a canvas: centre in units, and the turn, -1 to 1.

    The turn shifts the features of a face that is seen from the side.
    """

    looks: Looks
    x: float
    y: float
    turn: float = 0.0

    @property
    def half_width(self) -> float:
        """In units."""
        return self.looks.half_width

    @property
    def half_height(self) -> float:
        """In units."""
        return self.looks.half_height

    def feature_x(self, offset: float) -> float:
        """The x of a feature: shifted with the turn, with the far side foreshortened."""
        shift = self.turn * self.half_width * 0.6
        return self.x + shift + offset * self.half_width * (1 - 0.35 * abs(self.turn))


def _frame(rng: np.random.Generator) -> Colour:
    return _DARK_FRAME if rng.random() < DARK_FRAMED else _HORN_FRAME


def _one_of(colours: tuple[tuple[int, int, int], ...], rng: np.random.Generator) -> Colour:
    return np.asarray(colours[rng.integers(len(colours))], float)
