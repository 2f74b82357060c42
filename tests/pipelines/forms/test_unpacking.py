"""Archives and MusicNet's first forms, made here with the standard library, h5py and pickle."""

from __future__ import annotations

import functools
import io
import os
import pickle
import shutil
import sys
import tarfile
import types
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.csv
import pytest
import soundfile

from pipelines.errors import PipelineError
from pipelines.forms.unpacking import unpack
from pipelines.recordings.listing import list_sources


def tar_of(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "musicnet")
    return path


def zip_of(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(folder.rglob("*")):
            archive.write(each, Path("musicnet/musicnet") / each.relative_to(folder))
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("make", "name", "inner"),
    [(tar_of, "x.tar.gz", "musicnet"), (zip_of, "x.zip", "musicnet/musicnet")],
)
def test_an_archive_is_unpacked_as_it_is(
    make: Any, name: str, inner: str, tiny_root: Path, tmp_path: Path
) -> None:
    result = unpack(str(make(tiny_root, tmp_path / name)), str(tmp_path / "out"))
    expected = files_of(tiny_root)
    assert files_of(tmp_path / "out" / inner) == expected
    assert (result.files, result.kept) == (len(expected), 0)
    assert result.bytes == sum(map(len, expected.values()))
    assert len(files_of(tmp_path / "out")) == len(expected), "nothing else is left there"
    found, _ = list_sources(str(tmp_path / "out"))
    assert len(found) == len(list_sources(str(tiny_root))[0])


def hostile_tar(path: Path, **fields: Any) -> Path:
    info = tarfile.TarInfo(fields.pop("name", "x"))
    for name, value in fields.items():
        setattr(info, name, value)
    info.size = 1 if info.isreg() else 0
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(info, io.BytesIO(b"x"))
    return path


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "../x"}, "would lie outside of the folder"),
        ({"name": "a/../../x"}, "would lie outside of the folder"),
        ({"name": "/tmp/x"}, "would lie outside of the folder"),
        ({"name": "..\\x"}, "would lie outside of the folder"),
        ({"name": "C:x"}, "would lie outside of the folder"),
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "is a link or a device"),
        ({"type": tarfile.LNKTYPE, "linkname": "../x"}, "is a link or a device"),
        ({"type": tarfile.CHRTYPE}, "is a link or a device"),
        ({"type": tarfile.FIFOTYPE}, "is a link or a device"),
    ],
)
def test_members_that_would_leave_the_folder_are_refused(
    fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = hostile_tar(tmp_path / "x.tar.gz", **fields)
    with pytest.raises(PipelineError, match=f"{said}.*; choose another archive"):
        unpack(str(path), str(tmp_path / "deep/out"))
    assert [each for each in tmp_path.rglob("*") if each.is_file() and each.name == "x"] == []


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_so_are_those_of_zip_archives(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(PipelineError, match="would lie outside of the folder"):
        unpack(str(tmp_path / "x.zip"), str(tmp_path / "deep/out"))
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(PipelineError, match="is a link or a device"):
        unpack(str(tmp_path / "y.zip"), str(tmp_path / "other"))


def test_too_much_is_refused(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tar_of(tiny_root, tmp_path / "x.tar.gz"))
    for name in ("MOST_FILES", "MOST_BYTES"):
        with monkeypatch.context() as patched:
            patched.setattr(f"pipelines.forms.archives.{name}", 2)
            with pytest.raises(PipelineError, match=r"holds more than .* choose another archive"):
                unpack(path, str(tmp_path / name))
    usage = types.SimpleNamespace(free=10)
    monkeypatch.setattr("pipelines.forms.unpacking.shutil.disk_usage", lambda _: usage)
    with pytest.raises(PipelineError, match=r"MB are needed .* free some, and run the"):
        unpack(path, str(tmp_path / "full"))


@pytest.mark.parametrize(("make", "name"), [(tar_of, "x.tar.gz"), (zip_of, "x.zip")])
@pytest.mark.parametrize("tenths", [0, 1, 5, 9])
def test_an_archive_that_was_cut_short_is_refused(
    make: Any, name: str, tenths: int, tiny_root: Path, tmp_path: Path
) -> None:
    data = make(tiny_root, tmp_path / "whole").read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * tenths // 10])
    with pytest.raises(PipelineError, match=f"{name}: .*(download it again|choose another)"):
        unpack(str(tmp_path / name), str(tmp_path / "out"))
    expected = files_of(tiny_root)
    for path in (tmp_path / "out").rglob("*.*"):
        if path.is_file() and not path.name.startswith("."):
            assert path.read_bytes() in expected.values(), "a file is whole, or is not there"


def test_a_flipped_bit_is_noticed(tiny_root: Path, tmp_path: Path) -> None:
    data = bytearray(zip_of(tiny_root, tmp_path / "whole").read_bytes())
    data[len(data) // 2] ^= 16
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(PipelineError, match=r"x\.zip: is damaged .* download it again"):
        unpack(str(tmp_path / "x.zip"), str(tmp_path / "out"))


def test_an_unpacking_that_was_stopped_goes_on(
    tiny_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = str(tar_of(tiny_root, tmp_path / "x.tar.gz")), str(tmp_path / "out")
    count = 0

    def stop(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count > 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pipelines.forms.unpacking._require_space", stop)
        with pytest.raises(KeyboardInterrupt):
            unpack(path, out)
    shutil.copy(path, tmp_path / "other.tar.gz")
    with pytest.raises(PipelineError, match=r"is not empty, .* name a new folder"):
        unpack(str(tmp_path / "other.tar.gz"), out)
    assert unpack(path, out).kept == 3
    assert files_of(tmp_path / "out/musicnet") == files_of(tiny_root)
    with pytest.raises(PipelineError, match=r"is not empty, .* name a new folder"):
        unpack(path, out)


NOTES = {
    "1727": [(100, 9_000, 41, 60), (9_000, 20_000, 1, 127)],
    "2303": [(0, 44_100, 72, 21)],
}


def sound(recording_id: str) -> Any:
    return np.random.default_rng(int(recording_id)).normal(0, 0.1, 60_000).astype(np.float32)


def write_h5(path: Path) -> Path:
    fields = [("beat", "f8"), ("end_time", "i8"), ("instrument", "i8"), ("measure", "f8"),
              ("note", "i8"), ("note_value", "S30"), ("start_time", "i8")]  # fmt: skip
    with h5py.File(path, "w") as file:
        for name, notes in NOTES.items():
            rows = [(0.5, end, program, 3.0, note, b"Half", start)
                    for start, end, program, note in notes]  # fmt: skip
            file[f"id_{name}/data"] = sound(name)
            file[f"id_{name}/labels"] = np.array(rows, fields)
    return path


class Interval(tuple[Any, ...]):
    """Pickles as that of the package intervaltree does."""

    def __new__(cls, *values: Any) -> Any:
        return tuple.__new__(cls, values)

    def __reduce__(self) -> Any:
        return Interval, tuple(self)


class IntervalTree:
    """Pickles as that of the package intervaltree does."""

    def __init__(self, intervals: Any = ()) -> None:
        self.intervals = list(intervals)

    def __reduce__(self) -> Any:
        return IntervalTree, (self.intervals,)


@pytest.fixture
def interval_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in (("interval", Interval), ("intervaltree", IntervalTree)):
        module = types.ModuleType(f"intervaltree.{name}")
        setattr(module, kind.__name__, kind)
        monkeypatch.setattr(kind, "__module__", module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "intervaltree", types.ModuleType("intervaltree"))


def npz_member(value: Any, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": (2,)}
    np.lib.format.write_array_header_1_0(file, header)
    file.write(pickle.dumps(value, protocol=protocol))
    return file.getvalue()


def write_npz(path: Path, protocol: int = 2) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, notes in NOTES.items():
            tree = IntervalTree(
                Interval(start, end, (program, note, 3.0, 0.5, "Half"))
                for start, end, program, note in reversed(notes)
            )
            pair = np.empty(2, object)
            pair[:] = [sound(name), tree]
            archive.writestr(f"{name}.npy", npz_member(pair, protocol))
    return path


@pytest.mark.usefixtures("interval_tree")
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_h5, "musicnet.h5"),
        (write_npz, "musicnet.npz"),
        (functools.partial(write_npz, protocol=4), "again.npz"),
    ],
)
def test_the_first_forms_become_musicnets_layout(write: Any, name: str, tmp_path: Path) -> None:
    (tmp_path / "musicnet_metadata.csv").write_text("id,composer,composition\n1727,B,C\n")
    (tmp_path / "a").mkdir()
    unpack(str(write(tmp_path / "a" / name)), str(tmp_path / "out"))
    sources, _ = list_sources(str(tmp_path / "out"))
    assert [(each.recording_id, each.group) for each in sources] == [
        ("1727", "train"),
        ("2303", "test"),
    ]
    assert sources[0].metadata == {"composer": "B", "composition": "C"}
    for each in sources:
        samples, rate = soundfile.read(tmp_path / "out" / each.audio_path, dtype="float32")
        assert rate == 44_100
        np.testing.assert_array_equal(samples, sound(each.recording_id))
        rows = pyarrow.csv.read_csv(tmp_path / "out" / str(each.labels_path)).to_pylist()
        assert [
            (row["start_time"], row["end_time"], row["instrument"], row["note"]) for row in rows
        ] == NOTES[each.recording_id]
        assert {row["note_value"] for row in rows} == {"Half"}
        assert {(row["measure"], row["beat"]) for row in rows} == {(3.0, 0.5)}


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    pair = np.empty(2, object)
    pair[:] = [sound("1727"), Malicious(tmp_path / "attacked")]
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("1727.npy", npz_member(pair))
    with pytest.raises(PipelineError, match=r"1727: holds (os|posix)\.mkdir, .* was refused; "):
        unpack(str(tmp_path / "x.npz"), str(tmp_path / "out"))
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.h5", b"", "cannot be read as HDF5"),
        ("x.npz", b"PK", "is damaged"),
        ("x.rar", b"", r"is none of \.tar"),
    ],
)
def test_another_file_is_refused(name: str, data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PipelineError, match=f"{name}: {said}.*; (download|choose)"):
        unpack(str(tmp_path / name), str(tmp_path / "out"))
    with pytest.raises(PipelineError, match="no such file; check its name"):
        unpack(str(tmp_path / "missing.zip"), str(tmp_path / "out"))


def test_arrays_of_another_kind_are_no_recordings(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(PipelineError, match=r"a is not a recording of musicnet\.npz"):
        unpack(str(tmp_path / "x.npz"), str(tmp_path / "out"))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["windows"] = np.zeros(3)
    with pytest.raises(PipelineError, match=r"'windows' is no group id_ID"):
        unpack(str(tmp_path / "x.h5"), str(tmp_path / "other"))


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", ".x", ""])
def test_recordings_whose_names_lead_out_of_the_folder_are_refused(
    name: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr(f"{name}.npy", b"")
    with pytest.raises(PipelineError, match="is not the name of a recording"):
        unpack(str(tmp_path / "x.npz"), str(tmp_path / "deep/deep/out"))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group(f"id_{name.replace('/', chr(92))}.")
        group["data"], group["labels"] = np.zeros(3), np.zeros(3)
    with pytest.raises(PipelineError, match="is no group id_ID"):
        unpack(str(tmp_path / "x.h5"), str(tmp_path / "deep/deep/out"))
    assert not (tmp_path / "deep").exists()
