"""Training in JAX on several devices, of one process or of several that talk over loopback, each with its rows."""

import os
import sys

import numpy as np

ROWS, FEATURES, LABELS = 16, 5, 3

# The loss of each case, whose name says whether it has weights and missing labels.
CASES = {
    "mean": ("sigmoid_binary_cross_entropy", {}),
    "weighted": ("sigmoid_binary_cross_entropy", {"pos_weight": [1.0, 2.0, 3.0]}),
    "ignored": ("sigmoid_focal_loss", {"alpha": 0.25, "ignore_label": -1}),
    "weighted, ignored": ("sigmoid_asymmetric_loss", {"ignore_label": -1, "label_smoothing": 0.1}),
}


def batch():
    """Return the large batch: missing labels and heavy weights are mostly in the first rows."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(ROWS, FEATURES)).astype("float32")
    y = (draw.random((ROWS, LABELS)) < 0.4).astype("float32")
    y[: ROWS // 4, 1:] = -1
    weight = draw.random((ROWS, LABELS)).astype("float32") * np.linspace(5, 0, ROWS, dtype="float32")[:, None]
    return x, y, weight


def parameters():
    draw = np.random.default_rng(1)
    return draw.normal(size=(FEATURES, LABELS)).astype("float32"), np.zeros(LABELS, "float32")


def shares(case, parameters, x, y, weight):
    """Return the weighted sum of the costs, and the sum of the weights that count."""
    import jax.numpy as jnp

    import binxent.jax as door

    function, options = CASES[case]
    matrix, bias = parameters
    if "weighted" not in case:
        weight = jnp.ones_like(weight)
    if "ignored" in case:
        weight = jnp.where(y == -1, 0, weight)
    else:
        y = jnp.abs(y)
    return (weight * getattr(door, function)(x @ matrix + bias, y, **options)).sum(), weight.sum()


def whole(case, *arguments):
    total, count = shares(case, *arguments)
    return total / count


def in_shards(case, mesh):
    """Do the same by hand: each device adds up what it has, and all add these sums."""
    import jax
    from jax.sharding import PartitionSpec

    def loss(*arguments):
        total, count = jax.lax.psum(shares(case, *arguments), "batch")
        return total / count

    rows, everywhere = PartitionSpec("batch"), PartitionSpec()
    return jax.shard_map(loss, mesh=mesh, in_specs=(everywhere, rows, rows, rows), out_specs=everywhere)


def work(folder, rank, processes, address):
    """One process with its rows on its devices; the first writes losses and gradients of every case."""
    import jax

    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(address, processes, rank)
    assert jax.device_count() == 4 and jax.process_count() == processes

    import binxent.jax as door

    mesh = jax.sharding.Mesh(np.array(jax.devices()), "batch")
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    mine = slice(rank * ROWS // processes, (rank + 1) * ROWS // processes)
    data = [jax.make_array_from_process_local_data(rows, array[mine]) for array in batch()]

    each = jax.jit(door.sigmoid_binary_cross_entropy)(data[1], data[2])
    assert each.sharding.is_equivalent_to(rows, each.ndim)  # nothing was moved

    found = {}
    for case in CASES:
        for way, loss in {
            "sharded": lambda *data, case=case: whole(case, *data),
            "by hand": in_shards(case, mesh),
        }.items():
            value, gradients = jax.jit(jax.value_and_grad(loss))(parameters(), *data)
            for name, array in zip(("loss", "matrix", "bias"), (value, *gradients), strict=True):
                found[f"{case}/{way}/{name}"] = np.asarray(array)
    if rank == 0:
        np.savez(os.path.join(folder, "found.npz"), **found)


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
