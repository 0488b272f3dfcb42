"""Training with TensorFlow on several replicas: logical CPUs of one process, or processes that talk over loopback.

Run as a program it is one such process: `replicas.py FILE mirrored`, or `replicas.py FILE worker` with TF_CONFIG set.
"""

import os
import pickle
import sys

import numpy as np

ROWS, STEPS, FEATURES, RATE = 12, 3, 4, 0.5
KERNEL = np.linspace(-1, 1, FEATURES, dtype="float32")[:, None]
PARTS = ((0, 4), (4, ROWS))  # the rows of either replica in loops of one's own; `fit` cuts batches in half

# Each case of `fit`: options of the loss, and what the batch has.
CASES = {
    "odd": ({}, ("odd",)),  # a last batch whose halves are not equal; at a first one Keras 3 stops, whatever the loss
    "weights": ({}, ("weights",)),
    "masked": ({}, ("masked",)),
    "masked, weights, ignored": ({"ignore_label": -1}, ("weights", "ignored", "masked")),
    "weighted mean": ({"reduction": "mean_with_sample_weight"}, ("weights",)),
}
AMONG_PROCESSES = ("odd", "masked, weights, ignored", "weighted mean")


def batch(having):
    """Return the large batch, the same in every process; special values are mostly in its first rows."""
    rng = np.random.default_rng(0)
    rows = ROWS + 5 if "odd" in having else ROWS
    x = rng.normal(size=(rows, STEPS, FEATURES)).astype("float32")
    y = rng.integers(0, 2, (rows, STEPS, 1)).astype("float32")
    weight = np.where(np.arange(rows) < 5, 4.0, 0.5).astype("float32")
    if "ignored" in having:
        y[:5, 1:] = -1
    if "masked" in having:
        x[1:6, 2] = 0  # steps that the Masking layer hides
    return x, y, weight if "weights" in having else None


def network(keras):
    """Return the same model in every process."""
    inputs = keras.Input((STEPS, FEATURES))
    hidden = keras.layers.Masking()(inputs)
    model = keras.Model(inputs, keras.layers.TimeDistributed(keras.layers.Dense(1))(hidden))
    model.set_weights([KERNEL, np.zeros(1)])
    return model


def fitted(keras, define, case):
    """Return the loss of an epoch of `fit`, which is a step or two, and the weights thereafter."""
    options, having = CASES[case]
    model = network(keras)
    model.compile(keras.optimizers.SGD(RATE), define(from_logits=True, **options))
    x, y, weight = batch(having)
    loss = model.fit(x, y, ROWS, 1, 0, sample_weight=weight, shuffle=False).history["loss"]
    return [np.float32(loss[0]), *map(np.asarray, model.get_weights())]


def looped(strategy, case):
    """Return the loss of a custom loop, and its gradients: each replica has a part of the rows."""
    import tensorflow as tf

    from binxent import tf_keras
    from binxent.tensorflow import compute_weighted_average_loss, sigmoid_cross_entropy_with_logits

    having = CASES.get(case, ((), ("weights",)))[1]
    x, y, weight = batch(having)
    weight = np.ones(ROWS, "float32") if weight is None else weight
    with strategy.scope():
        kernel = tf.Variable(KERNEL)
        loss = tf_keras.BinaryCrossentropy(from_logits=True, reduction="none")

    def part(context):
        begin, end = PARTS[context.replica_id_in_sync_group] if context.num_replicas_in_sync > 1 else (0, ROWS)
        return [tf.constant(values[begin:end]) for values in (x, y, weight)]

    def share(x, y, weight):
        with tf.GradientTape() as tape:
            logits = x @ kernel
            if case == "average":  # TensorFlow's own, of what the class gives for each step
                losses = loss(y, logits, sample_weight=weight)
                value = tf.nn.compute_average_loss(losses, global_batch_size=ROWS) / STEPS
            else:
                losses = sigmoid_cross_entropy_with_logits(y, logits, ignore_label=-1)
                kept = tf.cast(y != -1, "float32") * weight[:, None, None]
                value = compute_weighted_average_loss(losses, kept)
        return value, tape.gradient(value, kernel)

    values = strategy.experimental_distribute_values_from_function(part)
    per_replica = tf.function(lambda values: strategy.run(share, values))(values)
    return [np.asarray(strategy.reduce("SUM", one, axis=None)) for one in per_replica]


LOOPS = ("average", "masked, weights, ignored")


def found(strategy, cases, **kerases):
    """Return what a strategy finds, under names that say how and in which case."""
    results = {("loop", case): looped(strategy, case) for case in LOOPS}
    for name, (keras, define) in kerases.items():
        for case in cases:
            with strategy.scope():
                results[name, case] = fitted(keras, define, case)
    return results


def mirrored(tf):
    """Every case on one device and on two, and what Keras's own losses make of masks."""
    import keras
    import tf_keras

    from binxent import keras as keras3_door
    from binxent import tf_keras as keras2_door

    alone, strategy = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    keras2 = tf_keras, keras2_door.BinaryCrossentropy
    results = {
        "alone": found(alone, CASES, tf_keras=keras2),
        "together": found(strategy, CASES, tf_keras=keras2, keras=(keras, keras3_door.BinaryCrossentropy)),
    }
    for peer in (keras, tf_keras):
        with strategy.scope():
            results[peer.__name__] = fitted(peer, peer.losses.BinaryCrossentropy, "masked")
    return results


def worker(tf):
    """Every case in one of several processes, and what Keras 3 says."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything else of TensorFlow's
    import keras
    import tf_keras

    from binxent import tf_keras as keras2_door

    results = {"together": found(strategy, AMONG_PROCESSES, tf_keras=(tf_keras, keras2_door.BinaryCrossentropy))}
    try:
        with strategy.scope():
            fitted(keras, keras.losses.BinaryCrossentropy, "weights")
        results["keras"] = "works"
    except ValueError as error:
        results["keras"] = str(error)
    return results


def main(file, how):
    """One process: it writes what it finds."""
    import tensorflow as tf

    if how == "mirrored":
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
        )
    results = {"mirrored": mirrored, "worker": worker}[how](tf)
    with open(file, "wb") as opened:
        pickle.dump(results, opened)
    os._exit(0)  # else each worker waits until the others have gone


if __name__ == "__main__":
    main(*sys.argv[1:])
