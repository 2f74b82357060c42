import resource
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest

from schemas.checksums import sha256
from schemas.codecs.hdf5 import HDF5Writer, window_names
from tests.support.make_windows import CONFIG, random_window

WINDOWS = [random_window(seed) for seed in range(5)]


def write(path: Path) -> tuple[pa.Table, str, int]:
    id_bytes = max(len(window.recording_id.encode()) for window in WINDOWS)
    with path.open("w+b") as file:
        writer = HDF5Writer(file, CONFIG.specs(), windows=len(WINDOWS), id_bytes=id_bytes)
        for window in WINDOWS:
            writer.write(window)
        return writer.finish()


def test_h5py_alone_reads_the_same_windows(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        for name, spec in CONFIG.specs().items():
            expected = np.stack([window.features[name] for window in WINDOWS])
            assert file[name].dtype == spec.dtype
            assert file[name].attrs["unit"] == spec.unit
            assert (file[name][:] == expected).all()
        assert window_names(file) == [
            (window.recording_id, window.first_frame, window.valid_frames) for window in WINDOWS
        ]
        assert file["recording_id"].asstr()[0] == WINDOWS[0].recording_id


def test_the_index_says_where_each_feature_lies(tmp_path: Path) -> None:
    table, digest, nbytes = write(tmp_path / "a.h5")
    data = (tmp_path / "a.h5").read_bytes()
    assert (digest, nbytes) == (sha256(data), len(data))
    for row, window in zip(table.to_pylist(), WINDOWS, strict=True):
        for name, array in window.features.items():
            stored = data[row[f"{name}_offset"] :][: row[f"{name}_length"]]
            assert stored == array.tobytes()


def test_equal_windows_make_equal_files(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    write(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_shard_without_windows_is_a_file(tmp_path: Path) -> None:
    with (tmp_path / "a.h5").open("w+b") as new:
        table, _, _ = HDF5Writer(new, CONFIG.specs(), windows=0, id_bytes=0).finish()
    assert table.num_rows == 0
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["log_mel"].shape == (0, *CONFIG.specs()["log_mel"].shape)


def test_a_file_that_cannot_grow_is_an_error_and_no_crash(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write(tmp_path / "a.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    write(tmp_path / "a.h5")
