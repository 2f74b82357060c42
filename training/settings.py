"""All settings of a run, in three sections, and what changes some of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from training.config import FrameModelConfig, LoopConfig, ModelFunction, TrainingConfig
from training.errors import TrainingError

SECTIONS: Mapping[str, type[Any]] = {
    "model": FrameModelConfig,
    "training": TrainingConfig,
    "loop": LoopConfig,
}

DERIVED = {"model": ("n_mels", "hop_length", "n_fft", "sample_rate", "seed")}
"""What is no setting of a section: it follows from the dataset, or from another section."""

FUNCTION = "function"
"""The setting of a model that makes it a `ModelFunction`."""

Given = Mapping[str, Mapping[str, Any]]
"""Some settings, by section and name."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a run is started with, beside its dataset."""

    model: FrameModelConfig | ModelFunction = dataclasses.field(default_factory=FrameModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    loop: LoopConfig = dataclasses.field(default_factory=LoopConfig)

    def changed(self, given: Given) -> Settings:
        """These settings with those `given`. Raises `TrainingError` for impossible values."""
        return Settings(
            model=_changed_model(self.model, given.get("model", {})),
            training=dataclasses.replace(self.training, **given.get("training", {})),
            loop=dataclasses.replace(self.loop, **given.get("loop", {})),
        )


def names_of(section: str) -> list[str]:
    """The names of the settings of a section."""
    names = [field.name for field in dataclasses.fields(SECTIONS[section])]
    names = [name for name in names if name not in DERIVED.get(section, ())]
    return [*names, FUNCTION] if section == "model" else names


def check(section: str, name: str, value: Any) -> None:
    """Raises `TrainingError` where a setting cannot have this value."""
    kind = ModelFunction if name == FUNCTION else SECTIONS[section]
    kind(**{name: value})


def _changed_model(
    model: FrameModelConfig | ModelFunction, given: Mapping[str, Any]
) -> FrameModelConfig | ModelFunction:
    if not given:
        return model
    chosen = ModelFunction(given[FUNCTION]) if FUNCTION in given else model
    if isinstance(chosen, FrameModelConfig):
        return dataclasses.replace(chosen, **given)
    if FUNCTION not in given and "recurrent" in given:
        return FrameModelConfig(**given)
    if others := [name for name in given if name != FUNCTION]:
        raise TrainingError(
            f"{chosen.function} makes its own layers, so {', '.join(others)} cannot be set; leave "
            "it out, or choose another model"
        )
    return chosen
