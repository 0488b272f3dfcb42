"""Three things that tutorials say wrongly, of the original as of binxent, and what is true in their place."""

import numpy as np
import pytest
from documents.forms import in_forms
from support import compare
from support.failing import outcome

LABELS = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]], "float32")
LOGITS = np.array([[2.0, 0.5, -1.0], [-0.3, 1.2, 0.7]], "float32")
P = 1 / (1 + np.exp(-LOGITS))
COSTS, OTHER_COSTS = -np.log(np.where(LABELS == 1, P, 1 - P)), -np.log(np.where(LABELS == 1, 1 - P, P))


def differ(got, wrong):
    assert abs(np.asarray(got) - np.asarray(wrong)).min() > 1e-3


@in_forms()
def test_the_function_does_not_take_logits_by_default(form):
    function = form.losses.binary_crossentropy
    of_logits = form.run(lambda: function(LABELS, LOGITS, from_logits=True))
    compare.close(of_logits, COSTS.mean(-1), 1e-5)
    *_, got = outcome(lambda: form.run(lambda: function(LABELS, LOGITS)))
    if isinstance(got, ValueError):  # where values can be looked at, ours says so
        assert form.is_ours and "Logits need from_logits=True" in str(got)
    else:
        differ(got, of_logits)  # what is taken for a probability is clipped
    compare.close(form.run(lambda: function(LABELS, P)), of_logits, 1e-5)


@in_forms()
def test_smoothing_of_a_tenth_makes_labels_of_005_and_095(form):
    loss = form.losses.BinaryCrossentropy(label_smoothing=0.1, reduction="none")
    got = form.run(lambda: loss(LABELS, P))
    compare.close(got, (0.95 * COSTS + 0.05 * OTHER_COSTS).mean(-1), 1e-5)
    differ(got, (0.9 * COSTS + 0.1 * OTHER_COSTS).mean(-1))
    soft = form.losses.BinaryCrossentropy(reduction="none")
    compare.close(form.run(lambda: soft(np.where(LABELS == 1, 0.95, 0.05).astype("float32"), P)), got, 1e-5)


@in_forms()
@pytest.mark.parametrize("from_logits", [False, True])
def test_focal_loss_weighs_each_label_by_the_probability_of_the_truth(form, from_logits):
    loss = form.losses.BinaryFocalCrossentropy(True, alpha=0.25, gamma=2.0, from_logits=from_logits, reduction="none")
    got = form.run(lambda: loss(LABELS, LOGITS if from_logits else P))
    p_t, alpha_t = np.where(LABELS == 1, P, 1 - P), np.where(LABELS == 1, 0.25, 0.75)
    compare.close(got, (alpha_t * (1 - p_t) ** 2 * COSTS).mean(-1), 1e-4)
    differ(got, (0.25 * (1 - P) ** 2 * COSTS).mean(-1))  # the tutorials' formula, for both labels
