"""Object stores for the tests of several modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.object_stores import Store, running


@pytest.fixture(scope="module", params=["gs", "s3"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with running(request.param) as store:
        yield store


@pytest.fixture
def no_faults(store: Store) -> Iterator[None]:
    """Ends the faults that a test asked for."""
    yield
    store.proxy.fault = lambda number, method, path: None
