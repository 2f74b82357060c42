"""Reads of any bytes of a file, on a disk and in a store."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Storage
from schemas.errors import UnreadableFileError
from schemas.storage import object_stores, remote
from schemas.storage.ranges import RangeReader

DATA = bytes(range(256)) * 40


@pytest.fixture(scope="module", params=["local", "memory"])
def ranges(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RangeReader]:
    local = request.param == "local"
    storage = Storage(tmp_path_factory.mktemp("in") if local else f"memory://{uuid.uuid4().hex}")
    storage.write_bytes("x", DATA)
    with contextlib.closing(storage.open_ranges("x")) as file:
        yield file


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[RangeReader]:
    storage = Storage(tmp_path)
    storage.write_bytes("x", DATA)
    with contextlib.closing(storage.open_ranges("x")) as file:
        yield file


def scattered(ranges: RangeReader, offset: int, lengths: Sequence[int]) -> tuple[int, list[bytes]]:
    """What `read_into` returns, and each buffer's bytes, from buffers that were full of 0xAA."""
    buffers = [bytearray(b"\xaa" * length) for length in lengths]
    count = ranges.read_into(offset, [memoryview(buffer) for buffer in buffers])
    return count, [bytes(buffer) for buffer in buffers]


def expected(offset: int, lengths: Sequence[int]) -> tuple[int, list[bytes]]:
    """The same, cut from `DATA`: beyond its end the buffers stay as they were."""
    ends = list(itertools.accumulate(lengths, initial=offset))
    parts = [DATA[start:end] for start, end in itertools.pairwise(ends)]
    filled = [part.ljust(length, b"\xaa") for part, length in zip(parts, lengths, strict=True)]
    return sum(map(len, parts)), filled


@given(
    offset=st.integers(0, len(DATA) + 10),
    lengths=st.lists(st.one_of(st.integers(0, 5), st.integers(0, 3000)), max_size=20),
)
def test_buffers_are_filled_in_order(ranges: RangeReader, offset: int, lengths: list[int]) -> None:
    assert scattered(ranges, offset, lengths) == expected(offset, lengths)


@given(data=st.data())
def test_buffers_that_end_with_the_file_are_filled(
    ranges: RangeReader, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(DATA)), min_size=1, max_size=12)))
    lengths = [end - start for start, end in itertools.pairwise([*cuts, len(DATA)])]
    count, parts = scattered(ranges, cuts[0], lengths)
    assert (count, b"".join(parts)) == (len(DATA) - cuts[0], DATA[cuts[0] :])


def test_more_buffers_than_a_system_fills_at_a_time(ranges: RangeReader) -> None:
    lengths = [0, 1, 2, 0] * os.sysconf("SC_IOV_MAX") + [0] * 3000 + [7]
    assert scattered(ranges, 3, lengths) == expected(3, lengths)


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_short_reads_are_continued(
    on_disk: RangeReader, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """A system may return fewer bytes than requested, in the middle of a file."""
    pread, preadv = os.pread, os.preadv

    def short_preadv(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        return preadv(descriptor, [buffers[0][:most]], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", lambda fd, length, at: pread(fd, min(length, most), at))
        patch.setattr(os, "preadv", short_preadv)
        assert on_disk.read(5, 4000) == DATA[5:4005]
        assert on_disk.read(len(DATA) - 5, 4000) == DATA[-5:]
        for offset, lengths in ((5, [0, 10, 1, 0, 0, 700]), (len(DATA) - 20, [7, 7, 7, 7])):
            assert scattered(on_disk, offset, lengths) == expected(offset, lengths)


def test_one_request_fills_all_buffers_and_none_fills_no_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = Storage(f"memory://{uuid.uuid4().hex}")
    storage.write_bytes("x", DATA)
    ranges = storage.open_ranges("x")
    requests = []

    def counted(filesystem: object, path: str, offset: int, length: int) -> bytes:
        requests.append((offset, length))
        return object_stores.read_range(filesystem, path, offset, length)

    monkeypatch.setattr(remote, "read_range", counted)
    assert scattered(ranges, 10, []) == (0, [])
    assert scattered(ranges, 10, [0, 0]) == (0, [b"", b""])
    assert requests == []
    assert scattered(ranges, 10, [5, 0, 6]) == expected(10, [5, 0, 6])
    assert requests == [(10, 11)]


def test_errors_name_the_file(on_disk: RangeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(UnreadableFileError, match=r"/x: input/output error$"):
        on_disk.read_into(0, [memoryview(bytearray(3))])
    missing = Storage(f"memory://{uuid.uuid4().hex}").open_ranges("x")
    with pytest.raises(UnreadableFileError, match=r"/x: no such file$"):
        missing.read_into(0, [memoryview(bytearray(3))])
