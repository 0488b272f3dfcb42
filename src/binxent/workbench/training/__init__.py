"""Training and prediction: the plan of a run, the network, its epochs, and its use on new rows."""
