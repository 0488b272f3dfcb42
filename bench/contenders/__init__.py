"""Who takes part: the floor, binxent, and its peers; one class each, frameworks imported when first asked.

A contender turns a case and its arrays into a call without arguments, or into None where it offers no such thing.
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
    """Those who know the arrays of the case."""
    return [contender for contender in CONTENDERS if case.door in contender.doors]
