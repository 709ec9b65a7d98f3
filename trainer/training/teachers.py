"""What finished networks say of a picture that another is learning from (Hinton et al., "Distilling the Knowledge", 2015)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainer.augmentation.augment import shrink
from trainer.training.checkpoint import Trained


class Teachers:
    """Any number of them, each of its own input size; none has no opinion."""

    def __init__(self, trained: Sequence[Trained]) -> None:
        self._trained = trained
        #: The largest picture that one of them wants.
        self.side_px = max((teacher.recipe.side_px for teacher in trained), default=0)
        for teacher in trained:
            teacher.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch forgot it in its types

    def opinion(self, images: Tensor) -> Tensor | None:
        """Probabilities (n, 2), the mean of all of them over the pictures and the mirrored pictures."""
        if not self._trained:
            return None
        with torch.no_grad():
            views = [
                (teacher.network, shrink(images, teacher.recipe.side_px))
                for teacher in self._trained
            ]
            both = [
                (network, side.contiguous(memory_format=torch.channels_last))
                for network, view in views
                for side in (view, view.flip(3))
            ]
            return torch.stack(
                [torch.softmax(network(view).float(), 1) for network, view in both]
            ).mean(0)
