"""The meaning of a run's numbers, in sentences for readers who do not know what a calibration slope is."""

from collections.abc import Callable, Mapping
from typing import Any

from binxent.workbench.report.number_format import number, percent, plural


def plain_words(metrics: Mapping[str, Any]) -> list[str]:
    """Explain the numbers of a run in sentences.

    Args:
        metrics: The content of metrics.json.

    Returns:
        Paragraphs of plain text.
    """
    test = metrics["test"]
    paragraphs = [
        [_explained(test), _ranked(test)],
        [_calibrated(test["calibration"]), _corrected(metrics)],
        [_learned(metrics), _rough(test)],
    ]
    return [" ".join(sentence for sentence in paragraph if sentence) for paragraph in paragraphs]


def _explained(test: Mapping[str, Any]) -> str:
    loss, base = test["log_loss"], test["base_rate_log_loss"]
    if base is None:
        return "No held-out row counts, so the model cannot be judged."
    if loss["value"] is None:
        return "At least one row was predicted with full certainty and wrong, so the log loss is infinite."
    if base == 0:
        return (
            f"The held-out rows are all of one class: the log loss of {number(loss['value'])} cannot be judged, and "
            "most other scores do not exist."
        )
    explained = test["explained"]
    facts = f"its log loss is {number(loss['value'])}, where always predicting the base rate costs {number(base)}"
    if explained["value"] <= 0:
        return f"The model is no better than a constant: {facts}."
    share = f"{percent(explained['value'])} of the base-rate loss{_interval(explained, percent)}"
    sentence = f"The model explains {share}: {facts}."
    if explained["low"] is not None and explained["low"] <= 0:
        sentence += " With so few rows, that may still be chance."
    return sentence


def _ranked(test: Mapping[str, Any]) -> str:
    auc = test["auc"]
    if auc["value"] is None:
        return ""
    return f"It ranks a positive above a negative in {percent(auc['value'])} of the pairs{_interval(auc, percent)}."


def _calibrated(calibration: Mapping[str, Any]) -> str:
    slope, ratio = calibration["slope"], calibration["observed_over_expected"]
    sentences = []
    if slope["low"] is None:
        sentences.append("These rows do not show whether the probabilities are too extreme or too timid.")
    elif slope["high"] < 0:
        sentences.append(f"The probabilities point the wrong way: slope {number(slope['value'])}{_interval(slope)}.")
    elif slope["high"] < 1:
        sentences.append(
            f"The probabilities are too extreme: slope {number(slope['value'])}{_interval(slope)}, where 1 is ideal. "
            "They should lie nearer to the base rate."
        )
    elif slope["low"] > 1:
        sentences.append(
            f"The probabilities are too timid: slope {number(slope['value'])}{_interval(slope)}, where 1 is ideal. "
            "They could lie further from the base rate."
        )
    else:
        sentences.append(
            f"The spread of the probabilities is consistent with the truth: slope {number(slope['value'])}"
            f"{_interval(slope)}, where 1 is ideal."
        )
    if ratio["low"] is not None:
        times = f"{number(ratio['value'])} times as many positives as predicted{_interval(ratio)}"
        if ratio["low"] > 1:
            sentences.append(f"On the whole they are too low: there are {times}.")
        elif ratio["high"] < 1:
            sentences.append(f"On the whole they are too high: there are {times}.")
        else:
            sentences.append(f"On the whole they are right, within the interval: there are {times}.")
    return " ".join(sentences)


def _corrected(metrics: Mapping[str, Any]) -> str:
    correction, raw = metrics["correction"], metrics["test_raw"]
    if correction["kind"] == "none" or raw is None:
        return ""
    if correction["kind"] == "pos_weight":
        sentence = (
            "Training weighed the positives, which moves every probability; the exact inverse, "
            f"{_signed(correction['intercept'])} on the logit, takes the weight out again."
        )
    else:
        sentence = (
            "The training loss does not aim at true probabilities, so a slope and an intercept were fitted on the "
            f"validation rows: corrected logit = {number(correction['slope'])} × logit "
            f"{_signed(correction['intercept'])}."
        )
    before, after = raw["log_loss"]["value"], metrics["test"]["log_loss"]["value"]
    if before is not None and after is not None:
        sentence += f" Without it the log loss would be {number(before)} instead of {number(after)}."
    return sentence


def _learned(metrics: Mapping[str, Any]) -> str:
    best, epochs = metrics["best_epoch"], metrics["epochs"]
    if best == epochs:
        return (
            f"The validation loss was at its lowest in the last of {epochs} {plural('epoch', epochs)}: training for "
            "longer may help."
        )
    return f"The weights are those of epoch {best} of {epochs}, where the validation loss was lowest."


def _rough(test: Mapping[str, Any]) -> str:
    fewest = min(test["positives"], test["rows"] - test["positives"])
    if not 0 < fewest < 50:
        return ""
    which = "positive" if fewest == test["positives"] else "negative"
    return f"All of this rests on {fewest} {which} {plural('row', fewest)}: read the intervals rather than the numbers."


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'} {number(abs(value))}"


def _interval(estimate: Mapping[str, Any], as_text: Callable[[float], str] = number) -> str:
    if estimate["low"] is None:
        return ""
    return f" (95 % interval {as_text(estimate['low'])} to {as_text(estimate['high'])})"
