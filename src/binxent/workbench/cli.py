"""The console script ``binxent``: it starts the commands, or says how to install what they need."""

import sys


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: always; with status 0 on success, 2 on an error of use or input, 130 on Ctrl-C.
    """
    try:
        from binxent.workbench.commands import workbench
    except ModuleNotFoundError as missing:
        if missing.name != "click":
            raise
        sys.stderr.write("binxent: the command line needs the package `click`: pip install 'binxent[train]'\n")
        raise SystemExit(2) from None
    # Networks are trained on JAX, but Keras would load TensorFlow, for seconds, to ask whose tensors it is saving.
    sys.modules.setdefault("tensorflow", None)  # pyright: ignore[reportArgumentType]
    workbench()


if __name__ == "__main__":
    main()
