"""What every test needs before anything is imported, doctests included."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # asked for once, by the first import of Keras
