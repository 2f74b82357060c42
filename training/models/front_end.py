"""What a model hears of a waveform: learned filters, and one vector of their powers per frame."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schemas.filterbank import hz_to_mel, mel_to_hz
from training.errors import TrainingError
from training.validation import MAX_SEED, whole_number

POWER_FLOOR = 1e-8
"""Powers far below this one, 80 dB below that of a sinusoid of full scale, count as silence."""

_CENTER, _SCALE = 8.0, 4.0
"""Logarithms of powers of music over the floor lie about here; normalized, they are about 1."""

_MAX_FILTERS = 2**12
_MAX_SAMPLES = 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrontEndConfig:
    """A bank of `filters` of `filter_length` samples each, applied every `stride` samples.

    Raises `TrainingError` when a value is impossible.
    """

    filters: int = 64
    filter_length: int = 256
    stride: int = 64

    def __post_init__(self) -> None:
        checked = {
            "filters": whole_number("filters", self.filters, 1, _MAX_FILTERS),
            "filter_length": whole_number("filter_length", self.filter_length, 2, _MAX_SAMPLES),
            "stride": whole_number("stride", self.stride, 1, _MAX_SAMPLES),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def fitting(cls, *, hop_length: int, span: int) -> Self:
        """The default bank, or the nearest smaller one that fits frames of these lengths.

        Examples:
            >>> FrontEndConfig.fitting(hop_length=441, span=2_048)
            FrontEndConfig(filters=64, filter_length=221, stride=63)
        """
        default = cls()
        stride = max(n for n in range(1, default.stride + 1) if hop_length % n == 0)
        length = min(default.filter_length, span)
        return cls(filter_length=length - (length - span) % stride, stride=stride)


@keras.saving.register_keras_serializable(package="musicnet_duet")
class WaveformFrontEnd(keras.layers.Layer):
    """One vector of `units` for each frame of a waveform, from a span of its samples alone.

    The vector of frame t is a function of the samples from t * hop_length + offset - span to
    t * hop_length + offset, the last one excluded; samples outside of the waveform are zeros. A
    filter is complex, its squared modulus is a power, and the logarithms of the powers of all
    filters at all strides within the span are projected to the vector (time-domain filterbanks:
    Zeghidour et al. 2018, Learning Filterbanks from Raw Speech for Phone Recognition). The filters
    are learned, and begin as `mel_sinusoids`.

    No filter crosses an end of the span, so that nothing outside of it changes a bit of the vector.
    All arithmetic is in float32. Raises `TrainingError` for a filter that is longer than the span,
    a stride that does not divide the hop length, or one that does not lead from the first filter
    of a span to its end.

    Examples:
        >>> front_end = WaveformFrontEnd(
        ...     32, hop_length=512, span=2048, offset=-512, sample_rate=22_050
        ... )
        >>> front_end(tf.zeros([8, 430 * 512])).shape
        TensorShape([8, 430, 32])
    """

    def __init__(
        self,
        units: int,
        *,
        hop_length: int,
        span: int,
        offset: int,
        sample_rate: int,
        config: FrontEndConfig = FrontEndConfig(),
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.units = whole_number("units", units, 1, _MAX_FILTERS)
        self.hop_length = whole_number("hop_length", hop_length, 1, _MAX_SAMPLES)
        self.span = whole_number("span", span, 1, _MAX_SAMPLES)
        self.offset = whole_number("offset", offset, -_MAX_SAMPLES, _MAX_SAMPLES)
        self.sample_rate = whole_number("sample_rate", sample_rate, 1, _MAX_SAMPLES)
        self.seed = whole_number("seed", seed, 0, MAX_SEED)
        self.config = config
        length, stride = config.filter_length, config.stride
        if length > self.span:
            raise TrainingError(
                f"filter_length={length} must be at most the {self.span} samples that a frame hears"
            )
        if self.hop_length % stride:
            raise TrainingError(
                f"stride={stride} must divide hop_length={self.hop_length}; choose such a stride"
            )
        if remainder := (self.span - length) % stride:
            raise TrainingError(
                f"filter_length={length} must leave a multiple of stride={stride} of the "
                f"{self.span} samples that a frame hears; choose, for example, "
                f"filter_length={length + remainder}"
            )

    @property
    def positions(self) -> int:
        """How many times each filter is applied within a span."""
        return (self.span - self.config.filter_length) // self.config.stride + 1

    @property
    def _gain(self) -> float:
        """What `kernel` is multiplied by: its weights begin near 1, whatever their number.

        Steps of Adam are of one size for all weights, and would drown smaller ones in noise.
        """
        return 2 / self.config.filter_length

    def build(self, input_shape: Any) -> None:
        """Makes all weights; `input_shape` does not matter."""
        filters = self.config.filters
        sinusoids = mel_sinusoids(filters, self.config.filter_length, self.sample_rate)
        kernel = np.concatenate([sinusoids.real, sinusoids.imag], axis=1) / self._gain
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel.shape,
            initializer=lambda shape, dtype=None: tf.constant(kernel, dtype),
        )
        self.projection = self.add_weight(
            name="projection",
            shape=(self.positions, filters, self.units),
            initializer=keras.initializers.GlorotUniform(seed=self.seed),
        )
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, waveform: tf.Tensor) -> tf.Tensor:
        """The vectors, float32 [batch, frames, units], of float32 [batch, frames * hop_length].

        Full scale is 1: a dataset's int16 samples, divided by 32,768.
        """
        return self._embed(self._aligned(waveform), self.hop_length // self.config.stride)

    def embed(self, samples: tf.Tensor) -> tf.Tensor:
        """The vector of one frame, float32 [batch, units], of its span, float32 [batch, span]."""
        return self._embed(samples, 1)[:, 0]

    def get_config(self) -> dict[str, Any]:
        names = ("units", "hop_length", "span", "offset", "sample_rate", "seed")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "config": dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{**config, "config": FrontEndConfig(**config["config"])})

    def _aligned(self, waveform: tf.Tensor) -> tf.Tensor:
        """The samples from the beginning of the first frame's span to the end of the last one's."""
        frames = tf.shape(waveform)[1] // self.hop_length
        first = self.offset - self.span
        padding = [[0, 0], [max(0, -first), max(0, self.offset - self.hop_length)]]
        begin = max(0, first)
        end = begin + (frames - 1) * self.hop_length + self.span
        return tf.pad(waveform, padding)[:, begin:end]

    def _embed(self, samples: tf.Tensor, strides_per_frame: int) -> tf.Tensor:
        """The vectors of all frames in `samples` [batch, samples]; frame 0 begins at sample 0.

        Projecting the powers within a span is a convolution whose stride is a frame.
        """
        kernel = self._gain * self.kernel[:, tf.newaxis]
        parts = tf.nn.conv1d(samples[..., tf.newaxis], kernel, self.config.stride, "VALID")
        real, imaginary = tf.split(tf.square(parts), 2, axis=-1)
        levels = tf.math.log1p((real + imaginary) / POWER_FLOOR)
        normal = (levels - _CENTER) / _SCALE
        return tf.nn.conv1d(normal, self.projection, strides_per_frame, "VALID") + self.bias


def mel_sinusoids(filters: int, length: int, sample_rate: int) -> NDArray[np.complex64]:
    """Complex sinusoids in Hann windows: complex64 [length, filters].

    Their frequencies are evenly spaced on Slaney's mel scale (`schemas.filterbank`), as the peaks
    of a mel filterbank between 0 Hz and half the `sample_rate`, in Hz. A filter has power 1 for a
    sinusoid of its frequency and of full scale.
    """
    mels = np.linspace(0, hz_to_mel(sample_rate / 2), filters + 2)[1:-1]
    window = np.hanning(length + 2)[1:-1]
    phases = 2 * np.pi * np.outer(np.arange(length), mel_to_hz(mels) / sample_rate)
    return (2 * window[:, np.newaxis] / window.sum() * np.exp(1j * phases)).astype(np.complex64)
