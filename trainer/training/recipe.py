"""How to train: every option, and the sizes that follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from maskgate.inference.card import InputShape

#: Pictures are kept this much larger than the network's input, for the augmentation to cut from. Twice, so that one which is not moved
#: comes out as sharp as serving makes it: at 1.4 times, training was blurred, and the sharp test set lost two points.
_KEPT_SIZE = 2
#: But no larger than this, unless the input is: the pools of face crops hold no more.
_KEPT_PX = 128


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train; every field is a command-line option."""

    network: str = "residual"
    width: float = 1.0  # of every layer; ``python -m trainer size`` shows what a width costs
    side_px: int = 28
    channels: int = 3
    pretrained: bool = (
        False  # begin with public weights, where the network has some: trainer.networks.pretrained
    )
    mirror: bool = (
        False  # the finished network is asked about the mirrored picture too, at twice the cost
    )
    samples: int = 1_000_000  # augmented pictures seen in all
    batch: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05  # some labels are wrong
    ema_decay: float = 0.998  # of the averaged weights; less in a short training, which would else average its beginning
    geometry: float = 1.0  # this and the next seven: trainer.augmentation.augment.World
    light: float = 1.0
    damage: float = 1.0
    occluders: float = 1.0
    fewest_px: int = 12
    grey: float = 0.25  # share of pictures that lose their colour: infrared cameras and the bank's grey data set
    synthetic_masks: float = 0.3
    cut_masks: float = 0.3
    distil: float = (
        0.7  # weight of the teachers' opinion against the label's; without teachers, none
    )
    patience: int = 10  # looks (there are 20) without a better validation loss before it stops
    keep_best: bool = (
        False  # the weights of the best validation loss, for a validation on a door; else the last
    )
    seed: int = 0
    threads: int = 2
    favour: Mapping[str, float] = field(
        default_factory=dict
    )  # how much more a source weighs than its size says
    tight: Sequence[str] = ()  # sources whose faces fill the picture: synthetic masks fit them


def kept_shape(recipe: Recipe) -> InputShape:
    """The size at which pictures are kept for training: colour, larger than the network's input."""
    side = max(recipe.side_px, min(recipe.side_px * _KEPT_SIZE, _KEPT_PX))
    return InputShape(side, side, 3)


def input_shape(recipe: Recipe) -> InputShape:
    """The network's input."""
    return InputShape(recipe.side_px, recipe.side_px, recipe.channels)
