"""The rules of the losses, each written once: formulas, shapes, weights, signatures. They import NumPy at most."""
