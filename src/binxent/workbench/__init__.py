"""The workbench: the commands that a person runs from a shell, built on public names only."""
