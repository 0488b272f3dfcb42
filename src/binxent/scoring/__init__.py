"""How good predictions are: statistics of labels and probabilities, on NumPy arrays."""
