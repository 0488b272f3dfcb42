"""The contenders: the floor, binxent, and its peers; a class for each, frameworks imported at the first call.

A contender makes a call without arguments of a case and its arrays, or returns None if it has no such function.
The call returns the value; or (value, gradient); or (loss, slope) of each element.
"""

from bench.cases import Case
from bench.contenders.contender import Contender, Floor
from bench.contenders.jax import BinxentJax, Doubled, Keras, Optax, PlainFormula
from bench.contenders.numpy import Binxent, ScikitLearn
from bench.contenders.tensorflow import BinxentTensorflow, KerasOnTensorflow, TfNn
from bench.contenders.torch import BinxentTorch, BinxentTorchCompiled, TorchCompiled, TorchEager

CONTENDERS: tuple[Contender, ...] = (
    Floor(),
    Doubled(),
    Binxent(),
    BinxentTorch(),
    BinxentTorchCompiled(),
    BinxentJax(),
    BinxentTensorflow(),
    TorchCompiled(),
    TorchEager(),
    TfNn(),
    KerasOnTensorflow(),
    PlainFormula(),
    Optax(),
    Keras(),
    ScikitLearn(),
)


def taking_part(case: Case) -> list[Contender]:
    """Return the contenders for the arrays of a case."""
    return [contender for contender in CONTENDERS if case.door in contender.doors]
