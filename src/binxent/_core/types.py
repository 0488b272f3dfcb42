"""The types of arguments and results that public functions share."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Reduction: TypeAlias = Literal["sum_over_batch_size", "mean", "auto", "sum", "mean_with_sample_weight", "none"]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
# An array with the reduction "none", else a NumPy scalar, which has the same methods.
Reduced: TypeAlias = FloatArray | Any
Axis: TypeAlias = int | Sequence[int] | None
