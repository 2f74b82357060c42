"""All measures of one spectrogram, by name."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from training.measures.levels import level_db, level_drift_db, level_sd_db
from training.measures.motion import flux_percentile_db, joint_rises, onsets_per_second
from training.measures.pitches import note_changes_per_second, pitch_class_bits, polyphony
from training.measures.texture import comb_strength, speckle_db
from training.measures.transcriber import Transcriber

FLUX_PERCENTS = (50, 95)


def measures(log_mel: NDArray[Any], transcriber: Transcriber) -> dict[str, float]:
    """Each measure of `log_mel` [frames, n_mels] in dB, of the features of the transcriber.

    Units are in the names; where there is none, the measure is a number without a unit. Values
    depend on the length of what is measured, so measure and compare spectrograms of one length.
    """
    config = transcriber.config
    probabilities = transcriber.note_probabilities(log_mel)
    flux = {
        f"flux_p{percent}_db": flux_percentile_db(log_mel, percent) for percent in FLUX_PERCENTS
    }
    return {
        "level_db": level_db(log_mel, config),
        "level_sd_db": level_sd_db(log_mel, config),
        "level_drift_db": level_drift_db(log_mel, config),
        "joint_rises": joint_rises(log_mel),
        **flux,
        "onsets_per_second": onsets_per_second(log_mel, config),
        "speckle_db": speckle_db(log_mel),
        "comb_strength": comb_strength(log_mel, config),
        "polyphony": polyphony(probabilities),
        "pitch_class_bits": pitch_class_bits(probabilities),
        "note_changes_per_second": note_changes_per_second(probabilities, config.frames_per_second),
    }
