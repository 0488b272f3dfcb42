"""The rules of the losses, each written once: formulas, shapes, weights, options. They import NumPy at most."""
