"""Sentences that several cards share."""

from __future__ import annotations

from pipelines.cards.origin import origin_of
from pipelines.cards.subject import Subject


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
