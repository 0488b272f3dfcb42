"""Means over processes: unequal batches, weights and ignored targets give the gradients of one large batch."""

import pickle

import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("this torch has no gloo", allow_module_level=True)

from support import ranks  # noqa: E402
from support.compare import close  # noqa: E402


def train(world, folder):
    """What so many processes find, forked from one that has spent the seconds which the imports take."""
    context = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["support.ranks", "torch._dynamo", "torch.distributed.fsdp"])
    processes = [context.Process(target=ranks.work, args=(rank, world, folder)) for rank in range(world)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    hung = [process for process in processes if process.is_alive()]
    for process in hung:
        process.kill()
    assert [process.exitcode for process in processes] == [0] * world, "a process failed, as it said above, or hung"
    return pickle.loads((folder / "found").read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("world", [1, 2, 4])
def test_gradients_are_those_of_one_large_batch(world, tmp_path):
    found = train(world, tmp_path)
    assert len(found) == len(ranks.CASES) * len(ranks.WRAPPERS)
    for (case, _), (loss, gradients) in found.items():
        wanted_loss, wanted = ranks.whole(case)
        close(loss, wanted_loss, 1e-12)
        close(gradients, wanted, 1e-11, 1e-14)


@pytest.mark.parametrize("case", ranks.CASES)
def test_means_of_parts_are_not_the_mean_of_the_whole(case):
    """Else the test above could not fail: averaging what each process has would do."""
    _, gradients = ranks.whole(case)
    sizes = ranks.PARTS[2]
    averages = []
    for rows in (slice(0, sizes[0]), slice(sizes[0], None)):
        model = ranks.model()
        ranks.step(case, model, *(tensor[rows] for tensor in ranks.batch(case)))
        averages.append([parameter.grad / 2 for parameter in model.parameters()])
    with pytest.raises(AssertionError):
        close([one + other for one, other in zip(*averages, strict=True)], gradients, 1e-3)
