"""How a spectrogram changes from frame to frame: rises of many bins at once, flux and onsets."""

from __future__ import annotations

from typing import Any

import numpy as np
from librosa.onset import onset_detect
from numpy.typing import NDArray

from schemas import FeatureConfig

JOINT_SHARE = 0.75
"""The share of bins that rise in a joint rise: 128 independent bins never do by chance, since half
of them rise in each frame, with a standard deviation of 4 %."""

ONSET_DB = 1.0
"""What the flux at an onset exceeds its local mean by, in dB."""


def joint_rises(log_mel: NDArray[Any]) -> float:
    """The share of frames, 0 to 1, in which three quarters of the bins rise. Invariant to gain.

    Examples:
        >>> clicks = np.zeros((41, 128))
        >>> clicks[10::10] = 20
        >>> joint_rises(clicks)  # 4 of 40 changes
        0.1
    """
    rising = np.diff(log_mel, axis=0) > 0
    return float((rising.mean(axis=1) >= JOINT_SHARE).mean()) if len(rising) else 0.0


def spectral_flux(log_mel: NDArray[Any]) -> NDArray[np.float64]:
    """The mean over bins of each frame's rises in dB, float64 [frames]; 0 for the first frame.

    Half-wave rectified flux of log spectra (Dixon 2006, Onset detection revisited; Boeck et al.
    2012), as in `librosa.onset.onset_strength` of a given spectrogram. Invariant to gain.

    Examples:
        >>> spectral_flux(np.array([[0.0, 0.0], [3.0, -9.0], [3.0, 1.0]])).tolist()
        [0.0, 1.5, 5.0]
    """
    rises = np.maximum(np.diff(log_mel.astype(np.float64), axis=0), 0).mean(axis=1)
    return np.concatenate([[0.0], rises])


def flux_percentile_db(log_mel: NDArray[Any], percent: float) -> float:
    """A percentile (0 to 100) over frames of `spectral_flux`, in dB; the first frame is left out.

    0 where there is one frame only.
    """
    rises = spectral_flux(log_mel)[1:]
    return float(np.percentile(rises, percent)) if len(rises) else 0.0


def onset_frames(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[np.int64]:
    """The frames in which the flux has a peak, int64 [onsets]. Invariant to gain.

    Peaks are those of `librosa.onset.onset_detect` (Boeck et al. 2012) with its times of averaging
    and waiting, at least `ONSET_DB` above the local mean. The threshold is absolute, in dB: what
    has no onsets gets none, while librosa's own is relative to the greatest peak.

    Examples:
        >>> from schemas import FeatureConfig
        >>> config = FeatureConfig(sample_rate=10_240, fmax=5_120.0)  # 20 frames per second
        >>> clicks = np.full((200, 128), -60.0)
        >>> clicks[5::10] = 0
        >>> onset_frames(clicks, config)[:4].tolist()
        [5, 15, 25, 35]
    """
    return onset_detect(
        onset_envelope=spectral_flux(log_mel),
        sr=config.sample_rate,
        hop_length=config.hop_length,
        normalize=False,
        delta=ONSET_DB,
    )


def onsets_per_second(log_mel: NDArray[Any], config: FeatureConfig) -> float:
    """The number of `onset_frames` per second. Invariant to gain."""
    return len(onset_frames(log_mel, config)) * config.frames_per_second / len(log_mel)
