"""Object stores for the tests of several modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.object_stores import Store


@pytest.fixture(scope="module", params=["gs", "s3"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    # Environments of some tests lack the clients of object stores.
    from tests.support.object_stores import running

    with running(request.param) as store:
        yield store


@pytest.fixture
def no_faults(store: Store) -> Iterator[None]:
    """Ends the faults that a test asked for."""
    yield
    store.proxy.fault = lambda number, method, path: None
