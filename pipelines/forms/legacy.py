"""MusicNet as it was published first: one file of all recordings, as HDF5 or as NumPy's npz."""

from __future__ import annotations

import dataclasses
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from pipelines.errors import PipelineError

TEST_IDS = frozenset(
    {"1759", "1819", "2106", "2191", "2298", "2303", "2382", "2416", "2556", "2628"}
)
"""MusicNet's own test recordings (Thickstun et al., ICLR 2018), which these files do not name."""

_MOST_BYTES = 1 << 32
"""Of one recording in an npz file, which is read as a whole."""

_NPZ_FIELDS = ("instrument", "note", "measure", "beat", "note_value")


_ID = re.compile(r"[0-9A-Za-z_-]+")
"""What a recording may be called: files are named after it."""


@dataclasses.dataclass(frozen=True, eq=False)
class LegacyRecording:
    """A recording: mono samples at 44,100 Hz, float32 [samples], and its notes, each a mapping.

    Notes have at least start_time and end_time, in samples, instrument and note.
    """

    recording_id: str
    samples: NDArray[np.float32]
    notes: Sequence[Mapping[str, Any]]


def h5_recordings(path: str) -> Iterator[LegacyRecording]:
    """The recordings of `musicnet.h5`: groups `id_ID` with `data` and `labels`.

    Raises `PipelineError` where the file is of another form, or damaged.
    """
    try:
        with h5py.File(path) as file:
            for name in sorted(file):
                yield _h5_recording(path, name, file[name])
    except OSError as error:
        cause = " ".join(str(error).split())
        raise PipelineError(
            f"{path}: cannot be read as HDF5 ({cause}); download it again"
        ) from None


def _h5_recording(path: str, name: str, group: Any) -> LegacyRecording:
    if not (name.startswith("id_") and _ID.fullmatch(name) and {"data", "labels"} <= set(group)):
        raise PipelineError(
            f"{path}: {name!r} is no group id_ID with data and labels, so that this is not "
            "musicnet.h5; choose another file"
        )
    labels = group["labels"][:]
    fields = labels.dtype.names
    if not fields or not {"start_time", "end_time", "instrument", "note"} <= set(fields):
        raise PipelineError(f"{path}: {name}/labels has other columns than MusicNet: {fields}")
    notes = [dict(zip(fields, map(_plain, row), strict=True)) for row in labels.tolist()]
    return LegacyRecording(name[3:], group["data"][:].astype(np.float32), notes)


def npz_recordings(path: str) -> Iterator[LegacyRecording]:
    """The recordings of `musicnet.npz`: pickled pairs of samples and an interval tree of notes.

    Nothing but arrays and intervals is unpickled. Raises `PipelineError` where the file is of
    another form, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                name = info.filename.removesuffix(".npy")
                if info.file_size > _MOST_BYTES or not _ID.fullmatch(name):
                    raise PipelineError(
                        f"{path}: {name!r} is not the name of a recording, or it is too large for "
                        "one; choose another file"
                    )
                with archive.open(info) as file:
                    yield _npz_recording(path, name, file)  # type: ignore[arg-type]
    except zipfile.BadZipFile as error:
        raise PipelineError(f"{path}: is damaged ({error}); download it again") from None


def _npz_recording(path: str, name: str, file: BinaryIO) -> LegacyRecording:
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file)
        if shape != (2,) or dtype != np.dtype(object):
            raise ValueError(f"an array {shape} of {dtype}")
        samples, tree = _Unpickler(file, encoding="latin1").load()
        notes = [_npz_note(each) for each in sorted(tree, key=lambda each: each[:2])]
        waveform = np.asarray(samples, np.float32)
        if waveform.ndim != 1:
            raise ValueError(f"samples {waveform.shape}")
    except PipelineError as error:
        raise PipelineError(f"{path}: {name}: {error}") from None
    except Exception as error:  # Damaged pickles raise errors of any kind.
        cause = " ".join(str(error).split()) or type(error).__name__
        raise PipelineError(
            f"{path}: {name} is not a recording of musicnet.npz ({cause}); download it again"
        ) from None
    return LegacyRecording(name, waveform, notes)


def _npz_note(interval: Any) -> dict[str, Any]:
    start, end, data = interval
    return {
        "start_time": int(start),
        "end_time": int(end),
        **dict(zip(_NPZ_FIELDS, map(_plain, data), strict=True)),
    }


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _interval(begin: Any, end: Any, data: Any = None) -> tuple[Any, Any, Any]:
    return begin, end, data


def _interval_tree(intervals: Sequence[Any] = ()) -> list[Any]:
    return list(intervals)


def _encode(text: str, encoding: str) -> bytes:
    """How pickles of old protocols hold bytes."""
    if encoding != "latin1":
        raise ValueError(f"bytes as {encoding}")
    return text.encode("latin1")


def _allowed() -> Mapping[tuple[str, str], Callable[..., Any]]:
    """What a pickle of a recording consists of; `np.array([]).__reduce__()` names the first."""
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    found: dict[tuple[str, str], Any] = {
        ("_codecs", "encode"): _encode,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("intervaltree.interval", "Interval"): _interval,
        ("intervaltree.intervaltree", "IntervalTree"): _interval_tree,
        ("intervaltree", "Interval"): _interval,
        ("intervaltree", "IntervalTree"): _interval_tree,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        found |= {(module, "_reconstruct"): reconstruct, (module, "scalar"): scalar}
    return found


class _Unpickler(pickle.Unpickler):
    """Loads arrays and intervals, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise PipelineError(
                f"holds {module}.{name}, which no recording does: loading it could run foreign "
                "code, and was refused; download musicnet.npz again, from its publisher"
            ) from None


_ALLOWED = _allowed()
