from __future__ import annotations

import io
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from musicnet_duet.plots import RANGE_DB, Sound, colorize, draw, envelope, frequency_ticks
from schemas import PRESETS
from tests.support.dataset_factory import CONFIG

SCRIPT = """
import numpy as np
from musicnet_duet.plots import Sound, draw
from tests.support.dataset_factory import CONFIG
rng = np.random.default_rng(0)
sound = Sound(
    title="x",
    log_mel=rng.normal(-40, 20, (70, CONFIG.n_mels)),
    samples=rng.uniform(-0.5, 0.5, 70 * CONFIG.hop_length),
    notes=np.eye(70, 128),
    onsets=np.eye(70, 128),
)
picture = draw([sound], CONFIG)
"""


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    """What `SCRIPT` makes in this process: a `sound` and its `picture`."""
    made: dict[str, Any] = {}
    exec(SCRIPT, made)
    return made


def test_low_bins_are_at_the_bottom_and_loud_ones_are_bright() -> None:
    log_mel = np.full((5, 3), -100.0)
    log_mel[2, 0] = 0
    image = colorize(log_mel, 0.0)
    assert image.shape == (3, 5, 3)
    assert image.dtype == np.uint8
    brightness = image.astype(int).sum(axis=-1)
    assert np.unravel_index(brightness.argmax(), brightness.shape) == (2, 2)


def test_levels_beyond_the_range_have_its_colors() -> None:
    log_mel = np.array([[-RANGE_DB, -RANGE_DB - 50, 0, 50]])
    image = colorize(log_mel, 0.0)
    np.testing.assert_array_equal(image[3], image[2])
    np.testing.assert_array_equal(image[1], image[0])


@pytest.mark.parametrize("samples", [1, 7, 1_000, 1_001])
def test_an_envelope_holds_every_sample(samples: int) -> None:
    signal = np.random.default_rng(0).normal(size=samples)
    low, high = envelope(signal, 10)
    assert len(low) == len(high) == min(10, samples)
    assert (low.min(), high.max()) == (signal.min(), signal.max())


def test_ticks_are_powers_of_two_that_have_room() -> None:
    assert frequency_ticks(PRESETS["librosa"]) == [128, 256, 512, 1_024, 2_048, 4_096, 8_192]
    assert frequency_ticks(CONFIG)[-1] == 1_024
    assert frequency_ticks(PRESETS["melnet"]) == frequency_ticks(PRESETS["librosa"])


def test_a_sound_may_have_levels_alone(drawn: dict[str, Any]) -> None:
    bare = Sound(title="x", log_mel=drawn["sound"].log_mel)
    pixels = matplotlib.image.imread(io.BytesIO(draw([bare, drawn["sound"]], CONFIG)))
    assert pixels.shape[1] > 1_000


def test_both_panels_have_the_same_time_axis() -> None:
    """A frame that alone is loud lies below the sample at its center, which alone is not zero."""
    samples = np.zeros(70 * CONFIG.hop_length)
    samples[35 * CONFIG.hop_length] = 1
    log_mel = np.full((70, CONFIG.n_mels), -100.0)
    log_mel[35] = 0
    sound = Sound(title="", log_mel=log_mel, samples=samples)
    pixels = matplotlib.image.imread(io.BytesIO(draw([sound], CONFIG)))
    height, width = pixels.shape[:2]
    within_axes = slice(round(0.2 * width), round(0.85 * width))
    loud = np.flatnonzero(pixels[height // 2, within_axes, 0] > 0.9)
    impulse = pixels[round(0.09 * height), within_axes, 0].argmin()
    assert 5 < len(loud) < 25
    assert abs(impulse - loud.mean()) <= 2


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "nonsense", "tkagg", ""]
)
def test_the_environment_changes_nothing(
    drawn: dict[str, Any], backend: str, tmp_path: Path
) -> None:
    settings = "font.size: 30\naxes.facecolor: red\nsavefig.dpi: 20\nimage.cmap: gray\n"
    (tmp_path / "matplotlibrc").write_text(settings)
    run = subprocess.run(
        [sys.executable, "-c", f"{SCRIPT}import sys; sys.stdout.buffer.write(picture)"],
        env={**os.environ, "MATPLOTLIBRC": str(tmp_path), "MPLBACKEND": backend},
        capture_output=True,
    )
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout == drawn["picture"]


def test_drawing_leaves_settings_as_they_are(drawn: dict[str, Any]) -> None:
    with matplotlib.rc_context({"font.size": 17}):
        before = dict(matplotlib.rcParams)
        draw([drawn["sound"]], CONFIG)
        assert dict(matplotlib.rcParams) == before


def test_the_backend_of_the_environment_is_there_for_pyplot() -> None:
    code = (
        "import os; from musicnet_duet.ambient import import_matplotlib as load; load(); load();"
        "import matplotlib; print(matplotlib.rcParams['backend'], os.environ['MPLBACKEND'])"
    )
    for name in ("svg", "nonsense"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "MPLBACKEND": name},
            capture_output=True,
            text=True,
        )
        assert run.stdout.split()[-1] == name, run.stderr
        assert (run.stdout.split()[0] == "svg") == (name == "svg")


def test_memory_does_not_grow_with_the_frames_that_no_pixel_shows() -> None:
    config, peaks = PRESETS["librosa"], []
    for frames in (4_800, 48_000):
        log_mel = np.zeros((frames, config.n_mels), np.float32)
        draw([Sound(title="first", log_mel=log_mel[:10])], config)
        tracemalloc.start()
        draw([Sound(title="long", log_mel=log_mel)], config)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
