import os

import pytest

from binxent.workbench.run_folder import MARK, create, finish, is_interrupted, next_free, replacing, require_run


def test_a_new_run_is_marked_until_it_is_finished(tmp_path):
    folder = create(tmp_path / "deep" / "runs", None, "my data", {"config.toml": "seed = 1\n"})
    assert folder == tmp_path / "deep" / "runs" / "my-data-1"
    assert is_interrupted(folder)
    assert "resume" in (folder / MARK).read_text()
    assert (folder / "config.toml").read_text() == "seed = 1\n"
    finish(folder)
    assert not is_interrupted(folder)
    assert os.listdir(folder) == ["config.toml"]
    assert os.listdir(folder.parent) == ["my-data-1"]


def test_numbers_and_names(tmp_path):
    assert create(tmp_path, None, "a", {}).name == "a-1"
    assert create(tmp_path, None, "a", {}).name == "a-2"
    assert create(tmp_path, "best", "a", {}).name == "best"
    with pytest.raises(FileExistsError, match="exists already. A free name is best-1"):
        create(tmp_path, "best", "a", {})
    with pytest.raises(ValueError, match="must be a plain name"):
        create(tmp_path, "a/b", "a", {})
    with pytest.raises(ValueError, match="must be a plain name"):
        create(tmp_path, "..", "a", {})
    assert next_free(tmp_path, "*?") == "run-1"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_below_a_file_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be created in .*file.*: (not a directory|file exists)"):
        create(tmp_path / "file" / "runs", None, "a", {})


def test_what_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run folder"):
        require_run(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"no config.toml"):
        require_run(tmp_path)
