import torch

from anmok.engine.tree import pack, unpack
from anmok.tasks.pool import Pool


def numbered(start: int, count: int) -> torch.Tensor:
    """Pictures that say their number."""
    return torch.arange(start, start + count, dtype=torch.float32).reshape(-1, 1, 1, 1)


def test_it_fills_first() -> None:
    pool = Pool(50)
    assert torch.equal(pool.swap(numbered(0, 50)), numbered(0, 50))
    assert [int(picture) for picture in pool.pictures] == list(range(50))


def test_then_half_are_old_and_every_place_is_used() -> None:
    pool = Pool(50)
    pool.swap(numbered(0, 50))
    handed = pool.swap(numbered(50, 4000)).flatten()
    new = torch.arange(50, 4050)
    old = handed != new
    assert abs(old.float().mean() - 0.5) < 0.03
    assert (handed[old] < new[old]).all()
    # Nothing is lost or doubled: all pictures met were handed on once, or are in the pool or were there at first.
    kept = {int(picture) for picture in pool.pictures}
    assert len(kept) == 50 and sorted([*handed.int().tolist(), *kept]) == list(range(4050))
    assert not kept & set(range(50))


def test_without_room_everything_passes() -> None:
    assert torch.equal(Pool(0).swap(numbered(0, 9)), numbered(0, 9))


def test_what_is_kept_holds_no_graph_and_no_borrowed_memory() -> None:
    pool = Pool(4)
    pictures = numbered(0, 2).requires_grad_()
    handed = pool.swap(pictures * 1)
    assert not handed.requires_grad and not any(picture.requires_grad for picture in pool.pictures)
    with torch.no_grad():
        pictures.fill_(9)
        handed.fill_(9)
    assert [int(picture) for picture in pool.pictures] == [0, 1]


def test_it_goes_on_from_a_checkpoint_as_if_never_interrupted() -> None:
    whole, first = Pool(5, seed=3), Pool(5, seed=3)
    expected = [whole.swap(numbered(8 * i, 8)) for i in range(6)]
    for i in range(3):
        first.swap(numbered(8 * i, 8))
    second = Pool(5, seed=3)
    second.load_state(unpack(*pack(first.state())))
    assert all(torch.equal(second.swap(numbered(8 * i, 8)), expected[i]) for i in range(3, 6))
    assert not all(torch.equal(Pool(5, seed=4).swap(numbered(8 * i, 8)), expected[i]) for i in range(3))
