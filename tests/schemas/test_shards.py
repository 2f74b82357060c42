import contextlib
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import DamagedDataError, Storage
from schemas.codecs.tfrecord import TFRecordWriter
from schemas.rejects import RejectReason, RejectStage, rejects_table
from schemas.shards import ShardIndex, ShardReport, shard_at, shard_bounds, shard_file
from schemas.statistics import Statistics
from schemas.windows import read_window
from tests.support.make_windows import CONFIG, random_window
from tests.support.rejects import reject_of

REPORT = ShardReport(
    plan_digest="p",
    sha256="s",
    nbytes=3,
    windows=2,
    statistics=Statistics.of(np.ones((4, CONFIG.n_mels))),
    rejects=(reject_of("é", RejectReason.NOT_FINITE, stage=RejectStage.WINDOW, position=430),),
    clipped={"1": 5},
)


def make_index() -> tuple[bytes, ShardIndex]:
    file = io.BytesIO()
    writer = TFRecordWriter(file, CONFIG.specs())
    for seed in range(2):
        writer.write(random_window(seed))
    return file.getvalue(), ShardIndex(writer.finish()[0], REPORT)


@given(windows=st.integers(1, 2_000), shards=st.integers(1, 50))
def test_shards_divide_the_positions_evenly(windows: int, shards: int) -> None:
    bounds = [shard_bounds(number, shards, windows) for number in range(shards)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == windows
    assert all(before[1] == after[0] for before, after in itertools.pairwise(bounds))
    sizes = [stop - start for start, stop in bounds]
    assert max(sizes) - min(sizes) <= 1
    for number, (start, stop) in enumerate(bounds):
        assert {shard_at(position, shards, windows) for position in range(start, stop)} <= {number}


def test_names() -> None:
    assert shard_file("train", 3, 16, "tfrecord") == "train/00003-of-00016.tfrecord"
    assert shard_file("test", 0, 1, "hdf5") == "test/00000-of-00001.h5"


def test_an_index_and_its_report_survive_their_bytes() -> None:
    _, index = make_index()
    again = ShardIndex.from_bytes(index.to_bytes(), CONFIG.specs(), where="x")
    assert again.to_bytes() == index.to_bytes()
    assert again.table.equals(index.table)
    assert again.report.to_dict() == REPORT.to_dict()
    assert again.report.rejects == REPORT.rejects


def test_an_index_of_other_features_is_rejected() -> None:
    _, index = make_index()
    specs = CONFIG.specs()
    specs.pop("notes")
    with pytest.raises(DamagedDataError, match="x: its columns are not those"):
        ShardIndex.from_bytes(index.to_bytes(), specs, where="x")
    with pytest.raises(DamagedDataError, match=r"^x: not a readable Parquet file: [^\n]+$"):
        ShardIndex.from_bytes(b"PAR1", CONFIG.specs(), where="x")


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_feature_is_named(damage: str, tmp_path: Path) -> None:
    data, index = make_index()
    row = index.table.to_pylist()[1]
    offset = row["log_mel_offset"]
    broken = data[:offset] + (
        bytes([data[offset] ^ 1]) + data[offset + 1 :] if damage == "flip" else b""
    )
    (tmp_path / "shard").write_bytes(broken)
    with contextlib.closing(Storage(tmp_path).open_ranges("shard")) as file:
        with pytest.raises(DamagedDataError, match=r"shard: window of .* at frame \d+: log_mel: "):
            read_window(file, row, CONFIG.specs(), where="shard")
        first = read_window(file, index.table.to_pylist()[0], CONFIG.specs(), where="shard")
    for name, array in random_window(0).features.items():
        np.testing.assert_array_equal(first.features[name], array)


def test_rejects_come_in_one_order() -> None:
    rejects = [
        reject_of(name, RejectReason.NOT_FINITE, message, stage=stage, position=position)
        for name in ("2", "10", "é")
        for stage in (RejectStage.LIST, RejectStage.WINDOW)
        for position in (None, 0, 7)
        for message in ("a", "b")
    ]
    assert rejects_table(rejects[::-1]).equals(rejects_table(rejects))
