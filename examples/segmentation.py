"""Maps of several classes: one `pos_weight` per map has the shape (C, 1, 1).

    python examples/segmentation.py

Weights align with the last axis, as everything that broadcasts does: for outputs of shape (N, C, H, W) a plain (C,)
would weigh columns of pixels. Where C differs from W that is an error, which names the right shape.
"""

import torch

from binxent.torch import BCEWithLogitsLoss

CLASSES = ("disc", "spot")
SIDE = 32


def draw(count):
    """Draw noisy images with a large disc and a small spot each, and a map of both."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    middles = torch.randint(4, SIDE - 4, (2, 2, count, 1, 1))
    distances = ((y - middles[0]) ** 2 + (x - middles[1]) ** 2).float().sqrt()
    maps = torch.stack([distances[0] < 8, distances[1] < 1.5], 1)
    strength = torch.tensor([1.0, -1.2]).reshape(1, 2, 1, 1)
    return (maps * strength).sum(1, keepdim=True) + 0.7 * torch.randn(count, 1, SIDE, SIDE), maps


def train(loss, images, maps):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 5, padding=2), torch.nn.ReLU(), torch.nn.Conv2d(8, len(CLASSES), 5, padding=2)
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss(model(images), maps).backward()  # boolean maps are taken as they are
        optimizer.step()
    return model


if __name__ == "__main__":
    torch.manual_seed(0)
    images, maps = draw(48)
    unseen, truth = draw(48)
    positives = maps.float().mean((0, 2, 3))
    pos_weight = (1 - positives) / positives
    print(f"{'found of each class':24}", *(f"{name:>8}" for name in CLASSES))
    for name, loss in [
        ("no weights", BCEWithLogitsLoss()),
        ("pos_weight (C, 1, 1)", BCEWithLogitsLoss(pos_weight=pos_weight.reshape(-1, 1, 1))),
    ]:
        found = train(loss, images, maps)(unseen) > 0
        print(f"{name:24}", *(f"{share:8.3f}" for share in (found & truth).sum((0, 2, 3)) / truth.sum((0, 2, 3))))
    try:
        BCEWithLogitsLoss(pos_weight=pos_weight)(torch.zeros(truth.shape), truth)
    except ValueError as error:
        print(f"pos_weight (C,):\n{error}")
