"""The commands of `binxent`. Everything heavy is imported inside a command, so that ``--help`` is instant."""

from binxent.workbench.commands._group import workbench

__all__ = ["workbench"]
