"""Rare positives: what `pos_weight` and the focal loss do to a model's probabilities, and how to undo it.

    python examples/imbalance.py

A model trained with positives counted c times predicts as if they were c times as frequent. It ranks no better, but its
probabilities are too high, by log(c) in the logit: subtract that, and they are as good as without the weight. The
focal loss moves them towards one half; it takes a calibration on held-out data to undo that.
"""

import torch
from sklearn.metrics import log_loss, roc_auc_score

from binxent.torch import BCEWithLogitsLoss, SigmoidFocalLoss

COUNT = 50.0


def make_data(rows):
    """Draw features, and whether a disease is present, as in one row of fifty."""
    features = torch.randn(rows, 6)
    logits = features @ torch.tensor([1.0, -0.7, 0.5, 0.3, 0.0, 0.0]) - 4.6
    return features, torch.bernoulli(torch.sigmoid(logits))


def train(loss, features, target):
    """Fit a logistic regression by full-batch steps."""
    model = torch.nn.Linear(6, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        value = loss(model(features).squeeze(1), target)
        value.backward()
        return value

    optimizer.step(step)
    return model


def report(name, logits, target):
    p = torch.sigmoid(logits)
    print(f"{name:32} {p.mean():9.4f} {log_loss(target, p):9.4f} {roc_auc_score(target, p):9.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    features, target = make_data(40_000)
    unseen, truth = make_data(40_000)
    print(f"{'':32} {'mean p':>9} {'log loss':>9} {'AUC':>9}")
    for name, loss, shift in [
        ("binary cross-entropy", BCEWithLogitsLoss(), None),
        (f"pos_weight={COUNT:.0f}", BCEWithLogitsLoss(pos_weight=COUNT), torch.tensor(COUNT).log()),
        ("focal, gamma=2", SigmoidFocalLoss(alpha=-1, gamma=2.0), None),
    ]:
        logits = train(loss, features, target)(unseen).squeeze(1).detach()
        report(name, logits, truth)
        if shift is not None:
            report(f"{name}, logit - log({COUNT:.0f})", logits - shift, truth)
    print(f"{'the truth':32} {truth.mean():9.4f}")
