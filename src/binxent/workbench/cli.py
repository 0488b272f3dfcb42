"""The console script ``binxent``: runs the commands, or prints how to install the packages that they need."""

import sys


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: Always; with status 0 on success, 2 on an error of use or input, 130 on Ctrl-C.
    """
    try:
        from binxent.workbench.commands import workbench
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        sys.stderr.write("binxent: the command line needs the package `click`: pip install 'binxent[train]'\n")
        raise SystemExit(2) from None
    # Networks are trained on JAX. To recognise tensors when it saves, Keras would spend seconds on loading TensorFlow.
    sys.modules.setdefault("tensorflow", None)  # pyright: ignore[reportArgumentType]
    workbench()


if __name__ == "__main__":
    main()
