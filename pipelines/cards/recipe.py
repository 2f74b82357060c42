"""The command that makes the windows of a dataset, as far as the dataset knows it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

from schemas import PRESETS, FeatureConfig, Manifest
from schemas.names import FORMATS

SETTINGS_FILE = "settings.json"
"""What the command calls a file of settings that no preset has."""


def command(manifest: Manifest) -> str:
    """The command line, with `INPUT` for the input and `DATASET` for the output."""
    formats = manifest.formats
    return " ".join(
        [
            "duet preprocess --input INPUT --output DATASET",
            f"--format {'both' if set(formats) == set(FORMATS) else formats[0]}",
            *_settings(manifest.config),
            f"--seed {manifest.seed}",
        ]
    )


def settings(config: FeatureConfig) -> str | None:
    """The text of `SETTINGS_FILE`, where the command needs one."""
    if _preset(config) is not None:
        return None
    return json.dumps(config.to_dict(), indent=1, sort_keys=True)


def _settings(config: FeatureConfig) -> Iterator[str]:
    preset = _preset(config)
    if preset is None:
        yield f"--config {SETTINGS_FILE}"
        return
    yield f"--preset {preset}"
    if config.features != PRESETS[preset].features:
        yield f"--features {','.join(config.features)}"
    if config.tail != PRESETS[preset].tail:
        yield f"--tail {config.tail}"


def _preset(config: FeatureConfig) -> str | None:
    """The preset that differs from a configuration in nothing that has an option of its own."""
    for name, preset in PRESETS.items():
        if dataclasses.replace(preset, features=config.features, tail=config.tail) == config:
            return name
    return None
