import os
from pathlib import Path

import pytest

from benchmarks import page_cache

PAGES = 64


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "full", tmp_path / "empty"]
    paths[0].write_bytes(os.urandom(PAGES * os.sysconf("SC_PAGE_SIZE")))
    paths[1].touch()
    return paths


@pytest.fixture(autouse=True)
def own_files_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test leaves the rest of the machine's page cache alone."""
    monkeypatch.setattr(page_cache, "DROP_CACHES", tmp_path / "absent/drop_caches")


def test_what_is_dropped_leaves_the_cache_and_what_is_read_returns_to_it(files: list[Path]) -> None:
    assert page_cache.drop(files) == "posix_fadvise(DONTNEED)"
    assert page_cache.cached_share(files) == 0
    page_cache.warm(files)
    assert page_cache.cached_share(files) == 1


def test_a_single_page_is_seen(files: list[Path]) -> None:
    page_cache.drop(files)
    with files[0].open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        file.read(1)
    assert page_cache.cached_share(files) == 1 / PAGES


def test_the_whole_cache_is_dropped_where_that_is_allowed(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = tmp_path / "drop_caches"
    monkeypatch.setattr(page_cache, "DROP_CACHES", switch)
    assert page_cache.drop(files) == str(switch)
    assert switch.read_text() == "1"
