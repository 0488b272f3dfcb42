"""The workbench: tables to models, from a shell (`binxent train`) or from Python; built on public names only.

    >>> from binxent import workbench
    >>> run = workbench.train("patients.csv", target="died", output="runs")  # doctest: +SKIP
    >>> workbench.Run.load("runs/patients-1").predict_proba("new.csv")  # doctest: +SKIP

Nothing is imported before it is needed. It needs the packages of the extra `train`.
"""

from importlib import import_module

TYPE_CHECKING = False  # the name tells type checkers what to read; importing it from typing would take 10 ms
if TYPE_CHECKING:
    from binxent.workbench.door import train
    from binxent.workbench.estimator import BinaryClassifier
    from binxent.workbench.run import Run

__all__ = ["BinaryClassifier", "Run", "train"]

_MODULES = {"BinaryClassifier": "estimator", "Run": "run", "train": "door"}


if not TYPE_CHECKING:  # a type checker that sees it would take every name for one of this module's

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module 'binxent.workbench' has no attribute {name!r}")
        try:
            module = import_module(f"binxent.workbench.{_MODULES[name]}")
        except ModuleNotFoundError as missing:
            if (missing.name or "binxent").startswith("binxent"):
                raise
            package = str(missing.name).partition(".")[0].replace("sklearn", "scikit-learn")
            raise ModuleNotFoundError(
                f"binxent.workbench.{name} needs the package `{package}`: pip install 'binxent[train]'",
                name=missing.name,
            ) from None
        value = globals()[name] = getattr(module, name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
