from pathlib import Path

import librosa
import matplotlib.image
import numpy as np
import pytest

from pipelines.plots import draw_windows, mel_bin
from schemas import PRESETS, Dataset, DatasetError


def test_windows_become_a_picture(tiny_dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "windows.png"
    draw_windows(Dataset(tiny_dataset), split="train", places=[0, 3], path=str(path))
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[1] > 1_000
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 100


def test_a_window_that_is_not_there_is_named(tiny_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no window 999 in train, which has"):
        draw_windows(Dataset(tiny_dataset), split="train", places=[999], path="x.png")


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_frequencies_lie_on_the_bins_whose_filters_peak_there(preset: str) -> None:
    config = PRESETS[preset]
    centers = librosa.mel_frequencies(config.n_mels + 2, fmin=config.fmin, fmax=config.fmax)[1:-1]
    np.testing.assert_allclose(mel_bin(centers, config), np.arange(config.n_mels), atol=1e-6)
