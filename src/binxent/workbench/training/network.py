"""The networks, as Keras trains them.

Several networks, the members, are trained at once as one model with a stack of weights. Members differ in the fold of
the rows that they do not see, in their first weights and in their regularisation; none affects another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from binxent.workbench.settings import Settings
from binxent.workbench.training.ensemble import Bins, Ensemble


@dataclass(frozen=True)
class Regularisation:
    """What keeps a network from memorising the rows.

    Attributes:
        dropout: Share of the values of hidden layers that a step of training leaves out (Srivastava et al. 2014).
        weight_decay: Share of each weight that 1 / learning rate steps take off (Loshchilov and Hutter 2019).
    """

    dropout: float
    weight_decay: float


@dataclass(frozen=True)
class Design:
    """What is trained at once: for each regularisation one group of members, with one member for each fold and seed.

    Attributes:
        bins: The encoding of the inputs.
        regularisations: Of the groups.
        folds: The fold that each member of a group does not see; -1 if it sees all rows.
        prior: The logit of the base rate, at which each network starts.
    """

    bins: Bins
    regularisations: Sequence[Regularisation]
    folds: Sequence[int]
    prior: float

    @property
    def members(self) -> int:
        """The number of members of all groups."""
        return len(self.regularisations) * len(self.folds)

    def held_out(self, fold: np.ndarray) -> np.ndarray:
        """Return whether a member of a group does not see a row, shape (members of a group, rows)."""
        return (fold >= 0) & (fold == np.array(self.folds)[:, None])

    def ensemble(self, weights: Sequence[np.ndarray]) -> Ensemble:
        """Return members as an ensemble, by the weights of their layers: kernel, bias, kernel and so on."""
        return Ensemble(self.bins, weights[::2], weights[1::2])

    def of_group(self, arrays: Sequence[np.ndarray], group: int) -> list[np.ndarray]:
        """Return the weights of the members of a group."""
        size = len(self.folds)
        return [array[group * size : (group + 1) * size] for array in arrays]


class _Dropout(keras.layers.Layer):
    """Dropout with a rate for each member."""

    def __init__(self, rates: np.ndarray) -> None:
        super().__init__()
        self._rates = rates.astype(np.float32)[None, :, None]
        self.random = keras.random.SeedGenerator(0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self._rates.any():
            return inputs
        kept = keras.random.uniform(keras.ops.shape(inputs), seed=self.random) >= self._rates
        return keras.ops.where(kept, inputs / (1 - self._rates), 0.0)


def build(inputs: int, design: Design, settings: Settings) -> keras.Model:
    """Build the members: bins, dense ReLU layers and one logit each, whose bias starts at the prior.

    The first loss is then that of the base rate, not higher. Kernels start as Glorot and Bengio (2010) say; those of a
    member depend on the seed and on its place in its group only.

    Args:
        inputs: The number of inputs.
        design: The members.
        settings: For the widths of the hidden layers and the seed.

    Returns:
        A model from inputs, shape (rows, inputs), to logits, shape (rows, members, 1).
    """
    layers: Any = keras.layers  # Keras's annotations lack initializer objects
    rates = np.repeat([each.dropout for each in design.regularisations], len(design.folds))
    features = keras.Input((inputs,), name="features")
    values = _binned(features, design.bins)
    for layer, width in enumerate((*settings.hidden, 1)):
        equation = "bi,mio->bmo" if layer == 0 else "bmi,mio->bmo"
        values = _stacked(equation, (design.members, width), f"layer_{layer}", "mo")(values)
        if layer < len(settings.hidden):
            values = _Dropout(rates)(layers.ReLU()(values))
    model = keras.Model(features, values, name="binxent")
    widths = (inputs + design.bins.slope.size, *settings.hidden, 1)
    model.set_weights([*_bin_weights(design.bins), *_first_weights(widths, design, settings.seed)])
    return model


def _binned(features: Any, bins: Bins) -> Any:
    if not len(bins.columns):
        return features
    layers: Any = keras.layers
    chosen = keras.ops.take(features, bins.columns.tolist(), axis=1)
    place = _stacked("bi,ik->bik", bins.slope.shape, "bins", "ik")
    place.trainable = False
    clipped = layers.Activation("hard_tanh")(place(chosen))
    return layers.Concatenate()([features, layers.Flatten()(clipped)])


def _stacked(equation: str, shape: tuple[int, ...], name: str, bias_axes: str) -> Any:
    # Its weights are set afterwards; random ones would be compiled for nothing.
    return keras.layers.EinsumDense(equation, shape, bias_axes=bias_axes, kernel_initializer="zeros", name=name)


def _bin_weights(bins: Bins) -> list[np.ndarray]:
    return [bins.slope, bins.offset] if len(bins.columns) else []


def _first_weights(widths: Sequence[int], design: Design, seed: int) -> list[np.ndarray]:
    weights = []
    for layer, (before, after) in enumerate(itertools.pairwise(widths)):
        limit = math.sqrt(6 / (before + after))
        kernels = [
            np.random.default_rng([seed, layer, place]).uniform(-limit, limit, (before, after))
            for place in range(len(design.folds))
        ]
        bias = np.full((len(kernels), after), design.prior if layer == len(widths) - 2 else 0.0)
        repeated = (len(design.regularisations), 1)
        weights += [np.tile(np.array(kernels), (*repeated, 1)), np.tile(bias, repeated)]
    return [array.astype(np.float32) for array in weights]


def keras_model(ensemble: Ensemble) -> keras.Model:
    """Return an ensemble as a model of Keras's own layers, from prepared inputs to the logit of each row."""
    layers: Any = keras.layers
    features = keras.Input((ensemble.inputs,), name="features")
    values = _binned(features, ensemble.bins)
    for layer, kernel in enumerate(ensemble.kernels):
        equation = "bi,mio->bmo" if layer == 0 else "bmi,mio->bmo"
        values = layers.EinsumDense(
            equation, (ensemble.members, kernel.shape[2]), bias_axes="mo", name=f"layer_{layer}"
        )(values)
        if layer < len(ensemble.kernels) - 1:
            values = layers.ReLU()(values)
    model = keras.Model(features, layers.GlobalAveragePooling1D(name="logit")(values), name="binxent")
    stacked = [array for pair in zip(ensemble.kernels, ensemble.biases, strict=True) for array in pair]
    model.set_weights([*_bin_weights(ensemble.bins), *stacked])
    return model


def reseed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Let dropout depend on the seed and the epoch only."""
    dropouts = [layer for layer in model.layers if isinstance(layer, _Dropout)]
    for place, layer in enumerate(dropouts):
        layer.random.state.assign(np.random.default_rng([seed, epoch, place]).integers(2**32, size=2, dtype=np.uint32))
