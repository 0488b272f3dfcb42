"""The types of arguments and results that public functions share."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Reduction: TypeAlias = Literal["sum_over_batch_size", "mean", "auto", "sum", "mean_with_sample_weight", "none"]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
# One number, or with the reduction "none" an array with the loss of each sample.
Reduced: TypeAlias = np.floating[Any] | FloatArray
Axis: TypeAlias = int | Sequence[int] | None
