"""Cutting windows out of recordings: every feature, from the recordings' files."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicnet_duet.concurrency import prefetch_map
from pipelines.audio.decoded import DecodedRecordings, decoded_folder
from pipelines.audio.header import AudioHeader
from pipelines.audio.readers import range_opener, sample_reader
from pipelines.audio.resampling import resampled_range, to_int16
from pipelines.memory_cache import MemoryCache
from pipelines.planning.plan import Plan, PlannedWindow
from pipelines.reuse.earlier import EarlierDataset
from pipelines.reuse.windows import earlier_windows
from schemas import Storage, Window
from schemas.errors import UnreadableFileError
from schemas.mel import MelTransform, decibels
from schemas.notes import NOTE_COLUMNS, NoteFrames
from schemas.rejects import Reject, RejectReason, RejectStage
from schemas.storage.ranges import RangeReader
from schemas.tables import LABELS, labels_file, table_from_bytes

_REMEMBERED_NOTES = 32 << 20
"""Bytes; the notes of all MusicNet take fewer."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class CutWindow:
    """A window, and how many of its waveform samples were clipped.

    Reading `read_bytes` of audio took `read_seconds`, and all the rest `compute_seconds`. One that
    is `copied` was read from an earlier dataset instead.
    """

    window: Window
    clipped_samples: int
    read_bytes: int
    read_seconds: float
    compute_seconds: float
    copied: bool = False


class _RejectedWindowError(Exception):
    """A window cannot be made."""

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _WatchedFile:
    """A file that is opened by its first read, how long its reads took, and their bytes."""

    def __init__(self, opener: Callable[[], RangeReader]) -> None:
        self._opener = opener
        self._file: RangeReader | None = None
        self.seconds = 0.0
        self.nbytes = 0

    def read(self, offset: int, length: int) -> bytes:
        started = time.perf_counter()
        self._file = self._file or self._opener()
        data = self._file.read(offset, length)
        self.seconds += time.perf_counter() - started
        self.nbytes += len(data)
        return data

    def close(self) -> None:
        if self._file:
            self._file.close()


class WindowCutter:
    """Cuts windows out of the recordings of one run.

    It holds a few windows at a time, and remembers what many of them need: notes. Windows of
    recordings that did not change come from the dataset `earlier`, if there is one.
    """

    def __init__(
        self,
        transform: MelTransform,
        *,
        input_root: str,
        build_root: str,
        earlier: EarlierDataset | None = None,
    ) -> None:
        self._transform = transform
        self._config = transform.config
        self._input = Storage(input_root)
        self._build = Storage(build_root)
        self._decoded = DecodedRecordings(decoded_folder(build_root))
        self._notes = MemoryCache(self._read_notes, limit_bytes=_REMEMBERED_NOTES)
        self._earlier = earlier

    def cut(
        self, plan: Plan, windows: Iterable[PlannedWindow], *, threads: int = 1
    ) -> Iterator[CutWindow | Reject]:
        """Windows of a plan, in their order; a reject where one cannot be made.

        The plan is of this run, and has the transform's features. Windows are computed on
        `threads` threads, ahead of whoever takes them.
        """
        paths, ids = plan.recordings["path"], plan.recordings["recording_id"]
        unchanged = plan.recordings["unchanged"]

        def cut_or_reject(planned: PlannedWindow) -> CutWindow | Reject:
            number = planned.recording
            recording_id, path = ids[number].as_py(), paths[number].as_py()
            if unchanged[number].as_py():
                copy = self._copied(recording_id, planned)
                if copy:
                    return copy
            try:
                return self._cut(recording_id, path, plan.header(number), planned)
            except _RejectedWindowError as error:
                return Reject(
                    recording_id=recording_id,
                    stage=RejectStage.WINDOW,
                    reason=error.reason,
                    position=planned.first_frame,
                    message=str(error),
                )

        return prefetch_map(cut_or_reject, windows, threads=threads)

    def _copied(self, recording_id: str, planned: PlannedWindow) -> CutWindow | None:
        if self._earlier is None:
            return None
        started = time.perf_counter()
        windows = earlier_windows(self._earlier)
        window = windows.find(recording_id, planned.first_frame, planned.valid_frames)
        if window is None:
            return None
        return CutWindow(
            window=window,
            clipped_samples=0,
            read_bytes=0,
            read_seconds=time.perf_counter() - started,
            compute_seconds=0.0,
            copied=True,
        )

    def _cut(
        self, recording_id: str, path: str, header: AudioHeader, planned: PlannedWindow
    ) -> CutWindow:
        started = time.perf_counter()
        config = self._config
        features: dict[str, NDArray[Any]] = {}
        clipped = 0
        audio = _WatchedFile(range_opener(self._input, path, header, self._decoded))
        if "log_mel" in config.features or "waveform" in config.features:
            samples = self._samples(audio, path, header, planned)
            center = config.n_fft // 2
            if "log_mel" in config.features:
                features["log_mel"] = self._log_mel(samples, path, planned)
            if "waveform" in config.features:
                length = config.window_frames * config.hop_length
                features["waveform"], clipped = to_int16(samples[center : center + length])
        if config.has_notes:
            labeled = self._notes.get(recording_id)
            place = (planned.first_frame, config.window_frames, planned.valid_frames)
            notes, onsets = labeled.piano_rolls(*place)
            rolls = {"notes": notes, "onsets": onsets}
            if "instruments" in config.features:
                rolls["instruments"] = labeled.instruments(*place)
            features |= {name: rolls[name] for name in rolls if name in config.features}
        window = Window(recording_id, planned.first_frame, planned.valid_frames, features)
        compute_seconds = time.perf_counter() - started - audio.seconds
        return CutWindow(
            window=window,
            clipped_samples=clipped,
            read_bytes=audio.nbytes,
            read_seconds=audio.seconds,
            compute_seconds=compute_seconds,
        )

    def _samples(
        self, audio: _WatchedFile, path: str, header: AudioHeader, planned: PlannedWindow
    ) -> NDArray[np.float32]:
        """What the frames and the waveform need, from n_fft / 2 samples before the window."""
        config = self._config
        center = config.n_fft // 2
        start = planned.first_frame * config.hop_length - center
        last_frame = planned.first_frame + config.window_frames - 1
        stop = last_frame * config.hop_length + max(center, config.hop_length)
        try:
            with contextlib.closing(audio):
                reader = sample_reader(self._input, path, header, audio)
                samples = resampled_range(reader, start, stop, config)
        except UnreadableFileError as error:
            if error.reason == "no_permission":
                raise  # There was one when the recording was inspected.
            # Where the input lies must not change a byte of the dataset.
            message = f"{path}: {error.cause}"
            reason = RejectReason.of_file(RejectStage.AUDIO, error.reason)
            raise _RejectedWindowError(reason, message) from None
        if not np.isfinite(samples).all():
            raise _not_finite(path, planned)
        return samples

    def _log_mel(
        self, samples: NDArray[np.float32], path: str, planned: PlannedWindow
    ) -> NDArray[Any]:
        config = self._config
        spec = config.specs()["log_mel"]
        log_mel = np.full(spec.shape, config.floor_db, spec.dtype)
        needed = config.n_fft + (planned.valid_frames - 1) * config.hop_length
        power = self._transform.mel_power(samples[:needed])
        if not np.isfinite(power).all():
            raise _not_finite(path, planned)
        log_mel[: planned.valid_frames] = decibels(power, amin=config.amin)
        return log_mel

    def _read_notes(self, recording_id: str) -> NoteFrames:
        name = labels_file(recording_id)
        data, where = self._build.read_bytes(name), self._build.path(name)
        table = table_from_bytes(data, LABELS, where=where, columns=NOTE_COLUMNS)
        return NoteFrames.from_labels(table, self._config)


def _not_finite(path: str, planned: PlannedWindow) -> _RejectedWindowError:
    message = f"{path}: holds samples that are not finite numbers, or too large, in the window at "
    return _RejectedWindowError(RejectReason.NOT_FINITE, f"{message}frame {planned.first_frame}")
