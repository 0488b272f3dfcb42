"""Losses in JAX over several devices: those of one device, also with unequal weights and with labels missing."""

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from support import jax_ranks  # noqa: E402
from support.compare import close  # noqa: E402

TESTS = Path(__file__).parents[1]


def devices(count):
    """The environment of a process with so many devices on its CPU."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    flags = f"--xla_force_host_platform_device_count={count}"
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path, "KERAS_BACKEND": "jax"}


def run(commands, environment, folder):
    """Runs programs beside each other to their end."""
    processes = [
        subprocess.Popen(
            [sys.executable, *map(str, command)], env=environment, cwd=folder, stderr=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    try:
        said = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(said)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_losses_and_gradients_are_those_of_one_device(processes, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    program = TESTS / "support/jax_ranks.py"
    commands = [(program, tmp_path, str(rank), str(processes), address) for rank in range(processes)]
    run(commands, devices(4 // processes), tmp_path)
    found = np.load(tmp_path / "found.npz")
    for case in jax_ranks.CASES:
        loss, gradients = jax.value_and_grad(partial(jax_ranks.whole, case))(jax_ranks.parameters(), *jax_ranks.batch())
        for way in ("sharded", "by hand"):
            for name, want in zip(("loss", "matrix", "bias"), (loss, *gradients), strict=True):
                close(found[f"{case}/{way}/{name}"], want, 1e-5, 1e-7)


@pytest.mark.parametrize("case", list(jax_ranks.CASES)[1:])
def test_the_mean_of_the_devices_means_is_another(case):
    """Else the test above could not fail: the mean of what each device has would do."""
    parts = zip(*(np.split(array, 4) for array in jax_ranks.batch()), strict=True)
    means = [jax_ranks.whole(case, jax_ranks.parameters(), *part) for part in parts]
    whole = jax_ranks.whole(case, jax_ranks.parameters(), *jax_ranks.batch())
    assert abs(np.mean(means) - whole) > 0.01 * whole


KERAS = """
import keras
import numpy as np
from binxent.keras import BinaryCrossentropy

def fitted(distribution):
    keras.distribution.set_distribution(distribution)
    keras.utils.set_random_seed(0)
    steps = keras.Input((4, 3))
    hidden = keras.layers.Masking(-9.0)(steps)
    logits = keras.layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(seed=0))(hidden)
    model = keras.Model(steps, logits)
    loss = BinaryCrossentropy(True, reduction="mean_with_sample_weight", pos_weight=[1.0, 3.0])
    model.compile(keras.optimizers.SGD(0.5), loss)
    history = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, sample_weight=weight, verbose=0)
    return [np.array(history.history["loss"]), *model.get_weights()]

draw = np.random.default_rng(0)
x = draw.normal(size=(32, 4, 3)).astype("float32")
x[:5, 2:] = -9  # masked steps, all of them on the first devices
y = (draw.random((32, 4, 2)) < 0.4).astype("float32")
weight = (draw.random((32, 4)) * np.linspace(5, 0, 32)[:, None]).astype("float32")
assert len(keras.distribution.list_devices()) == 4
for got, want in zip(fitted(keras.distribution.DataParallel()), fitted(None), strict=True):
    np.testing.assert_allclose(got, want, 1e-4, 1e-6)
assert not np.allclose(want, 0)
"""


@pytest.mark.slow
def test_keras_fits_data_parallel_as_on_one_device(tmp_path):
    pytest.importorskip("keras")
    run([("-c", KERAS)], devices(4), tmp_path)
