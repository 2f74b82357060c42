import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import invert, permutation_key, permute


@given(size=st.integers(1, 3_000), seed=st.integers(0, 2**32))
def test_it_is_a_bijection_and_invert_undoes_it(size: int, seed: int) -> None:
    key = permutation_key("test", seed)
    values = permute(np.arange(size), size, key)
    assert sorted(values) == list(range(size))
    assert (invert(values, size, key) == np.arange(size)).all()


@given(size=st.integers(2**40, 2**60), index=st.integers(0, 2**40 - 1))
def test_it_works_index_by_index_on_ranges_that_fit_in_no_memory(size: int, index: int) -> None:
    key = permutation_key("large")
    value = permute(index, size, key)
    assert 0 <= value < size
    assert invert(value, size, key) == index


def test_it_depends_on_the_key_alone() -> None:
    indices = np.arange(1_000)
    first = permute(indices, 1_000, permutation_key("epoch", "fingerprint", 0))
    again = permute(indices, 1_000, permutation_key("epoch", "fingerprint", 0))
    other = permute(indices, 1_000, permutation_key("epoch", "fingerprint", 1))
    assert (first == again).all()
    assert (first != other).mean() > 0.99


def test_it_is_the_same_for_ever() -> None:
    assert permute(np.arange(8), 8, permutation_key("pinned", 1)).tolist() == [
        3,
        6,
        7,
        0,
        5,
        4,
        1,
        2,
    ]


def test_it_shuffles_well() -> None:
    """Displacements and neighbors look as under random permutations."""
    size = 4_096
    values = permute(np.arange(size), size, permutation_key("quality"))
    correlation = np.corrcoef(values, np.arange(size))[0, 1]
    neighbors = np.corrcoef(values[1:], values[:-1])[0, 1]
    assert abs(correlation) < 0.08
    assert abs(neighbors) < 0.08
    assert 0.2 < (np.diff(values) > 0).mean() < 0.8


@pytest.mark.parametrize("indices", [[-1], [5], [0, 7]])
def test_indices_outside_the_range_are_rejected(indices: list[int]) -> None:
    with pytest.raises(IndexError, match=r"must be in 0\.\.4"):
        permute(indices, 5, permutation_key("x"))


def test_a_key_is_not_any_bytes() -> None:
    with pytest.raises(ValueError, match="permutation_key"):
        permute([0], 5, b"short")
