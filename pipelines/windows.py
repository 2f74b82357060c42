"""Cutting windows out of recordings: every feature, from the recordings' files."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import cachetools
import numpy as np
from numpy.typing import NDArray

from pipelines.ahead import map_ahead
from pipelines.audio import AudioReader, resampled_range, to_int16
from pipelines.errors import RefusedInputError
from pipelines.labels import NOTE_COLUMNS, NoteFrames
from pipelines.mel import MelTransform, decibels
from pipelines.plan import Plan, PlannedWindow
from schemas import FeatureConfig, Storage, Window
from schemas.checksums import sha256
from schemas.shards import Reject
from schemas.tables import LABELS, labels_file, table_from_bytes

_REMEMBERED_BYTES = 32 << 20
"""Of notes, in this process; those of all MusicNet are fewer."""


@dataclasses.dataclass(frozen=True, eq=False)
class CutWindow:
    """A window, and how many of its waveform samples were clipped."""

    window: Window
    clipped_samples: int


class _RejectedWindowError(Exception):
    """A window cannot be made; `reject` says why."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.message)
        self.reject = reject


class WindowCutter:
    """Cuts windows of a plan. Holds a few of them at a time."""

    def __init__(
        self, plan: Plan, transform: MelTransform, *, input_root: str, build_root: str
    ) -> None:
        self._transform = transform
        self._config = plan.config
        self._ids = plan.recording_ids
        self._paths = plan.recordings["path"]
        self._input = Storage(input_root)
        self._build = Storage(build_root)

    def cut(
        self, windows: Iterable[PlannedWindow], *, threads: int = 1
    ) -> Iterator[CutWindow | Reject]:
        """The windows, in their order; a reject where the audio cannot be read or is not finite.

        They are computed on so many threads, ahead of whoever takes them.
        """
        return map_ahead(self._cut_or_reject, windows, threads=threads)

    def _cut_or_reject(self, planned: PlannedWindow) -> CutWindow | Reject:
        try:
            return self._cut(planned)
        except _RejectedWindowError as error:
            return error.reject

    def _cut(self, planned: PlannedWindow) -> CutWindow:
        config = self._config
        recording_id = self._ids[planned.recording]
        features: dict[str, NDArray[Any]] = {}
        clipped = 0
        if "log_mel" in config.features or "waveform" in config.features:
            samples = self._samples(planned, recording_id)
            centre = config.n_fft // 2
            if "log_mel" in config.features:
                features["log_mel"] = self._log_mel(samples, planned, recording_id)
            if "waveform" in config.features:
                length = config.window_frames * config.hop_length
                features["waveform"], clipped = to_int16(samples[centre : centre + length])
        if config.has_notes:
            notes, onsets = self._notes(planned.recording).rolls(
                planned.first_frame, config.window_frames, planned.valid_frames
            )
            rolls = {"notes": notes, "onsets": onsets}
            features |= {name: rolls[name] for name in rolls if name in config.features}
        window = Window(recording_id, planned.first_frame, planned.valid_frames, features)
        return CutWindow(window, clipped)

    def _samples(self, planned: PlannedWindow, recording_id: str) -> NDArray[np.float32]:
        """What the frames and the waveform need, from n_fft / 2 samples before the window."""
        config = self._config
        centre = config.n_fft // 2
        start = planned.first_frame * config.hop_length - centre
        last_frame = planned.first_frame + config.window_frames - 1
        stop = last_frame * config.hop_length + max(centre, config.hop_length)
        path = self._paths[planned.recording].as_py()
        try:
            with self._input.open(path) as file:
                reader = AudioReader(file, where=path)
                samples = resampled_range(reader, start, stop, config)
                reader.close()
        except RefusedInputError as error:
            reason = f"audio_{error.reason}"
            raise self._rejected(planned, recording_id, reason, str(error)) from None
        if not np.isfinite(samples).all():
            raise self._not_finite(planned, recording_id)
        return samples

    def _log_mel(
        self, samples: NDArray[np.float32], planned: PlannedWindow, recording_id: str
    ) -> NDArray[Any]:
        config = self._config
        spec = config.specs()["log_mel"]
        log_mel = np.full(spec.shape, config.floor_db, spec.dtype)
        needed = config.n_fft + (planned.valid_frames - 1) * config.hop_length
        power = self._transform.mel_power(samples[:needed])
        if not np.isfinite(power).all():
            raise self._not_finite(planned, recording_id)
        log_mel[: planned.valid_frames] = decibels(power, amin=config.amin)
        return log_mel

    def _notes(self, recording: int) -> NoteFrames:
        name = labels_file(self._ids[recording])
        return _note_frames(self._build.read_bytes(name), self._config, self._build.path(name))

    def _not_finite(self, planned: PlannedWindow, recording_id: str) -> _RejectedWindowError:
        message = f"{self._paths[planned.recording].as_py()}: holds samples that are not finite "
        message += f"numbers, or too large, in the window at frame {planned.first_frame}"
        return self._rejected(planned, recording_id, "not_finite", message)

    def _rejected(
        self, planned: PlannedWindow, recording_id: str, reason: str, message: str
    ) -> _RejectedWindowError:
        reject = Reject(recording_id, "window", reason, planned.first_frame, message)
        return _RejectedWindowError(reject)


@cachetools.cached(
    cachetools.LRUCache(_REMEMBERED_BYTES, getsizeof=lambda notes: notes.nbytes),
    key=lambda labels, config, _: (sha256(labels), config),
    lock=threading.Lock(),
)
def _note_frames(labels: bytes, config: FeatureConfig, where: str) -> NoteFrames:
    """The notes of a file of `tables.LABELS`, which windows of many shards need."""
    table = table_from_bytes(labels, LABELS, where=where, columns=NOTE_COLUMNS)
    return NoteFrames.from_labels(table, config)
