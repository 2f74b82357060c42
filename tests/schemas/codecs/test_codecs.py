"""What every registered format must do; a new one is tested as soon as it is registered."""

from __future__ import annotations

import contextlib
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest

from pipelines.verification.scan import Scan, scan
from schemas import Storage
from schemas.codecs import CODECS
from schemas.codecs.base import Row, ShardCodec
from schemas.codecs.tfrecord import TFRecordCodec
from schemas.names import FORMATS
from schemas.shards import shard_file
from schemas.windows import read_window
from tests.support.make_windows import CONFIG, random_window

SPECS = CONFIG.specs()
WINDOWS = [random_window(seed) for seed in range(5)]


@pytest.fixture(params=sorted(CODECS))
def codec(request: pytest.FixtureRequest) -> ShardCodec:
    return CODECS[request.param]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


def write(codec: ShardCodec, storage: Storage, name: str = "shard") -> list[Row]:
    ids = [window.recording_id for window in WINDOWS]
    with codec.create(storage, name, SPECS, ids) as writer:
        for window in WINDOWS:
            writer.write(window)
        table, digest, nbytes = writer.finish()
    data = storage.read_bytes(name)
    assert (digest, nbytes) == (hashlib.sha256(data).hexdigest(), len(data))
    return table.to_pylist()


def scanned(codec: ShardCodec, data: bytes, nbytes: int, rows: list[Row]) -> Scan:
    return scan(io.BytesIO(data), nbytes, codec.name, rows, CONFIG, lambda count: None)


def test_its_name_is_that_of_its_files(codec: ShardCodec) -> None:
    assert CODECS[codec.name] is codec
    name = shard_file("train", 1, 2, codec.name)
    assert name == f"train/00001-of-00002.{codec.extension}"
    assert sum(each.extension == codec.extension for each in CODECS.values()) == 1


def test_the_index_locates_every_window(codec: ShardCodec, storage: Storage) -> None:
    rows = write(codec, storage)
    with contextlib.closing(storage.open_ranges("shard")) as file:
        for row, window in zip(rows, WINDOWS, strict=True):
            found = read_window(file, row, SPECS, where="shard")
            assert (found.recording_id, found.first_frame, found.valid_frames) == (
                window.recording_id,
                window.first_frame,
                window.valid_frames,
            )
            for name, array in window.features.items():
                np.testing.assert_array_equal(found.features[name], array)


def test_a_file_appears_when_it_is_whole(codec: ShardCodec, storage: Storage) -> None:
    with contextlib.suppress(ZeroDivisionError), codec.create(storage, "shard", SPECS, ["a"]):
        raise ZeroDivisionError
    assert storage.list_files() == []


def test_a_sound_file_has_no_problem(codec: ShardCodec, storage: Storage) -> None:
    rows = write(codec, storage)
    data = storage.read_bytes("shard")
    found = scanned(codec, data, len(data), rows)
    assert found.damaged == {}
    assert (found.end, found.nbytes) == (len(data), len(data))
    assert list(codec.problems(storage, "shard", rows, SPECS)) == []
    longer = scanned(codec, data + b"more", len(data), rows)
    assert longer.nbytes - longer.end == 4


def test_damage_to_one_window_hides_no_other(codec: ShardCodec, storage: Storage) -> None:
    rows = write(codec, storage)
    data = bytearray(storage.read_bytes("shard"))
    data[rows[2]["waveform_offset"] + 3] ^= 1
    found = scanned(codec, bytes(data), len(data), rows)
    assert list(found.damaged) == [2]
    assert "waveform fails its checksum" in found.damaged[2]
    cut = scanned(codec, bytes(data[: rows[0]["waveform_offset"] + 1]), len(data), rows)
    assert "waveform was cut short" in cut.damaged[0]


def test_a_format_is_one_file_and_one_line(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OtherCodec(TFRecordCodec):
        name = "other"
        extension = "bin"

    monkeypatch.setitem(CODECS, "other", OtherCodec())
    assert shard_file("test", 0, 1, "other") == "test/00000-of-00001.bin"
    rows = write(CODECS["other"], storage)
    data = storage.read_bytes("shard")
    assert scanned(CODECS["other"], data, len(data), rows).damaged == {}


def test_the_formats_that_can_be_named_are_those_that_there_are() -> None:
    assert tuple(CODECS) == FORMATS
