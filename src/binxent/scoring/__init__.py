"""How good predictions are: statistics of labels and logits, on NumPy arrays, with 95 % intervals.

    >>> from binxent import scoring
    >>> scoring.evaluate([0, 1, 1, 0], [-2.0, 1.0, 3.0, 0.5])["auc"]["value"]
    1.0

Weights say how much a row counts, not how often it was seen: statistics do not depend on their scale.
"""

from binxent._core.public_names import publish
from binxent.scoring._calibration import CalibrationBins, calibration_bins, fit_correction
from binxent.scoring._comparison import compare
from binxent.scoring._ranking import Ranking, best_threshold, rank
from binxent.scoring._statistics import evaluate

__all__ = [
    "CalibrationBins",
    "Ranking",
    "best_threshold",
    "calibration_bins",
    "compare",
    "evaluate",
    "fit_correction",
    "rank",
]

publish(globals())
