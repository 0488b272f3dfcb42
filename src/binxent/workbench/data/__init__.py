"""Data: tables from files, their columns as features, and the target column as labels."""
