"""What a feature is: every number that defines a window, in one frozen dataclass."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.errors import DatasetError
from schemas.names import DEFAULT_FEATURES, NOTE_FEATURES
from schemas.names import FEATURE_NAMES as FEATURE_NAMES

LABEL_RATE = 44_100
"""Samples per second in which MusicNet's label times are counted, whatever the rate of the file."""

N_PITCHES = 128
"""MIDI note numbers, the columns of `notes`, `onsets` and `instruments`."""

N_PROGRAMS = 128
"""General MIDI programs, counted from 1 as MusicNet does."""

WAVEFORM_SCALE = 32_768
"""An int16 waveform sample is the sample times this, rounded half to even, saturating."""

DEFINITION: Mapping[str, str | float] = {
    "analysis_window": "hann, periodic, centred in n_fft",
    "centre": "frame k is centred at sample k * hop_length; zeros beyond the recording's ends",
    "level": "10 * log10(max(amin, power / reference))",
    "mel_scale": "slaney",
    "mel_norm": "slaney",
    "mono": "average of the channels",
    "power": 2.0,
    "reference": 1.0,
    "resampler": "soxr HQ, ceil(samples * sample_rate / source_rate) samples",
}
"""Choices that all datasets of this format version share; each dataset records them."""

_LARGEST: Mapping[str, int] = {
    "sample_rate": 1 << 22,  # times a label's time, below 2**40, it still fits an int64
    "n_fft": 1 << 24,
    "win_length": 1 << 24,
    "hop_length": 1 << 24,
    "n_mels": 1 << 16,
    "window_frames": 1 << 24,
    "stride_frames": 1 << 24,
}
"""The whole numbers of a configuration, all of them at least 1: the largest value of each."""

_REAL_NUMBERS = ("fmin", "fmax", "amin")
_LARGEST_FLOAT = float(np.finfo(np.float64).max)
_SMALLEST_FLOAT32 = float(np.finfo(np.float32).tiny)
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)

_MOST_FILTER_VALUES = 1 << 27
"""A GiB of the float64 from which the mel filters are made."""

_MOST_WINDOW_BYTES = 2_000_000_000
"""A window is one protobuf message in a TFRecord shard, and those end at 2 GiB."""

_MOST_WINDOW_SAMPLES = _MOST_WINDOW_BYTES // 2
"""As many as fill a window of int16 samples, whether they are stored or not."""


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """How one feature of one window is stored: raw little-endian bytes in C order.

    Attributes:
        name: The name of the feature.
        shape: The shape of its array.
        dtype: Its dtype, as numpy spells it: "<f4", "<f2", "<i2" or "|u1".
        unit: The unit of its values.

    Examples:
        >>> from schemas import FeatureConfig
        >>> spec = FeatureConfig().specs()["waveform"]
        >>> spec.shape, spec.dtype, spec.unit, spec.nbytes
        ((220160,), '<i2', '1/32768', 440320)
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str

    @property
    def nbytes(self) -> int:
        """Bytes of one window's feature."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """Everything that the numbers in a dataset depend on, apart from the recordings.

    Attributes:
        sample_rate: The rate in Hz to which recordings are resampled.
        n_fft: The length of the Fourier transform, in samples; even.
        win_length: The length of the Hann window in it, in samples.
        hop_length: The distance between two frames, in samples.
        n_mels: The number of mel bins.
        fmin: The lower limit of the mel filters, in Hz.
        fmax: The upper limit of the mel filters, in Hz.
        amin: The mel power that becomes the lowest level.
        window_frames: The length of a window, in frames.
        stride_frames: The distance between the starts of two windows, in frames.
        tail: What happens to frames that do not fill a window. "pad" keeps them in a last window
            that says how many of its frames are valid; "drop" counts and drops them.
        dtype: The dtype of `log_mel` on disk, "float32" or "float16".
        features: The stored features, a selection of log_mel, waveform, notes, onsets and
            instruments; the last is stored only where it is asked for.

    Raises:
        DatasetError: If a number is impossible or so large that no machine could use it, or if
            the numbers do not fit together; the message names the field.

    Examples:
        >>> from schemas import FeatureConfig
        >>> config = FeatureConfig(n_mels=80, features=("log_mel", "notes"))
        >>> config.specs()["log_mel"].shape
        (430, 80)
        >>> round(config.window_frames / config.frames_per_second, 3)  # seconds
        9.985
        >>> config.window_count(frames=1_000)
        3
    """

    sample_rate: int = 22_050
    n_fft: int = 2_048
    win_length: int = 2_048
    hop_length: int = 512
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float = 11_025.0
    amin: float = 1e-10
    window_frames: int = 430
    stride_frames: int = 430
    tail: str = "pad"
    dtype: str = "float32"
    features: tuple[str, ...] = DEFAULT_FEATURES

    def __post_init__(self) -> None:
        for name, largest in _LARGEST.items():
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise DatasetError(f"{name}={_shown(value)} must be a positive integer")
            if value > largest:
                raise DatasetError(f"{name}={_shown(value)} must not exceed {largest:,}")
        for name in _REAL_NUMBERS:
            value = getattr(self, name)
            # Compared, not converted: an integer may be too large for a float.
            if type(value) not in (int, float) or not abs(value) <= _LARGEST_FLOAT:
                raise DatasetError(f"{name}={_shown(value)} must be a finite number")
            # So that 8000 and 8000.0, which are equal, are also written alike.
            object.__setattr__(self, name, float(value))
        if self.n_fft % 2:
            raise DatasetError(f"n_fft={self.n_fft} must be even: frames are centered")
        if self.win_length > self.n_fft:
            raise DatasetError(f"win_length={self.win_length} must not exceed n_fft={self.n_fft}")
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise DatasetError(
                f"fmin={self.fmin} and fmax={self.fmax} must satisfy "
                f"0 <= fmin < fmax <= sample_rate / 2 = {self.sample_rate / 2}"
            )
        if not _SMALLEST_FLOAT32 <= self.amin <= _LARGEST_FLOAT32:
            raise DatasetError(f"amin={self.amin} must be a positive float32")
        if self.n_mels * (self.n_fft // 2 + 1) > _MOST_FILTER_VALUES:
            raise DatasetError(
                f"n_mels={self.n_mels} filters of n_fft={self.n_fft} must not have more than "
                f"{_MOST_FILTER_VALUES:,} values, n_mels * (n_fft / 2 + 1)"
            )
        if self.window_frames * self.hop_length > _MOST_WINDOW_SAMPLES:
            raise DatasetError(
                f"window_frames={self.window_frames} of hop_length={self.hop_length} must not be "
                f"more than {_MOST_WINDOW_SAMPLES:,} samples"
            )
        if self.stride_frames > self.window_frames:
            raise DatasetError(
                f"stride_frames={self.stride_frames} must not exceed "
                f"window_frames={self.window_frames}: frames between two windows would be lost"
            )
        if self.tail not in ("pad", "drop"):
            raise DatasetError(f"tail={self.tail!r} must be 'pad' or 'drop'")
        if self.dtype not in ("float32", "float16"):
            raise DatasetError(f"dtype={self.dtype!r} must be 'float32' or 'float16'")
        chosen = self.features
        if not chosen or set(chosen) - set(FEATURE_NAMES) or len(set(chosen)) < len(chosen):
            raise DatasetError(
                f"features={chosen!r} must be one or more of {', '.join(FEATURE_NAMES)}, once each"
            )
        ordered = tuple(name for name in FEATURE_NAMES if name in chosen)
        object.__setattr__(self, "features", ordered)
        if self.window_bytes > _MOST_WINDOW_BYTES:
            raise DatasetError(
                f"window_frames={self.window_frames} makes a window of {self.window_bytes:,} "
                f"bytes, which must not exceed {_MOST_WINDOW_BYTES:,}; choose fewer frames or "
                "features"
            )

    @property
    def floor_db(self) -> float:
        """The lowest mel level, in dB: that of silence."""
        return 10.0 * math.log10(self.amin)

    @property
    def has_notes(self) -> bool:
        """Whether the windows hold a feature that is made from labels."""
        return any(name in NOTE_FEATURES for name in self.features)

    @property
    def frames_per_second(self) -> float:
        """Frames per second, a float in Hz."""
        return self.sample_rate / self.hop_length

    @property
    def window_bytes(self) -> int:
        """Bytes of one window's features."""
        return sum(spec.nbytes for spec in self.specs().values())

    def specs(self) -> dict[str, FeatureSpec]:
        """The stored features of a window, in their order on disk."""
        frames = self.window_frames
        log_mel_dtype = "<f4" if self.dtype == "float32" else "<f2"
        every = (
            FeatureSpec("log_mel", (frames, self.n_mels), log_mel_dtype, "dB"),
            FeatureSpec("waveform", (frames * self.hop_length,), "<i2", "1/32768"),
            FeatureSpec("notes", (frames, N_PITCHES), "|u1", "sounding"),
            FeatureSpec("onsets", (frames, N_PITCHES), "|u1", "onset"),
            FeatureSpec("instruments", (frames, N_PITCHES), "|u1", "General MIDI program"),
        )
        return {spec.name: spec for spec in every if spec.name in self.features}

    def resampled_length(self, samples: int, rate: int) -> int:
        """The number of samples at `sample_rate` that `samples` samples at `rate` Hz become."""
        return -(-samples * self.sample_rate // rate)

    def frame_count(self, resampled: int) -> int:
        """Frames of a recording of `resampled` samples at `sample_rate`, as in `librosa.stft`."""
        return 1 + resampled // self.hop_length

    def window_count(self, frames: int) -> int:
        """Windows of a recording of `frames` frames."""
        beyond_first = frames - self.window_frames
        if self.tail == "drop":
            return 0 if beyond_first < 0 else 1 + beyond_first // self.stride_frames
        return 1 + max(0, -(-beyond_first // self.stride_frames))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values, with `DEFINITION` as `definition`."""
        fields = dataclasses.asdict(self)
        return {**fields, "features": list(self.features), "definition": dict(DEFINITION)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> FeatureConfig:
        """Reads what `to_dict` made; a field left out takes the default.

        `where` names the file for the `DatasetError` raised on an unknown name or a wrong value.
        """
        given = dict(values)
        definition = given.pop("definition", None)
        if definition is not None and not isinstance(definition, dict):
            raise DatasetError(f"{where}: 'definition' must be an object; leave it out")
        if definition is not None and definition != DEFINITION:
            differing = sorted(
                key
                for key in {*definition, *DEFINITION}
                if definition.get(key) != DEFINITION.get(key)
            )
            raise DatasetError(
                f"{where}: 'definition' differs in {', '.join(differing)} from what this version "
                "computes; leave it out, or use the version that wrote it"
            )
        names = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise DatasetError(
                f"{where}: unknown field {unknown[0]!r}; the fields are {', '.join(names)}"
            )
        if "features" in given:
            chosen = given["features"]
            if not isinstance(chosen, list | tuple) or any(
                type(name) is not str for name in chosen
            ):
                raise DatasetError(f"{where}: 'features' must be a list of names")
            given["features"] = tuple(given["features"])
        try:
            return cls(**given)
        except DatasetError as error:
            raise DatasetError(f"{where}: {error}") from None

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str) -> FeatureConfig:
        """As `from_dict`, from a JSON object; raises `DatasetError` for any other text."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{where}: not JSON: {error}") from None
        if not isinstance(values, dict):
            raise DatasetError(f"{where}: must hold one JSON object of feature settings")
        return cls.from_dict(values, where=where)


def _shown(value: object) -> str:
    """A value as in Python; its beginning, where it is long."""
    if type(value) is int and value.bit_length() > _LONGEST_SHOWN:
        return f"an integer of {value.bit_length():,} bits"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


_LONGEST_SHOWN = 80

PRESETS: Mapping[str, FeatureConfig] = {
    "librosa": FeatureConfig(),
    "melnet": FeatureConfig(
        win_length=1_536, hop_length=256, n_mels=256, window_frames=860, stride_frames=860
    ),
}
"""Configurations by name.

`librosa` has librosa's defaults; `melnet` follows section 5.1 of Vasquez and Lewis (2019), MelNet.

Examples:
    >>> from schemas import PRESETS
    >>> {name: (config.n_mels, config.window_frames) for name, config in PRESETS.items()}
    {'librosa': (128, 430), 'melnet': (256, 860)}
"""
