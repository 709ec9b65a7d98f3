"""Several machines: under ``torchrun`` every process takes its part of each batch, and the gradients are averaged.

``torchrun --nproc-per-node 2 -m trainer train …``; without it there is one process, and nothing here does anything.
"""

import os

import torch
from torch import distributed, nn


def place() -> tuple[int, int]:
    """Which process this is, and of how many: (rank, world)."""
    if "WORLD_SIZE" not in os.environ:
        return 0, 1
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    return distributed.get_rank(), distributed.get_world_size()


def average_gradients(network: nn.Module, world: int) -> None:
    """Every process gets the mean of all gradients."""
    if world == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(together)
    together /= world
    begin = 0
    for gradient in gradients:
        gradient.copy_(together[begin : begin + gradient.numel()].view_as(gradient))
        begin += gradient.numel()


def agree(stop: bool, world: int) -> bool:  # noqa: FBT001  (what the first process decided)
    """What the first process says, in all of them."""
    if world == 1:
        return stop
    said = torch.tensor([int(stop)])
    distributed.broadcast(said, 0)
    return bool(said.item())


def leave() -> None:
    """Part from the others, if there were any."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
