"""What people pass as an option of a loss: the same number, or numbers, in every kind of object that may hold them."""

import decimal

import numpy as np

try:  # `make test-core` has neither
    import pandas as pd
    from scipy import sparse
except ModuleNotFoundError:
    pd = sparse = None

# Each makes its kind of object from a Python number.
NUMBERS = {
    "number": lambda value: value,
    "NumPy scalar": np.float64,
    "0-d array": np.array,
}
# Each makes its kind of object from a list of Python numbers.
SEVERAL = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "float32 array": np.float32,
    "strided array": lambda values: np.repeat(values, 2)[::2],
    **({"Series": pd.Series, "nullable Series": lambda values: pd.Series(values, dtype="Float64")} if pd else {}),
    "array of objects": lambda values: np.array(values, object),
    "list of NumPy scalars": lambda values: [np.float32(each) for each in values],
}
# No option takes these.
REFUSED = {
    "string": "auto",
    "string of a number": "1.5",
    "complex": 1j,
    "list of strings": ["1", "2", "3"],
    "array of strings": np.array(["1", "2", "3"]),
    "array of complex numbers": np.ones(3, complex),
    "array of dates": np.zeros(3, "datetime64[D]"),
    "array with None": np.array([1.0, None, 1.0]),
    "masked array": np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]),
    **({"sparse matrix": sparse.csr_matrix(np.eye(3))} if sparse else {}),
    "object": object(),
    "set": {1.0, 2.0, 3.0},
    "decimals in lists of two lengths": [[decimal.Decimal(1)], [1.0, 2.0]],
}
# No argument takes these for labels or predictions, and what the error advises.
REFUSED_ARRAYS = {
    "array of objects": (np.array([0.5, None, 1.0]), "Convert it"),
    "string": ("abc", "Pass an array of numbers"),
    "array of strings": (np.array(["0", "1", "0"]), "Convert it"),
    **({"sparse matrix": (sparse.csr_matrix(np.eye(3)), "Make it dense")} if sparse else {}),
    "masked array": (np.ma.array([0.5, 1.0, 1.0], mask=[False, True, False]), "mark the masked entries"),
    "lists of two lengths": ([[1.0], [1.0, 2.0]], "Pass an array of numbers"),
    "nothing": (None, "Pass an array of numbers"),
}


def check(call, option, argument, want, agree):
    """Raise unless an option is taken for the right number, or refused with an error that names it.

    Args:
        call: Takes the option by name.
        option: Its name.
        argument: The value to give.
        want: What the call gives if the argument is taken, or None if it is to be refused.
        agree: Raises unless two results of the call are alike.
    """
    try:
        got, refusal = call(**{option: argument}), None
    except TypeError as error:
        got, refusal = None, str(error)
    if want is None:
        assert refusal is not None, f"{option}={argument!r} is taken: {got}"
        assert f"`{option}`" in refusal, f"{option}={argument!r}: {refusal}"
    else:
        assert refusal is None, f"{option}={argument!r} is refused: {refusal}"
        agree(got, want)
