"""Large gradients lie in memory that has been used before, and never in memory that is in use."""

import gc
import pickle
import threading

import pytest
import torch
from support.compare import close

from binxent._kernels import allocator
from binxent.torch import binary_cross_entropy_with_logits

LARGE = (allocator.LARGE // 4 + 3,)
pytestmark = pytest.mark.skipif(not allocator.CAN_KEEP, reason="this system cannot mark memory as free")


def gradient(seed, shape=LARGE):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator).requires_grad_()
    y = torch.rand(shape, generator=generator)
    binary_cross_entropy_with_logits(x, y, reduction="sum").backward()
    close(x.grad, torch.sigmoid(x.detach()) - y, 1e-4, 1e-6)
    return x.grad


@pytest.fixture(autouse=True, scope="module")
def little_garbage():
    """Leave what other tests have loaded out of each collection, which takes a second over all frameworks."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_kept(little_garbage):
    gc.collect()
    allocator._kept.clear()
    yield
    allocator._kept.clear()


def test_the_next_step_uses_the_memory_of_the_last():
    places = set()
    for seed in range(3):
        places.add(gradient(seed).data_ptr())
    assert len(places) == 1


def test_memory_that_is_in_use_is_left_alone():
    first = gradient(0)
    copy = first.clone()
    second = gradient(1)
    assert second.data_ptr() != first.data_ptr()
    assert torch.equal(first, copy)


def test_a_view_keeps_its_memory():
    part = gradient(0)[5:9]
    copy = part.clone()
    gradient(1)
    assert torch.equal(part, copy)


def test_a_large_gradient_can_be_used_as_any_other_but_not_resized():
    grad = gradient(0)
    copy = grad.clone()
    with pytest.raises(RuntimeError, match="storage that is not resizable"):
        grad.resize_(2 * LARGE[0])
    with pytest.raises(RuntimeError, match="storage that is not resizable"):
        grad.untyped_storage().resize_(0)
    assert torch.equal(grad.resize_(LARGE), copy)
    assert torch.equal(grad.resize_(9), copy[:9])
    grad.resize_(LARGE).share_memory_()
    assert grad.is_shared() and torch.equal(grad, copy)
    assert torch.equal(pickle.loads(pickle.dumps(grad)), copy)
    grad.set_(copy.untyped_storage(), 0, LARGE).zero_()
    assert not copy.any()


@pytest.mark.parametrize("factor", [0.5, 4])
def test_memory_of_another_size_is_let_go(factor):
    gradient(0, (int(4 * LARGE[0]),))
    (kept,) = allocator._kept
    other = gradient(1, (int(4 * LARGE[0] * factor),))
    assert allocator._kept == []
    del other
    assert allocator._kept != [kept]


def test_only_a_few_pieces_are_kept():
    alive = [gradient(seed) for seed in range(allocator.KEPT + 2)]
    alive.clear()
    assert len(allocator._kept) == allocator.KEPT


def test_small_gradients_take_nothing():
    gradient(0, (1000,))
    assert allocator._kept == []


def test_threads_never_share_memory():
    wrong = []

    def work(seed):
        try:
            for turn in range(5):
                gradient(10 * seed + turn)
        except AssertionError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
