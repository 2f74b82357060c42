"""Any range of a recording's samples, resampled as if the whole had been."""

from __future__ import annotations

import math
import os

import numpy as np
import soxr
from numpy.typing import NDArray

from pipelines.audio.readers import SampleReader
from pipelines.errors import PipelineError
from schemas import FeatureConfig
from schemas.features import WAVEFORM_SCALE

_SWITCHES = ("SOXR_USE_SIMD", "SOXR_USE_SIMD32", "SOXR_USE_SIMD64")
"""Environment variables that make libsoxr choose arithmetic that rounds in another way."""

CONTEXT_SAMPLES = 1_024
"""Samples on either side of a range that the resampler is given beside it, at the lower rate.

soxr's HQ filters are shorter: with this many the range differs from that of the whole recording
by rounding alone.
"""


def require_own_arithmetic() -> None:
    """Raises `PipelineError` where the environment would change how libsoxr rounds."""
    found = [name for name in _SWITCHES if name in os.environ]
    if found:
        raise PipelineError(
            f"the environment variable {found[0]} is set, by which resampled audio would differ in "
            "its last bits; unset it, on every worker"
        )


def resampled_range(
    reader: SampleReader, start: int, stop: int, config: FeatureConfig
) -> NDArray[np.float32]:
    """Samples start..stop-1 of the recording resampled whole, float32 [stop - start].

    Beyond either end of the recording the samples are zero. Whole periods of the two rates' ratio
    are cut out, with context, so that the resampler meets the same phases as in the whole. Raises
    as `require_own_arithmetic` and `SampleReader.read`.
    """
    header = reader.header
    length = config.resampled_length(header.samples, header.sample_rate)
    inside_start, inside_stop = max(0, start), min(length, stop)
    if inside_start >= inside_stop:
        return np.zeros(stop - start, np.float32)
    if header.sample_rate == config.sample_rate:
        resampled, skipped = reader.read(inside_start, inside_stop), 0
    else:
        require_own_arithmetic()
        divisor = math.gcd(header.sample_rate, config.sample_rate)
        period_in = header.sample_rate // divisor
        period_out = config.sample_rate // divisor
        context = CONTEXT_SAMPLES * max(1, -(-config.sample_rate // header.sample_rate))
        first = max(0, inside_start - context) // period_out
        last = -(-(inside_stop + context) // period_out)
        source = reader.read(first * period_in, min(header.samples, last * period_in))
        resampled = soxr.resample(source, header.sample_rate, config.sample_rate, "HQ")
        skipped = inside_start - first * period_out
    wanted = resampled[skipped : skipped + inside_stop - inside_start]
    if len(wanted) == stop - start:
        return wanted
    before = inside_start - start
    return np.pad(wanted, (before, stop - start - before - len(wanted)))


def to_int16(samples: NDArray[np.float32]) -> tuple[NDArray[np.int16], int]:
    """Samples of full scale 1 as int16, rounded half to even, and how many had to be clipped."""
    scaled = np.rint(samples * np.float32(WAVEFORM_SCALE))
    limits = np.iinfo(np.int16)
    clipped = int(np.count_nonzero((scaled < limits.min) | (scaled > limits.max)))
    return np.clip(scaled, limits.min, limits.max).astype("<i2"), clipped
