"""Which bytes are read at once."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import Dataset
from tests.support.reading import FEATURES
from training.reading.index import SplitIndex, load_index
from training.reading.order import NONE
from training.reading.plans import MAX_GAP_BYTES, Read, merged_bytes, plan_reads

SIZES = {"log_mel": 300_000, "waveform": 5_000, "notes": 40, "onsets": 3_000}


@st.composite
def indexes(draw: Any) -> SplitIndex:
    """Some shards whose payloads lie in any order, with gaps of any size between them."""
    shards = [draw(st.integers(0, 6)) for _ in range(draw(st.integers(1, 3)))]
    windows = sum(shards)
    offsets = {name: np.zeros(windows, np.int64) for name in SIZES}
    starts = np.concatenate([[0], np.cumsum(shards)])
    for first, end in itertools.pairwise(starts):
        payloads = [(name, row) for name in SIZES for row in range(first, end)]
        at = 0
        for name, row in draw(st.permutations(payloads)):
            at += draw(st.sampled_from([0, 0, 16, MAX_GAP_BYTES, MAX_GAP_BYTES + 1, 10**6]))
            offsets[name][row] = at
            at += SIZES[name]
    rows = np.arange(windows)
    return SplitIndex(
        shards=[f"shard-{number}" for number in range(len(shards))],
        shard_starts=starts,
        recording_ids=("a",),
        recordings=np.zeros(windows, np.int32),
        first_frames=rows,
        valid_frames=np.ones(windows, np.int32),
        offsets=offsets,
        checksums={name: (rows * 4 + k).astype(np.uint32) for k, name in enumerate(SIZES)},
        nbytes=SIZES,
    )


@settings(max_examples=150, deadline=None)
@given(data=st.data(), index=indexes())
def test_every_payload_is_read_once_and_little_else(data: st.DataObject, index: SplitIndex) -> None:
    features = data.draw(st.lists(st.sampled_from(list(SIZES)), min_size=1, unique=True))
    position = st.sampled_from([NONE, *range(len(index))])
    batches = data.draw(st.lists(st.lists(position, max_size=8), max_size=4))
    positions = np.array([each for batch in batches for each in batch], np.int64)
    planned = plan_reads(index, positions, [len(batch) for batch in batches], features)
    assert len(planned) == len(batches)
    for batch, reads in zip(batches, planned, strict=True):
        check_payloads(index, batch, reads, features)
        check_spans(reads, merged_bytes([SIZES[name] for name in features]))


def check_payloads(
    index: SplitIndex, batch: list[int], reads: list[Read], features: list[str]
) -> None:
    found = [(read.shard, part) for read in reads for part in read.parts]
    windows = set(batch) - {NONE}
    assert len(found) == len(windows) * len(features)
    assert {(part.position, part.feature) for _, part in found} == {
        (position, name) for position in windows for name in features
    }
    for shard, part in found:
        row, name = part.position, part.feature
        assert shard == index.shard_numbers(np.array([row]))[0]
        assert list(part.rows) == [at for at, each in enumerate(batch) if each == row]
        expected = (index.offsets[name][row], SIZES[name], index.checksums[name][row])
        assert (part.offset, part.nbytes, part.crc) == expected


def check_spans(reads: list[Read], limit: int) -> None:
    """Reads ascend, hold no large gaps, are no longer than `limit`, and could not be fewer."""
    assert all(read.nbytes <= limit for read in reads)
    assert [(read.shard, read.offset) for read in reads] == sorted(
        (read.shard, read.offset) for read in reads
    )
    for read in reads:
        ends = [part.offset + part.nbytes for part in read.parts]
        gaps = [part.offset - end for part, end in zip(read.parts[1:], ends, strict=False)]
        assert all(0 <= gap <= MAX_GAP_BYTES for gap in gaps)
        assert read.offset + read.nbytes == ends[-1]
    for read, following in itertools.pairwise(reads):
        gap = following.offset - read.offset - read.nbytes
        together = following.parts[0].offset + following.parts[0].nbytes - read.offset
        assert read.shard != following.shard or gap > MAX_GAP_BYTES or together > limit


def test_no_read_goes_on_in_another_shard() -> None:
    """Although the next payload begins where the one before would end in a file of its own."""
    rows = np.arange(2)
    index = SplitIndex(
        shards=["one", "two"],
        shard_starts=np.array([0, 1, 2]),
        recording_ids=("a",),
        recordings=np.zeros(2, np.int32),
        first_frames=rows,
        valid_frames=np.ones(2, np.int32),
        offsets={"notes": 40 * rows},
        checksums={"notes": rows.astype(np.uint32)},
        nbytes={"notes": 40},
    )
    (reads,) = plan_reads(index, rows, [2], ("notes",))
    assert [(read.shard, read.offset, read.nbytes) for read in reads] == [(0, 0, 40), (1, 40, 40)]


def test_a_window_of_a_tfrecord_shard_is_one_read(root: Path) -> None:
    index = load_index(Dataset(root), "train", "tfrecord", FEATURES, threads=1)
    for position in range(len(index)):
        ((read,),) = plan_reads(index, np.array([position]), [1], FEATURES)
        assert {part.feature for part in read.parts} == set(FEATURES)


def test_windows_side_by_side_are_one_read_for_each_shard(root: Path) -> None:
    for file_format in ("tfrecord", "hdf5"):
        index = load_index(Dataset(root), "train", file_format, ("notes",), threads=1)
        (reads,) = plan_reads(index, np.arange(len(index)), [len(index)], ("notes",))
        assert [read.shard for read in reads] == [0, 1, 2]
