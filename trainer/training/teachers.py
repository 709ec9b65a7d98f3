"""Knowledge distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainer.augmentation.shrink import shrink
from trainer.training.checkpoint import Trained


class Teachers:
    """Trained networks, each with its own input size, whose probabilities another one learns."""

    def __init__(self, trained: Sequence[Trained]) -> None:
        self._trained = trained
        #: The largest input side of a teacher; 0 without teachers.
        self.side_px = max((teacher.recipe.side_px for teacher in trained), default=0)
        for teacher in trained:
            # torch's types lack this overload of `to`.
            teacher.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def teacher_probabilities(self, images: Tensor) -> Tensor | None:
        """The mean over all teachers, for each image and its mirror image, (n, 2).

        None without teachers.
        """
        if not self._trained:
            return None
        with torch.no_grad():
            views = [
                (teacher.network, shrink(images, teacher.recipe.side_px))
                for teacher in self._trained
            ]
            both_sides = [
                (network, side.contiguous(memory_format=torch.channels_last))
                for network, view in views
                for side in (view, view.flip(3))
            ]
            return torch.stack(
                [torch.softmax(network(view).float(), 1) for network, view in both_sides]
            ).mean(0)
