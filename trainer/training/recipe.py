"""The options of a training, and the image sizes that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from maskgate.inference.card import InputShape

#: Images are kept larger than the network's input by this factor, so that augmentation can crop.
#: At 2, an image that is not moved is as sharp as in serving. At 1.4, training images were
#: blurred, and accuracy on the sharp test set fell by 2 points.
_KEPT_SIZE = 2
#: Images are kept no larger than this, unless the input is larger: the face crops have no more.
_KEPT_PX = 128


@dataclass(frozen=True, slots=True)
class Recipe:
    """The options of a training. Every field is a command-line option and is saved in checkpoints.

    ``geometry`` to ``cut_masks`` are explained in
    :class:`trainer.augmentation.augment.AugmentationOptions`.
    """

    network: str = "residual"
    width: float = 1.0  # scales the channels of all layers; ``trainer size`` shows the cost
    side_px: int = 28
    channels: int = 3
    pretrained: bool = False  # start from public weights: trainer.networks.pretrained
    mirror: bool = False  # average with the mirrored image when serving, at twice the cost
    samples: int = 1_000_000  # augmented images seen in total
    batch: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05  # some labels are wrong
    ema_decay: float = 0.998  # of the averaged weights; smaller in a short training
    geometry: float = 1.0
    light: float = 1.0
    damage: float = 1.0
    occluders: float = 1.0
    fewest_px: int = 12
    grey: float = 0.25  # share of grey images: for infrared cameras and the bank's grey data set
    synthetic_masks: float = 0.3
    cut_masks: float = 0.3
    distil: float = 0.7  # weight of the teachers' probabilities; the labels have the rest
    patience: int = 10  # stop after so many validations (of 20) without a better loss
    keep_best: bool = False  # keep the weights of the best validation loss, not the last ones
    seed: int = 0
    threads: int = 2
    favour: Mapping[str, float] = field(default_factory=dict)  # sampling weight of a source
    tight: Sequence[str] = ()  # sources whose faces fill the image: synthetic masks fit them


def kept_shape(recipe: Recipe) -> InputShape:
    """The size at which training images are kept: in colour, larger than the network's input."""
    side = max(recipe.side_px, min(recipe.side_px * _KEPT_SIZE, _KEPT_PX))
    return InputShape(side, side, 3)


def input_shape(recipe: Recipe) -> InputShape:
    """The network's input."""
    return InputShape(recipe.side_px, recipe.side_px, recipe.channels)
