"""Sentences that several cards share."""

from __future__ import annotations

from pipelines.cards.origin import Origin, origin_of
from pipelines.cards.subject import Subject
from schemas import FeatureSpec

VERSION = "1.0.0"
"""What other tools call the version of a dataset, as three numbers; of format version 1."""

_UNITS = {
    "log_mel": "dB",
    "waveform": "1/32768 of full scale",
    "notes": "1 where a note sounds, else 0",
    "onsets": "1 where a note starts, else 0",
    "instruments": "the General MIDI program of the note that sounds, from 1, else 0",
}


def title(origin: Origin) -> str:
    """What a dataset is called, for people."""
    return f"{origin.name} in windows, for machine learning"


def unit_of(spec: FeatureSpec) -> str:
    """The unit of a feature's values, for people, as docs/format.md has it."""
    return _UNITS[spec.name]


def description(subject: Subject) -> str:
    """What the windows of a dataset are, in two sentences."""
    config = subject.manifest.config
    seconds = config.window_frames / config.frames_per_second
    name = origin_of(subject.recordings).name
    windows = sum(split.windows for split in subject.manifest.splits.values())
    return (
        f"{name}, cut into {windows:,} windows of {config.window_frames} frames ({seconds:.2f} s) "
        f"with the features {', '.join(config.features)}, at {config.sample_rate:,} Hz. Made by "
        f"musicnet-duet; its fingerprint is {subject.manifest.fingerprint}."
    )
