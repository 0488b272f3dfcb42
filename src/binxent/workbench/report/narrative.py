"""The meaning of a run's numbers, in sentences for readers who do not know what a calibration slope is."""

from collections.abc import Mapping
from typing import Any

from binxent.workbench.judgement.rivals import compared
from binxent.workbench.report.number_format import UNKNOWN, estimated, estimated_percent, number
from binxent.workbench.wording import counted

LEAKS = ("leak", "too_good")  # findings after which good scores are no praise
SLIGHT = 0.1  # a difference of the slope from 1 that does not matter
VAGUE = 1.0  # width of the slope's interval that leaves all open


def plain_words(metrics: Mapping[str, Any]) -> list[str]:
    """Explain the numbers of a run in sentences.

    Args:
        metrics: The content of metrics.json.

    Returns:
        Paragraphs of plain text.
    """
    test = metrics["test"]
    suspect = any(finding["code"] in LEAKS for finding in metrics.get("findings", ()))
    paragraphs = [
        [_suspected(test) if suspect else _explained(test), _ranked(test), _compared(metrics)],
        [_calibrated(test), _corrected(metrics)],
        [_learned(metrics, suspect), _rough(test)],
    ]
    texts = [" ".join(sentence for sentence in paragraph if sentence) for paragraph in paragraphs]
    return [text for text in texts if text]


def _suspected(test: Mapping[str, Any]) -> str:
    loss, base = number(test["log_loss"]["value"]), number(test["base_rate_log_loss"])
    return (
        "These scores say little about new rows as long as a column may give the target away: see the findings above. "
        f"The log loss is {loss}, where always predicting the base rate costs {base}."
    )


def _explained(test: Mapping[str, Any]) -> str:
    loss, base = test["log_loss"], test["base_rate_log_loss"]
    if base is None:
        return "No test row counts, so the model cannot be judged."
    if loss["value"] is None:
        return "At least one row was predicted with full certainty and wrong, so the log loss is infinite."
    if base == 0:
        return (
            f"The test rows are all of one class: the log loss of {number(loss['value'])} cannot be judged, and "
            "most other scores do not exist."
        )
    explained = test["explained"]
    facts = f"its log loss is {number(loss['value'])}, where always predicting the base rate costs {number(base)}"
    if explained["value"] <= 0:
        return f"The model is no better than a constant: {facts}."
    share, interval = estimated_percent(explained)
    sentence = f"The model explains {share} of the base-rate loss{_in_brackets(interval)}: {facts}."
    if explained["low"] is not None and explained["low"] <= 0:
        sentence += " With so few rows, that may still be chance."
    return sentence


def _ranked(test: Mapping[str, Any]) -> str:
    auc = test["auc"]
    if auc["value"] is None:
        return ""
    share, interval = estimated_percent(auc)
    return f"The model ranks a positive above a negative in {share} of the pairs{_in_brackets(interval)}."


def _compared(metrics: Mapping[str, Any]) -> str:
    # The loss of the base rate has been named already.
    others = (rival for rival in metrics.get("rivals", ()) if rival["name"] != "base rate")
    return " ".join(f"It {compared(rival, estimated)}." for rival in others)


def _calibrated(test: Mapping[str, Any]) -> str:
    explained = test["explained"]["value"]
    calibration = test["calibration"]
    return " ".join([_spread(calibration["slope"], explained), _level(calibration["observed_over_expected"])]).strip()


def _spread(slope: Mapping[str, Any], explained: float | None) -> str:
    if slope["low"] is None:
        return "These rows do not show whether the probabilities are too extreme or too timid."
    value, interval = estimated(slope, 2)
    facts = f"slope {value}{_in_brackets(interval)}, where 1 is ideal"
    if slope["high"] < 0:
        return f"The probabilities point the wrong way: {facts}."
    slightly = "slightly " if abs(slope["value"] - 1) < SLIGHT else ""
    if slope["high"] < 1:
        advice = "" if slightly else " They should lie nearer to the base rate."
        return f"The probabilities are {slightly}too extreme: {facts}.{advice}"
    if slope["low"] > 1:
        advice = "" if slightly else " They could lie further from the base rate."
        return f"The probabilities are {slightly}too timid: {facts}.{advice}"
    if slope["high"] - slope["low"] > VAGUE or slope["low"] <= 0 or (explained or 0) <= 0:
        return f"Whether the probabilities are too extreme or too timid cannot be judged: {facts}."
    return f"Nothing shows that the probabilities are too extreme or too timid: {facts}."


def _level(ratio: Mapping[str, Any]) -> str:
    if ratio["low"] is None:
        return ""
    value, interval = estimated(ratio, 2)
    times = f"there are {value} times as many positives as predicted{_in_brackets(interval)}"
    slightly = "slightly " if abs(ratio["value"] - 1) < SLIGHT else ""
    if ratio["low"] > 1:
        return f"On the whole they are {slightly}too low: {times}."
    if ratio["high"] < 1:
        return f"On the whole they are {slightly}too high: {times}."
    if ratio["high"] > 2 * ratio["low"]:
        return f"Whether they are too high or too low on the whole cannot be judged: {times}."
    return f"On the whole they are right, within the interval: {times}."


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
            "A slope and an intercept, fitted on validation rows, bring the probabilities nearer to the truth: "
            f"corrected logit = {number(correction['slope'])} × logit {_signed(correction['intercept'])}."
        )
    before, after = raw["log_loss"]["value"], metrics["test"]["log_loss"]["value"]
    if before is not None and after is not None:
        sentence += f" Without it the log loss would be {number(before)} instead of {number(after)}."
    return sentence


def _learned(metrics: Mapping[str, Any], suspect: bool) -> str:
    best, epochs, members, folds = (metrics[key] for key in ("best_epoch", "epochs", "members", "folds"))
    networks = "a network" if members == 1 else f"the mean of {members} networks"
    how = f", each trained without one of {folds} parts of the rows" if folds > 1 else ""
    sentences = [f"The model is {networks}{how}."]
    if best < epochs:
        sentences.append(f"Of {epochs} epochs, the validation loss was lowest in epoch {best}.")
    else:
        longer = "" if suspect else ": training for longer may help"
        sentences.append(f"The validation loss was at its lowest in the last of {counted(epochs, 'epoch')}{longer}.")
    return " ".join(sentences)


def _rough(test: Mapping[str, Any]) -> str:
    fewest = min(test["positives"], test["rows"] - test["positives"])
    if not 0 < fewest < 50:
        return ""
    which = "positive" if fewest == test["positives"] else "negative"
    return f"All of this rests on {counted(fewest, f'{which} row')}: read the intervals rather than the numbers."


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'} {number(abs(value))}"


def _in_brackets(interval: str) -> str:
    return "" if interval == UNKNOWN else f" (95 % interval {interval})"
