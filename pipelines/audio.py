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

from pipelines.errors import RefusedInputError
from pipelines.riff import WAV_STARTS, declared_data_bytes
from schemas import FeatureConfig
from schemas.features import WAVEFORM_SCALE

for _switch in ("SOXR_USE_SIMD", "SOXR_USE_SIMD32", "SOXR_USE_SIMD64"):
    # With them a user would choose arithmetic that rounds in another way.
    os.environ.pop(_switch, None)

CONTEXT_SAMPLES = 1_024
"""Samples on either side of a range that the resampler is given beside it, at the lower rate.

soxr's HQ filters are shorter: with this many the range differs from that of the whole recording
by rounding alone.
"""

CONTAINERS = ("WAV", "WAVEX", "RF64")
SAMPLE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8,
                "ULAW": 1, "ALAW": 1}  # fmt: skip
"""What can be read from any sample on: WAV files, and the bytes of one sample of one channel."""

SAMPLE_RATES = range(1_000, 768_001)
"""Samples per second that are taken for a recording's and not for a damaged header."""

_BLOCK_VALUES = 1 << 18
"""Samples, of all channels together, that are read at once."""


@dataclasses.dataclass(frozen=True)
class AudioHeader:
    """Length in samples at the file's own rate (Hz)."""

    samples: int
    sample_rate: int
    channels: int


class AudioReader:
    """Random access to the samples of one WAV file.

    Raises `RefusedInputError` where it is none, or not a whole one.
    """

    def __init__(self, file: BinaryIO, *, where: str) -> None:
        self._where = where
        try:
            self._declared_bytes = self._claim(file)
            # By its descriptor libsndfile reads a file itself, without coming back to Python.
            descriptor = _descriptor(file)
            self._file = soundfile.SoundFile(file if descriptor is None else descriptor)
        except RefusedInputError:
            raise
        except (soundfile.LibsndfileError, ValueError, OSError) as error:
            told = getattr(error, "error_string", error)
            raise self._refused("unreadable", f"not audio that can be read: {told}") from None
        self.header = AudioHeader(self._file.frames, self._file.samplerate, self._file.channels)
        try:
            self._check()
        except RefusedInputError:
            self.close()
            raise

    def _claim(self, file: BinaryIO) -> int:
        """The bytes that the header says the samples have; the file is at its start again.

        libsndfile lowers the length of a file that was cut short without a word. What is no WAV
        file it is not given at all: some of its decoders print to the screen.
        """
        start = file.read(4)
        if not start:
            raise self._refused("empty", "holds no bytes; copy it again")
        if start not in WAV_STARTS:
            raise self._refused("not_wav", f"is no WAV file: it begins with {start!r}; convert it")
        file.seek(0)
        declared = declared_data_bytes(file)
        if declared is None:
            raise self._refused("unreadable", "not audio that can be read: has no data chunk")
        file.seek(0)
        return declared

    def _check(self) -> None:
        file, header = self._file, self.header
        if file.format not in CONTAINERS or file.subtype not in SAMPLE_BYTES:
            held = f"{file.format} with {file.subtype} samples"
            message = f"holds {held}, not WAV with PCM or float samples; convert it"
            raise self._refused("format", message)
        if header.sample_rate not in SAMPLE_RATES:
            message = f"its header says {header.sample_rate} samples per second, which no recording"
            raise self._refused("sample_rate", f"{message} has; mend the header")
        frame_bytes = header.channels * SAMPLE_BYTES[file.subtype]
        held_bytes = header.samples * frame_bytes
        if self._declared_bytes >= held_bytes + frame_bytes:
            raise self._refused(
                "truncated",
                f"holds {held_bytes} bytes of samples, its header says {self._declared_bytes}: it "
                "was cut short, or never closed; copy or write it again",
            )
        if header.samples == 0:
            raise self._refused("empty", "holds no samples")

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples start..stop-1, float32 [stop - start], the average of the channels."""
        channels = self.header.channels
        samples = np.empty(stop - start, np.float32)
        block = max(1, _BLOCK_VALUES // channels)
        try:
            self._file.seek(start)
            for at in range(0, len(samples), block):
                part = samples[at : at + block]
                if channels == 1:
                    read = self._file.read(dtype="float32", out=part)
                else:
                    read = self._file.read(len(part), dtype="float32")
                if len(read) != len(part):
                    raise self._refused(
                        "truncated",
                        f"holds {start + at + len(read)} samples, its header says "
                        f"{self.header.samples}: it was cut short; copy it again",
                    )
                if channels > 1:
                    with np.errstate(over="ignore", invalid="ignore"):  # refused later
                        np.add.reduce(read, axis=1, out=part)
                    part /= np.float32(channels)
        except soundfile.LibsndfileError as error:
            message = f"sample {start}: {error.error_string}"
            raise self._refused("unreadable", message) from None
        return samples

    def close(self) -> None:
        self._file.close()

    def _refused(self, reason: str, message: str) -> RefusedInputError:
        return RefusedInputError.of(self._where, reason, message)


def _descriptor(file: BinaryIO) -> int | None:
    """A descriptor of its own, which libsndfile closes, also where it cannot read the file."""
    try:
        descriptor = os.dup(file.fileno())
    except (OSError, AttributeError):
        return None
    # Python reads ahead, and the place in the file is shared.
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


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
    if inside_start >= inside_stop:
        return np.zeros(stop - start, np.float32)
    if header.sample_rate == config.sample_rate:
        resampled, skipped = reader.read(inside_start, inside_stop), 0
    else:
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
