"""How often each training image is drawn."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from trainer.data.labelled_images import LabelledImages

#: At most this share of the drawn images shows no mask, however many of them are given one.
_MOST_UNMASKED = 0.8


def sampling_weights(
    images: LabelledImages,
    favour: Mapping[str, float],
    masked_share: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """The probability with which each image is drawn, (n,); both classes have the same sum.

    Within a class, a source weighs as the square root of its size, so that a large source does not
    dominate. ``favour`` multiplies the weight of some sources. ``masked_share`` (n,) is the share
    of draws in which augmentation puts a mask on the image: unmasked faces are oversampled, so
    that half of the network's input is still unmasked after that.
    """
    keys = list(zip(images.sources, images.labels.tolist(), strict=True))
    counts = Counter(keys)
    weights = np.asarray([counts[key] ** -0.5 * favour.get(key[0], 1.0) for key in keys])
    for label in (0, 1):
        weights[images.labels == label] /= weights[images.labels == label].sum()
    unmasked = images.labels == 0
    still_unmasked = (
        1.0 if masked_share is None else float((weights * (1 - masked_share))[unmasked].sum())
    )
    share_unmasked = min(0.5 / still_unmasked, _MOST_UNMASKED)
    weights[unmasked] *= share_unmasked
    weights[~unmasked] *= 1 - share_unmasked
    return weights
