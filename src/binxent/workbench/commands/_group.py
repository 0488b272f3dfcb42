"""The group of all commands, and the form of their errors."""

from __future__ import annotations

from typing import Any

import click

from binxent.workbench.commands._options import printable
from binxent.workbench.commands.compare import compare
from binxent.workbench.commands.evaluate import evaluate
from binxent.workbench.commands.export import export
from binxent.workbench.commands.predict import predict
from binxent.workbench.commands.runs import runs
from binxent.workbench.commands.train import train


class Workbench(click.Group):
    """A group of commands that reports errors in a sentence, with status 2, or 130 after Ctrl-C, and no traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and print errors that a user can correct as a sentence on stderr."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            sentence, status = str(stop) or "Interrupted.", 130
        except BrokenPipeError:
            raise
        except ModuleNotFoundError as missing:
            if (missing.name or "binxent").startswith("binxent"):
                raise
            extra = {"fastexcel": "excel", "onnx": "onnx"}.get(missing.name or "", "train")
            sentence, status = f"this command needs the package `{missing.name}`: pip install 'binxent[{extra}]'", 2
        except OSError as error:
            sentence, status = _sentence(error), 2
        except (ValueError, MemoryError) as error:
            sentence, status = str(error) or "not enough memory for this table.", 2
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of polars, which is not imported for it
                raise
            sentence, status = f"polars, which reads and writes tables, has failed: {error}.", 2
        click.echo(printable(f"binxent: {sentence}"), err=True)
        return ctx.exit(status)


def _sentence(error: OSError) -> str:
    from binxent.workbench.run_folder import reason

    where = f"{error.filename}: " if error.filename else ""
    sentence = f"{where}{reason(error)}"
    return sentence if sentence.endswith("?") else f"{sentence}."  # a suggestion ends in a question mark


@click.group(cls=Workbench, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="binxent")
def workbench() -> None:
    """Train and apply a classifier of two classes with binary cross-entropy."""


for command in (train, predict, evaluate, runs, compare, export):
    workbench.add_command(command)
