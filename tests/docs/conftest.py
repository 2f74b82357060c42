from pathlib import Path

import pytest

from tests.support.documented import make_documented


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the documents assume; copy it before anything writes into it."""
    return make_documented(tmp_path_factory.mktemp("documented"))
