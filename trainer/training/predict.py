"""Ask a torch network about images."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from maskgate.inference.preprocess import normalise
from trainer.training.checkpoint import Trained

_CHUNK = 512


def logits_of(network: nn.Module, reduced: npt.NDArray[np.uint8]) -> Tensor:
    """Logits (n, 2) for images at the network's input size, (n, height, width, channels)."""
    with torch.inference_mode():
        return torch.cat(
            [
                network(torch.from_numpy(normalise(reduced[i : i + _CHUNK])))
                for i in range(0, len(reduced), _CHUNK)
            ]
        )


def p_mask_of_trained(trained: Trained, reduced: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Calibrated probabilities (n,) for images at the network's input size, computed by torch."""
    logits = logits_of(trained.network, reduced).double()
    p_mask: npt.NDArray[np.float64] = torch.softmax(logits / trained.temperature, 1)[:, 1].numpy()
    return p_mask
