import json
import re
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

PROGRAM = [sys.executable, "-m", "binxent.workbench.cli"]
COMMANDS = ["compare", "evaluate", "export", "predict", "runs", "train"]


def test_help_has_a_whole_sentence_for_each_command(binxent):
    lines = binxent("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == COMMANDS
    assert [line for line in lines if not re.search(r"[a-z]\.$", line)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_explains_every_option(binxent, command):
    from binxent.workbench.commands import workbench

    shown = binxent(command, "--help").stdout
    for option in workbench.commands[command].params:
        if option.param_type_name == "option":
            assert option.opts[-1] in shown
            assert option.help


def test_help_shows_each_example_on_a_line(binxent):
    lines = binxent("train", "--help").stdout.splitlines()
    assert "    binxent train patients.csv --target readmitted --positive yes" in lines


@pytest.mark.parametrize(("missing", "arguments"), [("click", []), ("polars", ["train"]), ("keras", ["train"])])
def test_a_missing_package_is_named_with_the_way_to_install_it(tmp_path, missing, arguments):
    script = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['binxent', *{arguments!r}]\n"
        "from binxent.workbench.cli import main; main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert f"needs the package `{missing}`: pip install 'binxent[train]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "--epoch", "1"], "No such option"),
        (["train", "--epochs", "many"], "is not a valid integer"),
        (["train", "--loss", "hinge"], "is not one of"),
        (["train", "--hidden", "64,x"], "is not a list of layer widths"),
        (["train", "--pos-weight", "lots"], "is neither auto nor a number"),
        (["predict", "run"], "Missing argument"),
        (["predict", "run", "data.csv"], "Missing option"),
        (["train", "--resume", "a", "--config", "b"], "--config cannot be given with it"),
        (["train", "--resume", "a", "--name", "b"], "--name cannot be given with it"),
        (["train", "a.csv", "--epochs", "1", "--epochs", "2"], "--epochs is given 2 times"),
        (["predict", "run", "a.csv", "-o", "a.csv", "--output", "b.csv"], "--output is given 2 times"),
        (["train", ""], "'' is not a path"),
        (["predict", "", "a.csv", "-o", "b.csv"], "Invalid value for 'RUN': '' is not a path"),
        (["predict", "run", " ", "-o", "b.csv"], "' ' is not a path"),
        (["predict", "run", "a.csv", "-o", ""], "Invalid value for '-o' / '--output': '' is not a path"),
        (["train", "--config", "."], "is a folder, not a settings file; name the config.toml in it."),
        (["train", "--hidden", "99999999999999999999"], "--hidden must be a list of layer widths from 1 to 65,536"),
    ],
)
def test_wrong_use_is_refused(refused, arguments, sentence):
    assert sentence in refused(*arguments)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["a", " "], "' ' is an empty column name"), (["a", "b", "a"], "the column `a` is named 2 times; name it once")],
)
@pytest.mark.parametrize("option", ["--exclude", "--include", "--number", "--category", "--date", "--text", "--keep"])
def test_columns_are_named_one_by_one_and_each_once(refused, option, names, sentence):
    command = ["predict", "run", "a.csv", "-o", "b.csv"] if option == "--keep" else ["train"]
    given = [part for name in names for part in (option, name)]
    assert f"Invalid value for '{option}': {sentence}" in refused(*command, *given)


@pytest.mark.parametrize("option", ["--output", "--config", "--resume"])
def test_an_empty_path_is_refused(refused, option):
    assert f"Invalid value for '{option}': '' is not a path" in refused("train", option, "")


def test_another_backend_is_refused(refused, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert "training runs on Keras's backend jax, and KERAS_BACKEND is 'tensorflow'" in refused("train")


def test_an_unexpected_error_is_not_hidden(binxent, monkeypatch):
    from binxent.workbench.training import train

    def broken(*_, **__):
        raise KeyError("a bug")

    monkeypatch.setattr(train, "start", broken)
    with pytest.raises(KeyError, match="a bug"):
        binxent("train")


def test_a_failure_of_polars_ends_in_a_sentence(refused, monkeypatch):
    from binxent.workbench.training import train

    def broken(*_, **__):
        raise pl.exceptions.PanicException("out-of-range")

    monkeypatch.setattr(train, "start", broken)
    assert "polars, which reads and writes tables, has failed: out-of-range." in refused("train")


@pytest.mark.slow
def test_ctrl_c_says_how_to_resume_and_the_resumed_run_is_complete(tmp_path):
    """The whole program, as a person meets it."""
    options = ["--epochs", "30", "--patience", "30", "--batch-size", "4"]
    with subprocess.Popen(
        [*PROGRAM, "train", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as training:
        assert training.stdout is not None
        for line in training.stdout:
            if line.startswith("epoch  3/30"):
                break
        time.sleep(0.05)
        training.send_signal(signal.SIGINT)
        _, errors = training.communicate(timeout=60)
    run = tmp_path / "runs" / "breast-cancer-1"
    assert training.returncode == 130
    assert errors.strip().splitlines() == [
        "binxent: interrupted; continue with: binxent train --resume runs/breast-cancer-1"
    ]
    assert (run / "INTERRUPTED").exists()
    assert not (run / "metrics.json").exists()
    done = subprocess.run([*PROGRAM, "train", "--resume", run, "--json"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "oneDNN" not in done.stderr, "Keras has loaded TensorFlow, which says so"
    assert json.loads(done.stdout)["epochs"] == 30
    assert not (run / "INTERRUPTED").exists()


def test_an_interrupt_that_python_drops_is_raised_again(tmp_path):
    script = (
        "import atexit, gc, sys, time\n"
        "from binxent.workbench.cli import main\n"
        "from binxent.workbench.commands import workbench\n"
        "def interrupted(phase, info):\n"
        "    gc.callbacks.remove(interrupted)\n"
        "    raise KeyboardInterrupt\n"
        "def work(**options):\n"
        "    gc.callbacks.append(interrupted)\n"
        "    gc.collect()\n"
        "    print('begun')\n"
        "    for _ in range(600):\n"
        "        time.sleep(0.1)\n"  # a single sleep would end before the interrupt is seen
        "atexit.register(print, 'Python may crash here')\n"
        "workbench.commands['runs'].callback = work\n"
        "sys.argv = ['binxent', 'runs', '.']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "begun\n", "binxent: Interrupted.\n")
