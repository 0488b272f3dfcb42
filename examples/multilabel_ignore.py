"""Several labels per sample, most of them unknown: mark those with `ignore_index`, and train on the others.

    python examples/multilabel_ignore.py

Three questions about images of handwritten digits, of which three answers in four are missing. Often "no" is
written for "unknown"; a model trained on that underestimates every label.
"""

import torch
from sklearn.datasets import load_digits

from binxent.torch import BCEWithLogitsLoss

QUESTIONS = {"even": [0, 2, 4, 6, 8], "above four": [5, 6, 7, 8, 9], "has a hole": [0, 6, 8, 9]}
UNKNOWN = -1
TRAINED = 1200  # images; the others judge


def load():
    """Return pixels in [0, 1], and the answers: a column for each question."""
    digits = load_digits()
    images, digit = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    return images, torch.stack([torch.isin(digit, torch.tensor(yes)) for yes in QUESTIONS.values()], 1).long()


def train(loss, images, answers):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, len(QUESTIONS)))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss(model(images), answers).backward()  # integer targets are taken as they are
        optimizer.step()
    return model


if __name__ == "__main__":
    torch.manual_seed(0)
    images, answers = load()
    known = torch.rand(TRAINED, len(QUESTIONS)) < 0.25
    partly = answers[:TRAINED].where(known, UNKNOWN)
    print(f"{'right answers':24}", *(f"{question:>12}" for question in QUESTIONS))
    for name, loss, labels in [
        ("unknown taken for no", BCEWithLogitsLoss(), partly.clamp(min=0)),
        ("unknown ignored", BCEWithLogitsLoss(ignore_index=UNKNOWN), partly),
        ("everything known", BCEWithLogitsLoss(), answers[:TRAINED]),
    ]:
        model = train(loss, images[:TRAINED], labels)
        right = ((model(images[TRAINED:]) > 0) == answers[TRAINED:]).float().mean(0)
        print(f"{name:24}", *(f"{share:12.3f}" for share in right))
