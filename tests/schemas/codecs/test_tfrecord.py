import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from schemas.checksums import crc32c, sha256
from schemas.codecs.tfrecord import (
    TFRecordWriter,
    example_bytes,
    frame_record,
    masked_crc32c,
    record_chunks,
    record_nbytes,
)
from tests.support.make_windows import CONFIG, random_window


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
def test_a_record_is_framed_as_by_tensorflow(
    chunks: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
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


@given(seed=st.integers(0, 10_000))
def test_a_records_length_and_offsets_follow_from_its_windows_names_and_sizes(seed: int) -> None:
    window = random_window(seed)
    chunks, offsets = record_chunks(window)
    record = b"".join(chunks)
    assert record == b"".join(frame_record([example_bytes(window)]))
    zeros = {name: np.zeros_like(array) for name, array in window.features.items()}
    assert record_nbytes(dataclasses.replace(window, features=zeros)) == len(record)
    for name, array in window.features.items():
        assert record[offsets[name] :][: array.nbytes] == array.tobytes()


def test_the_mask_is_tensorflows() -> None:
    framed = b"".join(frame_record([b"abc"]))
    assert int.from_bytes(framed[-4:], "little") == masked_crc32c(b"abc")
