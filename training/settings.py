"""All settings of a run, in three sections, and what changes some of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from training.config import FrameModelConfig, LoopConfig, TrainingConfig

SECTIONS: Mapping[str, type[Any]] = {
    "model": FrameModelConfig,
    "training": TrainingConfig,
    "loop": LoopConfig,
}

DERIVED = {"model": ("n_mels", "seed")}
"""What is no setting of a section: it follows from the dataset, or from another section."""

Given = Mapping[str, Mapping[str, Any]]
"""Some settings, by section and name."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a run is started with, beside its dataset."""

    model: FrameModelConfig = dataclasses.field(default_factory=FrameModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    loop: LoopConfig = dataclasses.field(default_factory=LoopConfig)

    def changed(self, given: Given) -> Self:
        """These settings with those `given`. Raises `TrainingError` for impossible values."""
        return dataclasses.replace(
            self,
            **{
                section: dataclasses.replace(getattr(self, section), **values)
                for section, values in given.items()
            },
        )


def names_of(section: str) -> list[str]:
    """The names of the settings of a section."""
    names = [field.name for field in dataclasses.fields(SECTIONS[section])]
    return [name for name in names if name not in DERIVED.get(section, ())]
