"""Means over the replicas of TensorFlow's strategies, which are those of one device however masks are spread."""

import json
import math
import os
import pickle
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from support import replicas
from support.compare import close

from binxent.tensorflow import compute_weighted_average_loss


def run(folder, how, clusters=({},)):
    """What processes find, one for each value of TF_CONFIG."""
    processes = []
    for number, cluster in enumerate(clusters):
        environment = os.environ | {"TF_CONFIG": json.dumps(cluster), "KERAS_BACKEND": "tensorflow"}
        program = [sys.executable, replicas.__file__, str(folder / f"{how}{number}"), how]
        processes.append(subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True))
    try:
        said = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(said)
    return [pickle.loads((folder / f"{how}{number}").read_bytes()) for number in range(len(processes))]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """What one process finds, on one device and on two."""
    return run(tmp_path_factory.mktemp("mirrored"), "mirrored")[0]


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """What each of two processes finds."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    clusters = [{"cluster": {"worker": addresses}, "task": task} for task in tasks]
    return run(tmp_path_factory.mktemp("workers"), "worker", clusters)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["loop", "tf_keras", "keras"])
def test_two_devices_train_as_one(mirrored, how):
    compared = [case for name, case in mirrored["together"] if name == how]
    assert compared == list(replicas.LOOPS if how == "loop" else replicas.CASES)
    for case in compared:
        wanted = mirrored["alone"]["loop" if how == "loop" else "tf_keras", case]
        for got, want in zip(mirrored["together"][how, case], wanted, strict=True):
            close(got, want, 1e-5, 1e-6)


@pytest.mark.slow
def test_two_processes_train_as_one(mirrored, workers):
    for worker in workers:
        assert {case for _, case in worker["together"]} == {*replicas.LOOPS, *replicas.AMONG_PROCESSES}
        for key, results in worker["together"].items():
            for got, want in zip(results, mirrored["alone"][key], strict=True):
                close(got, want, 1e-5, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["keras", "tf_keras"])
def test_the_means_of_keras_depend_on_who_has_the_masks(mirrored, peer):
    """Else the tests above could not fail. Where Keras has mended it, this goes."""
    loss, kernel, _ = mirrored["alone"]["tf_keras", "masked"]
    assert abs(mirrored[peer][0] - loss) > 1e-3
    assert abs(mirrored[peer][1] - kernel).max() > 1e-3


@pytest.mark.slow
def test_fit_of_keras_3_stops_under_several_workers(workers):
    """keras#20585, whatever the loss: where Keras has mended it, its cases join those of tf_keras above."""
    for worker in workers:
        assert worker["keras"].startswith("Attempt to convert a value (PerReplica:")


# Where nothing is distributed.


def test_a_weighted_average_is_one():
    losses = np.float32([[1, 2, 4], [8, 16, 32]])
    close(compute_weighted_average_loss(losses), losses.mean(), 1e-6)
    for weight in (2.0, np.float32([1, 3]), np.float32([[1], [3]]), np.arange(6).reshape(2, 3)):
        each = np.broadcast_to(np.reshape(weight, (*np.shape(weight), *[1] * (2 - np.ndim(weight)))), losses.shape)
        close(compute_weighted_average_loss(losses, weight), np.average(losses, weights=each), 1e-6)
    with pytest.raises(ValueError, match="`sample_weight` must be a number, or have the shape"):
        compute_weighted_average_loss(losses, np.ones(3))


def test_what_weighs_nothing_is_not_seen():
    assert float(compute_weighted_average_loss([1.0, math.nan], [1.0, 0.0])) == 1
    assert float(compute_weighted_average_loss([1.0, math.nan], [0.0, 0.0])) == 0
    halves = tf.fill([100_000], tf.constant(0.5, "float16"))
    got = compute_weighted_average_loss(halves)
    assert got.dtype == "float32"
    close(got, 0.5, 1e-6)
