"""Windows, made as a run makes them, against the same recordings treated whole."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray

from pipelines.errors import PipelineError
from schemas import PRESETS, FeatureConfig, Storage
from schemas.tables import LABELS, labels_file, table_from_bytes
from tests.support.reference import (
    check_window,
    degenerate_notes,
    read_notes,
    whole_recording,
    whole_rolls,
    window_starts,
)
from tests.support.without_beam import cut_windows, plan_recordings

RATES = (48_000, 44_100, 32_000, 22_050)
LONGEST_SECONDS = 3
MOST_WINDOWS = 12

SIGNALS: dict[str, Callable[[Generator, NDArray[np.float64]], NDArray[np.float64]]] = {
    "noise": lambda rng, time: rng.uniform(-0.9, 0.9, time.size),
    "chord": lambda rng, time: np.sum([0.2 * tone(rng, time) for _ in range(4)], axis=0),
    "dithered tone": lambda rng, time: 0.5 * tone(rng, time) + dither(rng, time),
    "click": lambda rng, time: 1.0 * (np.arange(time.size) == rng.integers(time.size)),
    "silence": lambda rng, time: 0.0 * time,
    "near-silence": lambda rng, time: dither(rng, time),
    "louder than full scale": lambda rng, time: rng.uniform(-5, 5, time.size),
}


def tone(rng: Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Low enough to be kept at every rate.

    Where nothing is left of a sound but what is 100 dB below it, even the resampler's own
    rounding changes with the range that it is given.
    """
    return np.sin(2 * np.pi * rng.uniform(30, 7_000) * time)


def dither(rng: Generator, time: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1e-5 * rng.standard_normal(time.size)


@dataclasses.dataclass(frozen=True)
class Recording:
    """One recording to write; `rate` in Hz, `samples` at that rate."""

    rate: int
    samples: int
    channels: int = 1
    subtype: str = "PCM_16"
    signal: str = "silence"
    seed: int = 0

    def write(self, path: Path) -> None:
        rng = np.random.default_rng(self.seed)
        time = np.arange(self.samples) / self.rate
        channels = [SIGNALS[self.signal](rng, time) for _ in range(self.channels)]
        soundfile.write(path, np.stack(channels, axis=1), self.rate, subtype=self.subtype)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An input folder for one recording after another."""
    root = tmp_path_factory.mktemp("exact")
    for name in ("test_data", "test_labels"):
        (root / name).mkdir()
    return root


@st.composite
def spectra(draw: st.DrawFn) -> FeatureConfig:
    rate = draw(st.sampled_from([16_000, 22_050, 44_100]))
    n_fft = 2 * draw(st.integers(16, 128) | st.integers(16, 1_024))
    return FeatureConfig(
        sample_rate=rate,
        n_fft=n_fft,
        win_length=draw(st.integers(1, n_fft)),
        hop_length=draw(st.integers(16, 1_500)),
        n_mels=draw(st.integers(1, 128)),
        fmin=draw(st.sampled_from([0.0, 50.0])),
        fmax=draw(st.sampled_from([rate / 3, rate / 2])),
        amin=draw(st.sampled_from([1e-10, 3e-8])),
    )


@st.composite
def windowed(draw: st.DrawFn, config: FeatureConfig) -> FeatureConfig:
    """`config` with other windows."""
    window_frames = draw(st.just(config.window_frames) | st.integers(1, 64))
    return dataclasses.replace(
        config,
        window_frames=window_frames,
        stride_frames=draw(st.just(window_frames) | st.integers(1, window_frames)),
        tail=draw(st.sampled_from(["pad", "drop"])),
        dtype=draw(st.sampled_from(["float32", "float16"])),
    )


@st.composite
def lengths(draw: st.DrawFn, rate: int, config: FeatureConfig) -> int:
    """Samples at `rate`, often as many as fill frames or windows exactly, or one more or less."""
    hop = config.hop_length
    last_start = (MOST_WINDOWS - 1) * config.stride_frames
    most = min(LONGEST_SECONDS * config.sample_rate, (last_start + config.window_frames) * hop)
    units = [1, hop, hop * config.stride_frames, hop * config.window_frames, config.n_fft // 2]
    unit = draw(st.sampled_from([unit for unit in units if unit <= most]))
    resampled = unit * draw(st.integers(1, most // unit)) + draw(st.integers(-1, 1))
    return max(1, resampled * rate // config.sample_rate)


@pytest.mark.filterwarnings("ignore:n_fft=", "ignore:Empty filters", "ignore:.*mel bins")
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("base", [*PRESETS, "drawn"])
def test_windows_are_slices_of_the_whole_recording(base: str, rate: int, root: Path) -> None:
    @settings(max_examples=50, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        chosen = data.draw(spectra()) if base == "drawn" else PRESETS[base]
        chosen = dataclasses.replace(chosen, features=("log_mel", "waveform"))
        config = data.draw(windowed(chosen))
        recording = Recording(
            rate,
            samples=data.draw(lengths(rate, config)),
            channels=data.draw(st.integers(1, 2)),
            subtype=data.draw(st.sampled_from(["FLOAT", "PCM_16", "PCM_24"])),
            signal=data.draw(st.sampled_from(list(SIGNALS))),
            seed=data.draw(st.integers(0, 99)),
        )
        recording.write(root / "test_data/1.wav")
        whole = whole_recording(root / "test_data/1.wav", None, config)
        starts = window_starts(len(whole.power), config)
        if not starts:
            with pytest.raises(PipelineError, match="no recording fills a window"):
                plan_recordings(root, root / "out", config)
            return
        plan = plan_recordings(root, root / "out", config)
        windows = cut_windows(plan, root, root / "out")
        assert sorted(window.first_frame for window in windows) == starts
        for window in windows:
            check_window(window, whole, config)

    check()


@st.composite
def label_rows(draw: st.DrawFn, seconds: float, config: FeatureConfig) -> list[list[object]]:
    """Rows of a label file in any order, with times before, at and after centers of frames."""
    last = round(seconds * 44_100)
    frame = st.integers(0, int(seconds * config.frames_per_second) + 2)
    near_center = st.builds(
        lambda frame, beside: frame * config.hop_length * 44_100 // config.sample_rate + beside,
        frame,
        st.integers(-1, 1),
    )
    time = near_center | st.integers(-2_000, last + 2_000)
    row = st.builds(
        lambda start, end, pitch, beats: [start, end, 1, pitch, *beats, "Quarter"],
        time,
        time,
        st.sampled_from([-1, 0, 60, 127, 128]) | st.integers(0, 127),
        st.tuples(*2 * [st.floats(0, 1e6)]),
    )
    return draw(st.lists(row, max_size=12))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), rate=st.sampled_from(RATES))
def test_notes_are_those_of_the_label_file(data: st.DataObject, rate: int, root: Path) -> None:
    config = FeatureConfig(
        sample_rate=data.draw(st.sampled_from([16_000, 22_050, 44_100])),
        fmax=8_000,
        hop_length=data.draw(st.sampled_from([100, 441, 512])),
        features=("notes", "onsets"),
    )
    config = data.draw(windowed(config))
    recording = Recording(rate, samples=data.draw(lengths(rate, config)))
    recording.write(root / "test_data/1.wav")
    rows = data.draw(label_rows(recording.samples / rate, config))
    labels = root / "test_labels/1.csv"
    with labels.open("w", newline="") as file:
        csv.writer(file).writerows([LABELS.names, *rows])

    frames = config.frame_count(config.resampled_length(recording.samples, rate))
    if not window_starts(frames, config):
        return
    plan = plan_recordings(root, root / "out", config)
    notes = read_notes(labels)
    piano_rolls = whole_rolls(notes, frames, config)
    assert plan.recordings["degenerate_notes"].to_pylist() == [degenerate_notes(notes)]
    for window in cut_windows(plan, root, root / "out"):
        inside = slice(window.first_frame, window.first_frame + window.valid_frames)
        for name, array in window.features.items():
            np.testing.assert_array_equal(array[: window.valid_frames], piano_rolls[name][inside])
            assert not array[window.valid_frames :].any()
    kept = Storage(root / "out").read_bytes(labels_file("1"))
    kept_rows = table_from_bytes(kept, LABELS, where="1").to_pylist()
    assert [list(row.values()) for row in kept_rows] == rows
