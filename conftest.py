"""What every test needs before anything is imported, doctests included."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras asks once, when it is first imported; its own default is TensorFlow
