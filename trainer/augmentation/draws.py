"""Random numbers for a batch."""

import torch
from torch import Generator, Tensor


def uniform(like: Tensor, random: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform numbers (n, *shape) for the n images of a batch; default shape: (1, 1, 1)."""
    return torch.rand((len(like), *(shape or (1, 1, 1))), generator=random) * (high - low) + low
