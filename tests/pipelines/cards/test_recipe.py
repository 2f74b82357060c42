"""The command that a card shows makes the configuration that the dataset has."""

import dataclasses
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cards.recipe import SETTINGS_FILE, command, settings
from pipelines.cli import PROGRAM
from pipelines.preprocess_command import feature_config
from schemas import PRESETS, Dataset, FeatureConfig
from schemas.names import FEATURE_NAMES, FORMATS

CONFIGS = st.builds(
    dataclasses.replace,
    st.sampled_from([*PRESETS.values(), FeatureConfig(n_mels=40), FeatureConfig(fmin=20.5)]),
    features=st.lists(st.sampled_from(FEATURE_NAMES), min_size=1, unique=True).map(tuple),
    tail=st.sampled_from(["pad", "drop"]),
    dtype=st.sampled_from(["float32", "float16"]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipe")


@given(
    config=CONFIGS,
    formats=st.permutations(FORMATS) | st.sampled_from([(each,) for each in FORMATS]),
    seed=st.integers(-(2**63), 2**63 - 1),
)
def test_the_command_has_the_settings_of_the_dataset(
    config: FeatureConfig,
    formats: tuple[str, ...],
    seed: int,
    folder: Path,
    small_dataset: Path,
) -> None:
    manifest = dataclasses.replace(
        Dataset(small_dataset).manifest, config=config, formats=tuple(formats), seed=seed
    )
    words = shlex.split(command(manifest))
    assert words.pop(0) == "duet"
    text = settings(config)
    assert (text is None) == (SETTINGS_FILE not in words)
    if text is not None:
        (folder / SETTINGS_FILE).write_text(text)
        words[words.index(SETTINGS_FILE)] = str(folder / SETTINGS_FILE)
    read, options = PROGRAM.read(words)
    assert read.name == "preprocess"
    assert feature_config(options) == config
    assert options.seed == seed
    chosen = FORMATS if options.format == "both" else (options.format,)
    assert set(chosen) == set(formats)
