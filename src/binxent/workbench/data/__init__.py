"""Tables: reading them, their columns as features, and the target column as labels."""
