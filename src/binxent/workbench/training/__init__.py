"""Training and prediction: the plan of a run, the networks, their epochs, and their use on new rows."""
