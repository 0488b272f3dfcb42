"""A tumour classifier in Equinox: a loss of one sample, and `vmap`, on labels some of which are wrong.

    python examples/equinox_classifier.py

One label in ten is flipped before training. Smoothed labels limit the harm; the focal loss adds to it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from binxent.jax import sigmoid_binary_cross_entropy, sigmoid_focal_loss


def load():
    """Return standardised features and whether a tumour is malignant, in two halves: training and test."""
    features, benign = load_breast_cancer(return_X_y=True)
    features = StandardScaler().fit_transform(features).astype("float32")
    features, unseen, labels, truth = train_test_split(features, 1 - benign, test_size=0.5, random_state=0)
    flipped = np.random.default_rng(0).random(labels.shape) < 0.1
    return features, unseen, np.where(flipped, 1 - labels, labels), truth


def train(loss, features, labels):
    model = eqx.nn.MLP(features.shape[1], "scalar", width_size=16, depth=1, key=jax.random.key(0))
    optimizer = optax.adam(0.01)
    state = optimizer.init(eqx.filter(model, eqx.is_array))

    @eqx.filter_jit
    def step(model, state):
        def mean_loss(model):
            return jax.vmap(lambda x, y: loss(model(x), y))(features, labels).mean()

        updates, state = optimizer.update(eqx.filter_grad(mean_loss)(model), state)
        return eqx.apply_updates(model, updates), state

    for _ in range(200):
        model, state = step(model, state)
    return model


if __name__ == "__main__":
    features, unseen, labels, truth = load()
    print(f"{'':24} {'log loss':>10} {'accuracy':>10}")
    for name, loss in [
        ("plain", sigmoid_binary_cross_entropy),
        ("label_smoothing=0.2", lambda z, y: sigmoid_binary_cross_entropy(z, y, label_smoothing=0.2)),
        ("focal, gamma=2", sigmoid_focal_loss),
    ]:
        p = jax.nn.sigmoid(jax.vmap(train(loss, jnp.asarray(features), labels))(jnp.asarray(unseen)))
        print(f"{name:24} {log_loss(truth, p):10.4f} {np.mean((p > 0.5) == truth):10.4f}")
