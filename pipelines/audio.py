"""Audio files: what their headers say, and any range of samples, resampled as if whole."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from pipelines.errors import PipelineError
from schemas import FeatureConfig
from schemas.features import WAVEFORM_SCALE

for _switch in ("SOXR_USE_SIMD", "SOXR_USE_SIMD32", "SOXR_USE_SIMD64"):
    # With them a user would choose arithmetic that rounds in another way.
    os.environ.pop(_switch, None)

CONTEXT_SAMPLES = 1_024
"""Resampled samples on either side of a range that the resampler is given beside it.

soxr's HQ filters are shorter: with this many the range differs from that of the whole recording
by rounding alone.
"""


@dataclasses.dataclass(frozen=True)
class AudioHeader:
    """Length in samples at the file's own rate (Hz)."""

    samples: int
    sample_rate: int
    channels: int


class AudioReader:
    """Random access to the samples of one file. Raises `PipelineError` where it is not audio."""

    def __init__(self, file: BinaryIO, *, where: str) -> None:
        self._where = where
        try:
            self._file = soundfile.SoundFile(file)
        except soundfile.LibsndfileError as error:
            raise PipelineError(
                f"{where}: not audio that can be read: {error.error_string}"
            ) from None
        self.header = AudioHeader(self._file.frames, self._file.samplerate, self._file.channels)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples start..stop-1, float32 [stop - start], the average of the channels."""
        try:
            self._file.seek(start)
            channels = self._file.read(stop - start, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise PipelineError(f"{self._where}: sample {start}: {error.error_string}") from None
        if len(channels) != stop - start:
            raise PipelineError(
                f"{self._where}: holds {start + len(channels)} samples, its header says "
                f"{self.header.samples}: the file was cut short"
            )
        if channels.shape[1] == 1:
            return channels[:, 0]
        return np.add.reduce(channels, axis=1) / np.float32(channels.shape[1])

    def close(self) -> None:
        self._file.close()


def resampled_range(
    reader: AudioReader, start: int, stop: int, config: FeatureConfig
) -> NDArray[np.float32]:
    """Samples start..stop-1 of the recording resampled whole, float32 [stop - start].

    Beyond either end of the recording the samples are zero. Whole periods of the two rates' ratio
    are cut out, with context, so that the resampler meets the same phases as in the whole.
    """
    header = reader.header
    length = config.resampled_length(header.samples, header.sample_rate)
    inside_start, inside_stop = max(0, start), min(length, stop)
    output = np.zeros(stop - start, np.float32)
    if inside_start >= inside_stop:
        return output
    if header.sample_rate == config.sample_rate:
        resampled, skipped = reader.read(inside_start, inside_stop), 0
    else:
        divisor = math.gcd(header.sample_rate, config.sample_rate)
        period_in = header.sample_rate // divisor
        period_out = config.sample_rate // divisor
        first = max(0, inside_start - CONTEXT_SAMPLES) // period_out
        last = -(-(inside_stop + CONTEXT_SAMPLES) // period_out)
        source = reader.read(first * period_in, min(header.samples, last * period_in))
        resampled = soxr.resample(source, header.sample_rate, config.sample_rate, "HQ")
        skipped = inside_start - first * period_out
    wanted = resampled[skipped : skipped + inside_stop - inside_start]
    output[inside_start - start :][: len(wanted)] = wanted
    return output


def to_int16(samples: NDArray[np.float32]) -> tuple[NDArray[np.int16], int]:
    """Samples of full scale 1 as int16, rounded half to even, and how many had to be clipped."""
    scaled = np.rint(samples * np.float32(WAVEFORM_SCALE))
    limits = np.iinfo(np.int16)
    clipped = int(np.count_nonzero((scaled < limits.min) | (scaled > limits.max)))
    return np.clip(scaled, limits.min, limits.max).astype("<i2"), clipped
