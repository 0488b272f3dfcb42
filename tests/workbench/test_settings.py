import dataclasses
import tomllib

import pytest

from binxent.workbench.settings import LOSS_PARAMETERS, Settings


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(data=("/a/b c.csv", '/q"uo\\te/ä\x7f.csv'), target="ja/nein", hidden=(), exclude=("x", "y")),
        Settings(loss="focal", gamma=1.5, alpha=0.7, seed=2**32 - 1, drop_missing=True),
        Settings(pos_weight="auto", batch_size=64, learning_rate=1e-7),
    ],
)
def test_toml_gives_back_the_settings(settings, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(settings.to_toml(), encoding="utf-8")
    assert Settings.from_toml(path) == settings


def test_the_chosen_losss_defaults_are_written_and_no_others():
    written = tomllib.loads(Settings(loss="asymmetric").to_toml())
    assert {key: written[key] for key in ("gamma_pos", "gamma_neg", "margin")} == {
        "gamma_pos": 1.0,
        "gamma_neg": 4.0,
        "margin": 0.05,
    }
    assert not {"gamma", "alpha", "epsilon_1", "pos_weight"} & written.keys()


@pytest.mark.parametrize("loss", LOSS_PARAMETERS)
def test_a_parameter_of_another_loss_is_refused(loss):
    for other, parameters in LOSS_PARAMETERS.items():
        for parameter in parameters:
            if other != loss:
                with pytest.raises(ValueError, match=f"belongs to the loss `{other}`"):
                    Settings(loss=loss, **{parameter: 1.0})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loss", "hinge"),
        ("loss", {}),
        ("label_smoothing", 1.5),
        ("label_smoothing", "a"),
        ("hidden", (64, 0)),
        ("hidden", 64),
        ("hidden", (64, 2**20)),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("batch_size", 0),
        ("epochs", 0),
        ("epochs", True),
        ("patience", 2.5),
        ("seed", -1),
        ("examples", -1),
        ("pos_weight", "much"),
        ("pos_weight", 0),
        ("target", 3),
        ("data", "a.csv"),
        ("data", ("a.csv", "")),
        ("exclude", ("a", "a")),
        ("include", ("a", "a")),
        ("drop_missing", "yes"),
    ],
)
def test_an_impossible_value_is_refused_by_name(key, value):
    with pytest.raises(ValueError, match=f"--{key.replace('_', '-')} must be"):
        Settings(**{key: value})


def test_an_unknown_key_names_the_nearest(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("learning_rat = 0.1")
    with pytest.raises(ValueError, match="unknown key `learning_rat`. Did you mean `learning_rate`"):
        Settings.from_toml(path)


def test_overriding_the_loss_takes_its_parameters_along():
    settings = Settings(loss="focal", gamma=1.0).overridden({"loss": "poly"})
    assert settings == Settings(loss="poly")
    with pytest.raises(ValueError, match="belongs to the loss `focal`"):
        Settings().overridden({"gamma": 1.0})


def test_overriding_the_data_forgets_their_fingerprint():
    settings = Settings(data=("/a.csv",), data_fingerprint="0")
    assert settings.overridden({"data": ("/b.csv",)}).data_fingerprint is None
    assert settings.overridden({"seed": 1}).data_fingerprint == "0"


def test_every_setting_is_documented():
    attributes = (Settings.__doc__ or "").partition("Attributes:")[2]
    assert [f.name for f in dataclasses.fields(Settings) if f"\n        {f.name}: " not in attributes] == []
