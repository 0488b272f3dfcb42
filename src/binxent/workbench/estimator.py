"""The workbench as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from binxent.workbench.data.dataset import weights
from binxent.workbench.door import train
from binxent.workbench.reading.frames import as_frame, from_array, is_table
from binxent.workbench.run import Run


class BinaryClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of two classes that takes tables as they are: numbers, categories, dates, texts and missing values.

    It trains as ``binxent train`` does, but on all rows, of tables of polars, pandas or pyarrow, and of arrays. Columns
    are prepared inside: encoders and scalers before it are needless. Each network sets a part of the rows aside to find
    out when to stop. Probabilities are calibrated: those of a loss that distorts them are corrected.

    Args:
        loss: "bce", "focal", "asymmetric" or "poly".
        gamma: The focusing exponent of the focal loss; None for 2.
        alpha: The positives' share of class balancing in the focal loss.
        gamma_pos: The positives' exponent in the asymmetric loss; None for 1.
        gamma_neg: The negatives' exponent in the asymmetric loss; None for 4.
        margin: Taken off the negatives' probability in the asymmetric loss; None for 0.05.
        epsilon_1: The coefficient of 1 - p_t in the poly loss; None for 1.
        pos_weight: Counts positives so many times, with bce; "auto" balances the classes. Probabilities are corrected.
        label_smoothing: Squeezes the labels towards 1/2.
        hidden: The widths of the hidden layers; () for a logistic regression.
        learning_rate: The learning rate of Adam.
        batch_size: Rows per step; None for 32 to 1024, by the number of rows.
        epochs: The most epochs to train.
        patience: Epochs without a lower validation loss before training stops.
        folds: Folds in which rows are held out to find out when to stop; None for 5, and for 1 beyond 20,000 rows.
        exclude: Names of columns not to learn from.
        include: Names of columns to learn from though they look like ids.
        number: Names of columns of numbers, whatever they look like.
        category: Names of columns of categories, such as codes written as numbers.
        date: Names of columns of dates.
        text: Names of columns of text.
        random_state: Decides which rows are set aside, the first weights and the order of the rows.

    Attributes:
        classes_: The two labels, sorted; the second is the positive class.
        n_features_in_: The number of columns.
        feature_names_in_: Their names, if the table had names.
        run_: The run, with its metrics; it has no report.

    Example:
        >>> from binxent import BinaryClassifier
        >>> model = BinaryClassifier(pos_weight="auto", random_state=0).fit(patients, died)  # doctest: +SKIP
        >>> model.predict_proba(new_patients)[:, 1]  # doctest: +SKIP
        array([0.02, 0.71, 0.16])
    """

    classes_: np.ndarray
    n_features_in_: int
    feature_names_in_: np.ndarray
    run_: Run

    def __init__(
        self,
        *,
        loss: str = "bce",
        gamma: float | None = None,
        alpha: float | None = None,
        gamma_pos: float | None = None,
        gamma_neg: float | None = None,
        margin: float | None = None,
        epsilon_1: float | None = None,
        pos_weight: float | str | None = None,
        label_smoothing: float = 0.0,
        hidden: Sequence[int] = (64, 32),
        learning_rate: float = 0.001,
        batch_size: int | None = None,
        epochs: int = 100,
        patience: int = 10,
        folds: int | None = None,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        number: Sequence[str] = (),
        category: Sequence[str] = (),
        date: Sequence[str] = (),
        text: Sequence[str] = (),
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.gamma = gamma
        self.alpha = alpha
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.margin = margin
        self.epsilon_1 = epsilon_1
        self.pos_weight = pos_weight
        self.label_smoothing = label_smoothing
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.folds = folds
        self.exclude = exclude
        self.include = include
        self.number = number
        self.category = category
        self.date = date
        self.text = text
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the networks.

        Args:
            X: A table of polars, pandas or pyarrow, or an array, shape (rows, columns).
            y: Labels, two different values, shape (rows,); the greater is the positive class.
            sample_weight: Non-negative weights of the rows, shape (rows,); rows of weight 0 are left out.

        Returns:
            The estimator.

        Raises:
            ValueError: If `y` has not two classes, or a parameter or the table does not allow a training.
            TypeError: If `X` is sparse.
        """
        table = self._checked(X, y)
        self._names: list[str] = table.columns
        y = column_or_1d(y, warn=True)
        check_consistent_length(table, y, sample_weight)
        if y.dtype == object and any(label is None or label != label for label in y):
            raise ValueError("Input y contains NaN or None; leave out the rows whose label is missing.")
        check_classification_targets(y)
        weight = None
        if sample_weight is not None:
            weight = weights(
                pl.Series("sample_weight", column_or_1d(sample_weight).astype(np.float64)), "sample_weight"
            )
        if weight is not None and (weight == 0).any():
            used = weight != 0
            if not used.any():
                raise ValueError("`sample_weight` is zero for every row; at least one row of each class must count.")
            table, y, weight = table.filter(pl.Series(used)), y[used], weight[used]
        classes, label = np.unique(y, return_inverse=True)
        if len(classes) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {type_of_target(y)}: "
                f"{len(classes):,} classes."
            )
        if len(classes) < 2:
            raise ValueError(f"`y` has one class only: {classes[0]}. A classifier needs two.")
        columns = [table, _named(pl.Series(label.astype(np.int8)), "target", table)]
        if weight is not None:
            columns.append(_named(pl.Series(weight), "weight", table))
        target, *weight_names = (frame.columns[0] for frame in columns[1:])
        options = {key: value for key, value in self.get_params().items() if key != "random_state"}
        self.run_ = train(
            pl.concat(columns, how="horizontal"),
            target=target,
            weight=weight_names[0] if weight_names else None,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            report=False,
            holdout=0.0,
            **options,
        )
        self.classes_ = classes
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logit of the positive class for each row, shape (rows,).

        Args:
            X: A table or an array with the columns of `fit`.
        """
        check_is_fitted(self)
        return self.run_.predict_logit(self._fitted(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class for each row, shape (rows, 2), in the order of `classes_`.

        Args:
            X: A table or an array with the columns of `fit`.
        """
        check_is_fitted(self)
        return self.run_.predict_proba(self._fitted(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the more probable class of each row, shape (rows,).

        Args:
            X: A table or an array with the columns of `fit`.
        """
        check_is_fitted(self)
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def _fitted(self, X: Any) -> pl.DataFrame:
        """Return a table or an array as a table with the names of the columns that were fitted."""
        table = self._checked(X)
        return table.rename(dict(zip(table.columns, self._names, strict=True)))

    def _checked(self, X: Any, y: Any = "no_validation") -> pl.DataFrame:
        """Check a table or an array as scikit-learn does, and with `y` note its number and names of columns."""
        options: dict[str, Any] = {"reset": not isinstance(y, str)}
        if not is_table(X):
            if options["reset"]:
                options |= {"y": y, "multi_output": True}
            found: Any = validate_data(self, X, dtype=None, ensure_all_finite=False, **options)
            return from_array(found[0] if options["reset"] else found)
        table = as_frame(X)
        named: Any = X if hasattr(X, "iloc") else table  # scikit-learn wants the names of pandas as they are
        validate_data(self, named, y, skip_check_array=True, **options)
        if table.height == 0:
            raise ValueError("Found a table with 0 sample(s) while a minimum of 1 is required.")
        return table

    def __sklearn_tags__(self) -> Any:
        tags: Any = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags


def _named(values: pl.Series, name: str, table: pl.DataFrame) -> pl.DataFrame:
    """Return a column of a name that the table has not."""
    while name in table.columns:
        name += "_"
    return values.alias(name).to_frame()
