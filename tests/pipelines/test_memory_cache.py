import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.memory_cache import MemoryCache


def cache_of(limit_bytes: int) -> tuple[MemoryCache[Any], list[str]]:
    """A cache of arrays of as many bytes as their keys say, and the keys computed so far."""
    computed: list[str] = []

    def compute(key: str) -> np.ndarray:
        computed.append(key)
        return np.zeros(int(key), np.uint8)

    return MemoryCache(compute, limit_bytes=limit_bytes), computed


def test_what_was_used_last_is_kept() -> None:
    cache, computed = cache_of(10)
    for key in ("4", "5", "4", "3", "4"):
        assert cache.get(key).nbytes == int(key)
    assert computed == ["4", "5", "3"], "5 had to make room for 3, not 4, which was used since"
    cache.get("5")
    assert computed == ["4", "5", "3", "5"]


@given(keys=st.lists(st.integers(0, 12).map(str), max_size=30), limit=st.integers(0, 20))
def test_values_are_computed_again_when_they_had_to_go(keys: list[str], limit: int) -> None:
    """Against a list of the keys that are kept, of which the first was used least recently."""
    cache, computed = cache_of(limit)
    kept: list[str] = []
    for key in keys:
        before = len(computed)
        cache.get(key)
        assert (len(computed) == before) == (key in kept)
        kept = [each for each in kept if each != key] + [key]
        while sum(map(int, kept)) > limit:
            del kept[0]


def test_threads_may_share_it() -> None:
    cache, _ = cache_of(1_000)
    barrier = threading.Barrier(4)

    def use(_: int) -> int:
        barrier.wait()
        return sum(cache.get(str(key)).nbytes for key in [*range(50)] * 20)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(use, range(4))) == {20 * sum(range(50))}
