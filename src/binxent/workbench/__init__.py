"""The workbench: what a person runs from a shell, built on the public doors alone."""
