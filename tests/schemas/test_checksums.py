import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.checksums import crc32c
from tests.support.independent_reader import crc32c as crc32c_by_definition


@given(data=st.binary(max_size=200), cut=st.integers(0, 200))
def test_crc32c_is_the_one_that_is_defined(data: bytes, cut: int) -> None:
    expected = crc32c_by_definition(data)
    assert crc32c(data) == expected
    assert crc32c(memoryview(data)[cut:], crc32c(data[:cut])) == expected


def test_crc32c_is_that_of_an_arrays_bytes() -> None:
    for shape in ((4, 6), (24,), (0, 6)):
        array = np.arange(np.prod(shape), dtype="<f4").reshape(shape)
        assert crc32c(array) == crc32c(array.data) == crc32c(array.tobytes())
    with pytest.raises(ValueError, match="not C-contiguous"):
        crc32c(np.zeros((4, 6))[:, ::2])


@pytest.fixture
def threads_that_never_yield() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


def test_other_threads_run_during_the_checksum_of_a_window(threads_that_never_yield: None) -> None:
    """The main thread comes first only where the other lets it run in the middle of a checksum."""
    data = bytes(55_040)

    def first() -> str:
        order = []

        def work() -> None:
            crc32c(data)
            order.append("checksum")

        thread = threading.Thread(target=work)
        thread.start()
        order.append("main")
        thread.join()
        return order[0]

    assert any(first() == "main" for _ in range(2000))
