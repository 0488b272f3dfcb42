"""Data parallelism with unequal batches: `process_group` makes the gradients those of one large batch.

    python examples/ddp.py

DistributedDataParallel averages the gradients of all processes. The average of their means is not the mean of all
entries when one process has more of them than another, as after a last short batch or where labels are ignored.
"""

import os
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from binxent.torch import BCEWithLogitsLoss

SHARES = [48, 16]  # samples of each process
IGNORED = -100


def make_data():
    """Return samples with four labels each; many of the second process's labels are unknown."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(sum(SHARES), 8, generator=generator)
    labels = (features[:, :4] + torch.randn(sum(SHARES), 4, generator=generator) > 0).long()
    labels[SHARES[0] :, :3] = IGNORED
    return features, labels


def gradient(model, loss, features, labels):
    model.zero_grad()
    loss(model(features), labels).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def work(rank, rendezvous):
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=len(SHARES))
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 4)
    features, labels = make_data()
    one_process = gradient(model, BCEWithLogitsLoss(ignore_index=IGNORED), features, labels)
    share = [part.split(SHARES)[rank] for part in (features, labels)]
    for name, group in [("mean of means", None), ("process_group", dist.group.WORLD)]:
        loss = BCEWithLogitsLoss(ignore_index=IGNORED, process_group=group)
        several = gradient(DistributedDataParallel(model), loss, *share)
        if rank == 0:
            error = (several - one_process).norm() / one_process.norm()
            print(f"{name:14} relative error of the gradient {error:.1e}", flush=True)
    dist.barrier()  # a process that ends early would take the connections of the others with it
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the processes are on one machine
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (os.path.join(folder, "rendezvous"),), nprocs=len(SHARES))
