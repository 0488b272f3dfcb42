"""Registration of the losses and metrics under Keras's own names."""

from binxent._core.options import boolean
from binxent.keras import losses, metrics
from binxent.keras._private import LOSSES_BY_NAME, METRICS_BY_NAME
from binxent.losses import FAMILY

ALIASES = {"BinaryCrossentropy": ("bce", "BCE")}  # beside the name of the class and of the function
NAMES = {kind.__name__: (kind.__name__, kind.name, *ALIASES.get(kind.__name__, ())) for kind in FAMILY}
TABLES = [(LOSSES_BY_NAME, losses), (METRICS_BY_NAME, metrics)]
ORIGINAL_TABLES = [dict(table) for table, _ in TABLES]


def register(active: bool = True) -> None:
    """Make Keras find the losses and metrics of this package under its own names for them.

    After it `model.compile(loss="binary_crossentropy", metrics=["binary_crossentropy"])` means ours, and so does
    `keras.losses.get("binary_crossentropy")`; "binary_focal_crossentropy" likewise, and "asymmetric_crossentropy" and
    "poly_binary_crossentropy" become names, too. Objects and functions that are passed instead of names stay what they
    are, and so does what was compiled before.

    Args:
        active: False gives the names back to Keras.

    Example:
        >>> import keras
        >>> register()
        >>> type(keras.losses.get("binary_crossentropy")).__module__
        'binxent.keras.losses'
        >>> register(False)
        >>> keras.losses.get("binary_crossentropy").__module__
        'keras.src.losses.losses'
    """
    active = boolean("active", active)
    for (table, ours), original in zip(TABLES, ORIGINAL_TABLES, strict=True):
        for class_name, names in NAMES.items():
            for name in names:
                if active:
                    table[name] = getattr(ours, class_name)
                elif name in original:
                    table[name] = original[name]
                else:
                    table.pop(name, None)
