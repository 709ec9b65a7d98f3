"""Training in several processes: each takes a part of every batch, and the gradients are averaged.

``torchrun --nproc-per-node 2 -m trainer train …`` starts them. Without torchrun there is one
process, and the functions here change nothing.
"""

import gc
import os

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def join_process_group() -> tuple[int, int]:
    """Join torchrun's processes: the rank of this process and the number of processes."""
    if "WORLD_SIZE" not in os.environ:
        return 0, 1
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    return distributed.get_rank(), distributed.get_world_size()


def data_parallel(network: nn.Module, world_size: int) -> nn.Module:
    """The network to call in training: its backward pass averages gradients over all processes.

    Batch statistics stay those of each process, and the first process saves its own: sending them
    before every step made a small network up to 15 % slower.
    """
    if world_size == 1:
        return network
    return DistributedDataParallel(
        network, gradient_as_bucket_view=True, forward_sync_buffers=False
    )


def broadcast_decision(*, decision: bool, world_size: int) -> bool:
    """The first process's decision, in all processes."""
    if world_size == 1:
        return decision
    value = torch.tensor([int(decision)])
    distributed.broadcast(value, 0)
    return bool(value.item())


def leave_process_group() -> None:
    """Leave torchrun's processes, if this process joined them. No training may be in use."""
    if distributed.is_available() and distributed.is_initialized():
        # A data-parallel network refers to itself. If it outlives the group, torch's threads abort
        # the process when it exits.
        gc.collect()
        distributed.destroy_process_group()
