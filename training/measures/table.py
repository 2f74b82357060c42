"""All measures of one spectrogram, by name."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from schemas import FeatureConfig
from training.measures.levels import level_db, level_drift_db, level_sd_db
from training.measures.motion import flux_percentile_db, joint_rises, onsets_per_second
from training.measures.pitches import note_changes_per_second, pitch_class_bits, polyphony
from training.measures.texture import comb_strength, speckle_db

FLUX_PERCENTS = (50, 95)


def measures(
    log_mel: NDArray[Any], config: FeatureConfig, notes: NDArray[Any] | None
) -> dict[str, float]:
    """Each measure of `log_mel` [frames, n_mels] in dB, of the features `config`.

    `notes` [frames, 128], 0 or 1, are those that a transcriber hears; without them, the measures of
    notes are left out, as the strength of combs is where bins are too wide for any.

    Units are in the names; where there is none, the measure is a number without a unit. Values
    depend on the length of what is measured, and on whether its levels are on the grid of models
    (`grid.quantize`), so compare like with like.
    """
    found = {
        "level_db": level_db(log_mel, config),
        "level_sd_db": level_sd_db(log_mel, config),
        "level_drift_db": level_drift_db(log_mel, config),
        "joint_rises": joint_rises(log_mel),
        **{f"flux_p{each}_db": flux_percentile_db(log_mel, each) for each in FLUX_PERCENTS},
        "onsets_per_second": onsets_per_second(log_mel, config),
        "speckle_db": speckle_db(log_mel),
    }
    comb = comb_strength(log_mel, config)
    if comb is not None:
        found["comb_strength"] = comb
    if notes is not None:
        found["polyphony"] = polyphony(notes)
        found["pitch_class_bits"] = pitch_class_bits(notes)
        found["note_changes_per_second"] = note_changes_per_second(notes, config.frames_per_second)
    return found
