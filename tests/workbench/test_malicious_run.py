"""A run folder from anybody: whatever its files hold, nothing is run, and what does not fit is told in a sentence."""

import io
import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest

KERAS, NETWORK, PREPARATION = "model.keras", "network.npz", "preparation.npz"


@pytest.fixture(scope="module")
def run(trained_once):
    return trained_once("--target", "readmitted", "--epochs", "1", "--hidden", "8")


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def dumped(marker):
    return pickle.dumps(Payload(marker))


def dumped_by_joblib(marker):
    import joblib

    buffer = io.BytesIO()
    joblib.dump({"preprocessor": Payload(marker)}, buffer, compress=3)
    return buffer.getvalue()


def array_of_objects(marker):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload(marker)]), allow_pickle=True)
    return buffer.getvalue()


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, changes):
    members = members_of(path) | changes
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def with_objects(file):
    def change(folder, marker):
        for name in members_of(folder / file):
            rewrite(folder / file, {name: array_of_objects(marker)})

    return change


def with_an_array(file, name, content):
    return lambda folder, _: rewrite(folder / file, {name: content})


def declared(dtype, shape):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    return header.getvalue()


def with_a_bomb(file):
    def change(folder, _):
        with zipfile.ZipFile(folder / file, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.npy", bytes(10**7))

    return change


def with_paths_above(file):
    return lambda folder, _: rewrite(folder / file, {"../escaped.npy": b"x", "/escaped.npy": b"x"})


def with_more_inputs(folder, _):
    with np.load(folder / NETWORK) as saved:
        arrays = dict(saved)
    arrays["kernel_0"] = np.concatenate([arrays["kernel_0"]] * 2, axis=1)
    np.savez(folder / NETWORK, **arrays)


def link(name, target):
    def change(folder, marker):
        (folder / name).unlink()
        (folder / name).symlink_to(target or marker.with_suffix(".pickle"))
        marker.with_suffix(".pickle").write_bytes(dumped(marker))

    return change


def fifo(file):
    def change(folder, _):
        (folder / file).unlink()
        os.mkfifo(folder / file)

    return change


def replaced(content, *names):
    def change(folder, marker):
        for name in names:
            (folder / name).write_bytes(content(marker) if callable(content) else content)

    return change


def edited(name, path, value):
    """Change a value of a JSON file."""

    def change(folder, _):
        content = json.loads((folder / name).read_text())
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        (folder / name).write_text(json.dumps(content))

    return change


READING = ("reading", 0)
ATTACKS = {
    **{
        f"{attack} for {file}": change
        for file, array in ((PREPARATION, "scales.npy"), (NETWORK, "kernel_0.npy"))
        for attack, change in {
            "a pickle": replaced(dumped, file),
            "a pickle of joblib": replaced(dumped_by_joblib, file),
            "a bare array of objects": replaced(array_of_objects, file),
            "arrays of objects": with_objects(file),
            "a link to a pickle": link(file, None),
            "endless zeros": link(file, "/dev/zero"),
            "a file that never ends": fifo(file),
            "a huge array": with_an_array(file, array, declared("<f4", (10**7, 10**7, 10**7))),
            "a type of our own": with_an_array(file, array, declared([("x", "<f4"), ("y", "|O")], (1,))),
            "a bomb": with_a_bomb(file),
        }.items()
    },
    "pickles everywhere": replaced(dumped, NETWORK, PREPARATION, "metrics.json", "columns.json"),
    "a network with more inputs": with_more_inputs,
    "deep nesting": replaced(b"[" * 100_000, "columns.json"),
    "a correction that is no number": edited("metrics.json", ("correction", "slope"), "1; import os"),
    "a correction without end": edited("metrics.json", ("correction", "intercept"), float("inf")),
    "a correction that is a list": edited("metrics.json", ("correction",), [1, 0]),
    "an unknown kind": edited("columns.json", (*READING, "kind"), "object"),
    "a kind that is a list": edited("columns.json", (*READING, "kind"), []),
    "a name that is a number": edited("columns.json", (*READING, "name"), 7),
    "a decimal mark that is a number": edited("columns.json", (*READING, "number", "decimal"), 7),
    "a unit that is a list": edited("columns.json", (*READING, "number", "unit"), ["kg"]),
    "marks of dates that are a number": edited("columns.json", (*READING, "date", "day_first"), 7),
    "a further setting": edited("columns.json", (*READING, "date", "__class__"), "x"),
    "columns that are a text": edited("columns.json", ("reading",), "age"),
    "a list instead of columns": replaced(b"[1]", "columns.json"),
    "classes that are missing": edited("columns.json", ("classes",), None),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_malicious_run_is_refused_and_nothing_in_it_is_run(refused, run, visits, tmp_path, attack):
    folder, marker = shutil.copytree(run, tmp_path / "runs" / "run"), tmp_path / "executed"
    visits.write_csv(tmp_path / "new.csv")
    attack(folder, marker)
    before = sorted(tmp_path.rglob("*"))
    sentence = refused("predict", folder, "new.csv", "-o", "out.csv")
    assert sentence.startswith(("binxent: the run folder", f"binxent: {folder}"))
    assert "is not a run folder" not in sentence
    assert sorted(tmp_path.rglob("*")) == before  # neither the marker nor a file beside it


@pytest.mark.parametrize(
    "attack",
    [
        replaced(dumped, KERAS), link(KERAS, None), with_paths_above(KERAS), with_paths_above(NETWORK),
        with_paths_above(PREPARATION),
    ],
)  # fmt: skip
def test_what_prediction_does_not_read_does_no_harm(binxent, run, visits, tmp_path, attack):
    folder, marker = shutil.copytree(run, tmp_path / "runs" / "run"), tmp_path / "executed"
    visits.write_csv(tmp_path / "new.csv")
    attack(folder, marker)
    before = set(tmp_path.rglob("*"))
    assert binxent("predict", folder, "new.csv", "-o", "out.csv").exit_code == 0
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "out.csv"}


DAMAGE = {
    "deep JSON": b"[" * 100_000,
    "deep TOML": b"a = " + b"[" * 20_000,
    "a list": b"[1]",
    "no text": b"\xff\xfe",
    "a pickle": pickle.dumps(int),
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("file", ["metrics.json", "config.toml", "environment.json"])
def test_damaged_files_end_in_a_sentence(binxent, refused, run, tmp_path, file, content):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / file).write_bytes(content)
    listed = binxent("runs", ".").stdout
    assert ("damaged" in listed) == (file != "environment.json")
    if file != "metrics.json":
        (folder / "INTERRUPTED").write_text("")
        assert file in refused("train", "--resume", "run", "--dry-run")


def test_the_payload_would_be_seen(tmp_path):
    pickle.loads(dumped(tmp_path / "executed"))
    assert (tmp_path / "executed").exists()
