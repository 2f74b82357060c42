"""WAV files of our own making, as MusicNet's are."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from schemas.features import LABEL_RATE


def float_wav_bytes(samples: NDArray[np.float32]) -> bytes:
    """A WAV file of mono float32 samples at 44,100 Hz.

    It is without a time of writing, which libsndfile would put into its PEAK chunk.
    """
    buffer = io.BytesIO()
    wavfile.write(buffer, LABEL_RATE, samples)
    return buffer.getvalue()
