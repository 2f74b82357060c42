import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from schemas import DamagedDataError
from schemas.checksums import crc32c, sha256
from schemas.tfrecord import TFRecordWriter, example_bytes, frame_record, masked_crc32c
from schemas.tfrecord import read_records as read
from tests.make_windows import CONFIG, random_window


def test_crc32c_of_the_standards_check_value() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(np.frombuffer(b"6789", "u1"), crc32c(b"12345")) == 0xE3069283


@given(seed=st.integers(0, 10_000))
def test_tensorflow_reads_the_same_example(seed: int) -> None:
    window = random_window(seed)
    example = tf.train.Example.FromString(example_bytes(window))
    feature = example.features.feature
    assert feature["recording_id"].bytes_list.value[0].decode() == window.recording_id
    assert feature["first_frame"].int64_list.value[0] == window.first_frame
    assert feature["valid_frames"].int64_list.value[0] == window.valid_frames
    for name, array in window.features.items():
        assert feature[name].bytes_list.value[0] == array.tobytes()
    assert len(feature) == 3 + len(window.features)


@given(chunks=st.lists(st.binary(max_size=300), max_size=4))
def test_a_record_is_framed_as_by_tensorflow(chunks: list[bytes], tmp_path_factory) -> None:
    path = str(tmp_path_factory.mktemp("framed") / "one")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"".join(chunks))
    assert b"".join(frame_record(list(chunks))) == Path(path).read_bytes()


def test_the_index_says_where_each_feature_lies() -> None:
    file = io.BytesIO()
    windows = [random_window(seed) for seed in range(6)]
    writer = TFRecordWriter(file, CONFIG.specs())
    for window in windows:
        writer.write(window)
    table, digest, nbytes = writer.finish()
    data = file.getvalue()
    assert (digest, nbytes) == (sha256(data), len(data))
    for row, window in zip(table.to_pylist(), windows, strict=True):
        assert row["recording_id"] == window.recording_id
        assert row["first_frame"] == window.first_frame
        assert row["valid_frames"] == window.valid_frames
        for name, array in window.features.items():
            stored = data[row[f"{name}_offset"] :][: row[f"{name}_length"]]
            assert stored == array.tobytes()
            assert row[f"{name}_crc32c"] == crc32c(stored)


def test_records_are_read_back_with_their_places() -> None:
    data = b"".join([*frame_record([b"one"]), *frame_record([]), *frame_record([b"three"])])
    assert list(read(io.BytesIO(data), where="x")) == [(0, b"one"), (19, b""), (35, b"three")]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[:5], "its header was cut short"),
        (lambda data: data[:-1], "it was cut short"),
        (lambda data: b"\x01" + data[1:], "its length fails its checksum"),
        (lambda data: data[:14] + b"?" + data[15:], "its data fails its checksum"),
    ],
)
def test_damage_is_found(damage, told: str) -> None:
    data = b"".join(frame_record([b"some data"]))
    with pytest.raises(DamagedDataError, match=f"shard: record at byte 0: {told}"):
        list(read(io.BytesIO(damage(data)), where="shard"))


def test_the_mask_is_tensorflows() -> None:
    framed = b"".join(frame_record([b"abc"]))
    assert int.from_bytes(framed[-4:], "little") == masked_crc32c(b"abc")
