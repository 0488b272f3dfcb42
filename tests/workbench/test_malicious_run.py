"""A run folder from anybody: whatever its files hold, nothing is run, and what does not fit is told in a sentence."""

import io
import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest

MODEL, PREPARATION = "model.keras", "preparation.npz"


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


def with_objects(folder, marker):
    for name in members_of(folder / PREPARATION):
        rewrite(folder / PREPARATION, {name: array_of_objects(marker)})


def with_a_huge_array(folder, _):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**13, 4)})
    rewrite(folder / PREPARATION, {"scales.npy": header.getvalue()})


def with_a_bomb(folder, _):
    with zipfile.ZipFile(folder / PREPARATION, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(10**7))


def with_paths_above(folder, _):
    rewrite(folder / PREPARATION, {"../escaped.npy": b"x", "scales.npy": b""})
    rewrite(folder / MODEL, {"../../escaped.txt": b"x", "assets/../../escaped.txt": b"x", "model.weights.h5": b""})


def with_a_lambda(folder, marker):
    import keras

    path = str(marker)
    code = keras.layers.Lambda(lambda x: (__import__("os").makedirs(path, exist_ok=True), x)[1])
    keras.Sequential([keras.Input((3,)), code]).save(folder / MODEL)
    marker.rmdir()  # as it is run to find its shape


def with_a_class(module, name, arguments):
    """Make a model whose configuration names any class of any module, with its arguments."""

    def change(folder, marker):
        config = json.loads(members_of(folder / MODEL)["config.json"])
        given = {key: str(marker) if value is None else value for key, value in arguments.items()}
        config["config"]["layers"][1] = {"module": module, "class_name": name, "config": given}
        config["config"]["layers"][1]["registered_name"] = name
        rewrite(folder / MODEL, {"config.json": json.dumps(config).encode(), "model.weights.h5": b""})

    return change


def with_a_huge_matrix(folder, _):
    import h5py

    changed = io.BytesIO(members_of(folder / MODEL)["model.weights.h5"])
    with h5py.File(changed, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            del file[name]
            file.create_dataset(name, (10**7, 10**7), "f4", chunks=(1000, 1000))  # which takes a few bytes
    rewrite(folder / MODEL, {"model.weights.h5": changed.getvalue()})


def link(name, target):
    def change(folder, marker):
        (folder / name).unlink()
        (folder / name).symlink_to(target or marker.with_suffix(".pickle"))
        marker.with_suffix(".pickle").write_bytes(dumped(marker))

    return change


def fifo(folder, _):
    (folder / PREPARATION).unlink()
    os.mkfifo(folder / PREPARATION)


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
    "a pickled preparation": replaced(dumped, PREPARATION),
    "a pickle of joblib": replaced(dumped_by_joblib, PREPARATION),
    "a bare array of objects": replaced(array_of_objects, PREPARATION),
    "arrays of objects": with_objects,
    "a pickled network": replaced(dumped, MODEL),
    "pickles everywhere": replaced(dumped, MODEL, PREPARATION, "metrics.json", "columns.json"),
    "a link to a pickle": link(PREPARATION, None),
    "a network that is a link to a pickle": link(MODEL, None),
    "a link to endless zeros": link(PREPARATION, "/dev/zero"),
    "a network of endless zeros": link(MODEL, "/dev/zero"),
    "a file that never ends": fifo,
    "a huge array": with_a_huge_array,
    "a huge matrix": with_a_huge_matrix,
    "a bomb": with_a_bomb,
    "paths above the folder": with_paths_above,
    "a layer of Python code": with_a_lambda,
    "a class of os": with_a_class("os", "mkdir", {"path": None}),
    "a class of builtins": with_a_class("builtins", "eval", {"source": "1"}),
    "a class of subprocess": with_a_class("subprocess", "Popen", {"args": ["false"]}),
    "a registered class": with_a_class(None, "payload>Payload", {}),
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


def test_the_payload_would_be_seen(tmp_path):
    pickle.loads(dumped(tmp_path / "executed"))
    assert (tmp_path / "executed").exists()
