"""Training in several processes on one machine: each takes its part of a batch, and they talk over loopback."""

import os
import pickle
from functools import partial

import torch

import binxent.torch as door

ROWS, FEATURES, LABELS = 16, 4, 3
PARTS = {1: [16], 2: [5, 11], 4: [1, 9, 0, 6]}

# The loss of each case: its function and options, and whether it takes weights.
CASES = {
    "mean": (door.binary_cross_entropy_with_logits, {}, False),
    "mean, weights": (door.binary_cross_entropy_with_logits, {}, True),
    "mean, ignored": (door.binary_cross_entropy_with_logits, {"ignore_index": -1}, False),
    "mean, ignored as NaN": (door.asymmetric_loss, {"ignore_index": torch.nan}, True),
    "weighted mean": (door.binary_cross_entropy_with_logits, {"reduction": "weighted_mean", "pos_weight": 2.0}, True),
    "weighted mean, ignored": (
        partial(door.sigmoid_focal_loss, reduction="weighted_mean"),
        {"ignore_index": -1, "label_smoothing": 0.1},
        True,
    ),
    "probabilities": (
        lambda z, *rest, **options: door.binary_cross_entropy(z.sigmoid(), *rest, **options),
        {"ignore_index": -1},
        False,
    ),
    "modules": (
        lambda z, y, **options: door.PolyBCEWithLogitsLoss(**options)(z, y),
        {},
        True,
    ),
}
WRAPPERS = ("plain", "ddp", "fsdp", "fully_shard")


def batch(case):
    """Return the large batch, the same in every process."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, FEATURES, generator=draw, dtype=torch.float64)
    y = (torch.rand(ROWS, LABELS, generator=draw) < 0.4).double()
    weight = torch.rand(ROWS, LABELS, generator=draw, dtype=torch.float64) * 3
    weight[torch.rand(ROWS, LABELS, generator=draw) < 0.2] = 0
    ignore = CASES[case][1].get("ignore_index")
    if ignore is not None:
        y[:6, 1:] = ignore  # far more on the first processes than on the last
        y[0] = ignore
    return x, y, weight


def step(case, model, x, y, weight, process_group=None):
    """Return the loss of a case on rows of the batch, and leave gradients in the model."""
    function, options, weighted = CASES[case]
    if weighted:
        options = options | {"weight": weight}
    loss = function(model(x), y, process_group=process_group, **options)
    loss.backward()
    return loss.detach()


def model():
    """Return the same model in every process."""
    torch.manual_seed(0)
    return torch.nn.Linear(FEATURES, LABELS, dtype=torch.float64)


def whole(case):
    """Return the loss and the gradients of the large batch, in this process alone."""
    alone = model()
    loss = step(case, alone, *batch(case))
    return loss, [parameter.grad for parameter in alone.parameters()]


def work(rank, world, folder):
    """One process: every case under every wrapper; rank 0 writes what they found."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    distributed = torch.distributed
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    found = {}
    for case in CASES:
        rows = slice(sum(PARTS[world][:rank]), sum(PARTS[world][: rank + 1]))
        for wrapper in WRAPPERS:
            wrapped, gradients = wrap(wrapper)
            loss = step(case, wrapped, *(tensor[rows] for tensor in batch(case)), distributed.group.WORLD)
            distributed.all_reduce(loss)
            found[case, wrapper] = loss / world, gradients()
    if rank == 0:
        with open(f"{folder}/found", "wb") as file:
            pickle.dump(found, file)
    distributed.barrier()
    distributed.destroy_process_group()


def wrap(wrapper):
    """Return the model in data parallelism of some kind, and a function that gathers its gradients."""
    fresh, distributed = model(), torch.distributed
    if wrapper == "ddp":
        wrapped = torch.nn.parallel.DistributedDataParallel(fresh)
        return wrapped, lambda: [parameter.grad for parameter in fresh.parameters()]
    if wrapper == "fsdp":
        from torch.distributed.fsdp import FullyShardedDataParallel

        wrapped = FullyShardedDataParallel(fresh, device_id=torch.device("cpu"), use_orig_params=True)
        return wrapped, partial(unsharded, wrapped)
    if wrapper == "fully_shard":
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        fully_shard(fresh, mesh=init_device_mesh("cpu", (distributed.get_world_size(),)))
        return fresh, lambda: [parameter.grad.full_tensor() for parameter in fresh.parameters()]

    def average():
        for parameter in fresh.parameters():
            distributed.all_reduce(parameter.grad)
            parameter.grad /= distributed.get_world_size()
        return [parameter.grad for parameter in fresh.parameters()]

    return fresh, average


def unsharded(wrapped):
    """Return the whole gradients of a model that is sharded."""
    from torch.distributed.fsdp import FullyShardedDataParallel

    with FullyShardedDataParallel.summon_full_params(wrapped, with_grads=True):
        return [parameter.grad.clone() for parameter in wrapped.parameters()]
