"""A tumour classifier in Flax: the loss inside a jitted training step.

    python examples/flax_classifier.py

A missed malignant tumour costs more than a false alarm, so positives count more. Step and loss are one program to XLA.
"""

import flax.linen as nn
import jax
import optax
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss, recall_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from binxent.jax import sigmoid_binary_cross_entropy


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, features):
        hidden = nn.relu(nn.Dense(16)(features))
        return nn.Dense(1)(hidden).squeeze(-1)  # logits, in the shape of the labels


def load():
    """Return standardised features and whether a tumour is malignant, in two halves: training and test."""
    features, benign = load_breast_cancer(return_X_y=True)
    features = StandardScaler().fit_transform(features).astype("float32")
    return train_test_split(features, 1 - benign, test_size=0.5, random_state=0)


def train(features, labels, pos_weight):
    model, optimizer = Classifier(), optax.adam(0.01)
    parameters = model.init(jax.random.key(0), features)
    state = optimizer.init(parameters)

    @jax.jit
    def step(parameters, state):
        def loss(parameters):
            logits = model.apply(parameters, features)
            return sigmoid_binary_cross_entropy(logits, labels, pos_weight=pos_weight).mean()

        updates, state = optimizer.update(jax.grad(loss)(parameters), state)
        return optax.apply_updates(parameters, updates), state

    for _ in range(100):
        parameters, state = step(parameters, state)
    return lambda features: jax.nn.sigmoid(model.apply(parameters, features))


if __name__ == "__main__":
    features, unseen, labels, truth = load()
    print(f"{'':16} {'log loss':>10} {'recall':>10}")
    for pos_weight in (1, 10):
        p = train(features, labels, pos_weight)(unseen)
        print(f"{f'pos_weight={pos_weight}':16} {log_loss(truth, p):10.4f} {recall_score(truth, p > 0.5):10.4f}")
