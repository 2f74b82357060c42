"""On the demo's music: what is not music is found out, and music is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from pipelines.planning.plan import PlanOptions
from pipelines.preprocessing import PreprocessOptions, preprocess
from schemas import Dataset, FeatureConfig
from training import open_dataset
from training.measures.controls import controls
from training.measures.copies import copy_rule, music_distances, patch_distances, resynthesized
from training.measures.discrepancy import discrepancies, median_bandwidth, patch_embeddings
from training.measures.reference import Reference, make_reference
from training.measures.table import measures
from training.measures.transcriber import Transcriber, average_precision
from training.measures.transcriber_training import train_transcriber

CONTROLS = (
    "stationary noise",
    "shuffled frames",
    "time-blurred",
    "20 dB softer",
    "drone",
    "drone with noise",
)


@dataclasses.dataclass(frozen=True)
class Example:
    """The valid frames of one window."""

    recording_id: str
    log_mel: np.ndarray
    notes: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Music:
    """The demo's windows by split, and what was made of those of training and validation."""

    config: FeatureConfig
    windows: Mapping[str, list[Example]]
    transcriber: Transcriber
    reference: Reference
    controls: Mapping[str, list[np.ndarray]]
    mean_db: np.ndarray

    def whole(self, *splits: str) -> list[Example]:
        return [
            each
            for split in splits
            for each in self.windows[split]
            if len(each.notes) == self.config.window_frames
        ]


@pytest.fixture(scope="session")
def music(demo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Music:
    folder = tmp_path_factory.mktemp("music") / "dataset"
    features = FeatureConfig(features=("log_mel", "notes"))
    plan = PlanOptions(features=features)
    preprocess(
        PreprocessOptions(
            input_root=str(demo_root), output=str(folder), plan=plan, formats=("hdf5",)
        )
    )
    dataset = Dataset(folder)
    windows = {}
    for split in ("train", "validation", "test"):
        reader = open_dataset(folder, split, features=("log_mel", "notes"), batch_size=1)
        windows[split] = [
            Example(
                str(batch["recording_id"][0]),
                batch["log_mel"][0, : batch["valid_frames"][0]],
                batch["notes"][0, : batch["valid_frames"][0]],
            )
            for batch in reader.in_order()
        ]
    transcriber = train_transcriber(
        [(each.log_mel, each.notes) for each in windows["train"]], features
    )
    statistics = dataset.manifest.statistics
    assert statistics is not None
    test = [each for each in windows["test"] if len(each.notes) == features.window_frames]
    found: dict[str, list[dict[str, float]]] = {}
    for each in windows["train"] + windows["validation"]:
        if len(each.notes) == features.window_frames:
            found.setdefault(each.recording_id, []).append(measures(each.log_mel, transcriber))
    reference = make_reference(found)
    assert reference is not None
    return Music(
        config=features,
        windows=windows,
        transcriber=transcriber,
        reference=reference,
        controls=controls(
            [each.log_mel for each in test], features, statistics.mean, statistics.std
        ),
        mean_db=statistics.mean,
    )


def test_the_transcriber_hears_notes_of_music_that_it_was_not_taught(music: Music) -> None:
    test = music.windows["test"]
    notes = np.concatenate([each.notes for each in test])
    taught = np.concatenate([each.notes for each in music.windows["train"]])
    heard = np.concatenate([music.transcriber.note_probabilities(each.log_mel) for each in test])
    marginal = average_precision(notes, np.tile(taught.mean(axis=0), (len(notes), 1)))
    assert notes.mean() < marginal < 0.2
    assert average_precision(notes, heard) > 0.6


def test_held_out_music_is_like_music(music: Music) -> None:
    """5 % of 12 windows are to fail; more than 3 would, for independent windows, once in 400.

    The windows of the three recordings are not independent, so the limit is not a sharp one.
    """
    verdicts = [
        music.reference.verdict(measures(each.log_mel, music.transcriber))
        for each in music.whole("test")
    ]
    assert len(verdicts) == 12
    assert sum(each.unlike for each in verdicts) <= 3
    outside = np.mean([len(each.outside) / len(music.reference.intervals) for each in verdicts])
    assert outside < 0.2


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_unlike_music(music: Music, name: str) -> None:
    verdicts = [
        music.reference.verdict(measures(each, music.transcriber)) for each in music.controls[name]
    ]
    assert all(each.outside for each in verdicts)
    assert all(each.unlike for each in verdicts)


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("stationary noise", "joint_rises"),
        ("stationary noise", "speckle_db"),
        ("shuffled frames", "onsets_per_second"),
        ("time-blurred", "flux_p95_db"),
        ("20 dB softer", "level_db"),
        ("drone", "level_sd_db"),
        ("drone with noise", "pitch_class_bits"),
        ("drone with noise", "speckle_db"),
    ],
)
def test_a_control_is_outside_in_the_measure_that_is_for_it(
    music: Music, name: str, measure: str
) -> None:
    interval = music.reference.intervals[measure]
    values = [measures(each, music.transcriber)[measure] for each in music.controls[name]]
    assert np.mean([not interval.contains(value) for value in values]) >= 0.9


def test_controls_and_not_held_out_music_exceed_real_versus_real(music: Music) -> None:
    real: dict[str, list[np.ndarray]] = {}
    for each in music.whole("train", "validation"):
        patches = patch_embeddings(each.log_mel, music.transcriber)
        real.setdefault(each.recording_id, []).append(patches)
    bandwidth = median_bandwidth(np.concatenate([w for ws in real.values() for w in ws]))
    limit = np.percentile(discrepancies(None, real, count=12, bandwidth=bandwidth), 95)

    def median(windows: list[np.ndarray]) -> float:
        embedded = [patch_embeddings(each, music.transcriber) for each in windows]
        values = discrepancies(embedded, real, count=12, bandwidth=bandwidth)
        return float(np.median(values))

    assert median([each.log_mel for each in music.whole("test")]) < limit
    # A gain changes no embedding.
    for name in set(CONTROLS) - {"20 dB softer"}:
        assert median(music.controls[name]) > limit, name


def test_copies_are_copies_and_held_out_music_is_not(music: Music) -> None:
    recordings: dict[str, list[np.ndarray]] = {}
    for windows in music.windows.values():
        for each in windows:
            recordings.setdefault(each.recording_id, []).append(each.log_mel)
    training = sorted({each.recording_id for each in music.windows["train"]})
    every = [each.log_mel for each in music.windows["train"]]
    rng = np.random.default_rng(0)

    def copied(source: Example) -> np.ndarray:
        again = resynthesized(
            source.log_mel[100:200],
            music.config,
            delay_samples=int(rng.integers(10 * music.config.hop_length)),
            gain_db=rng.uniform(-30, 10),
        )
        return patch_distances([again], every, music.mean_db, music.config)

    whole = music.whole("train")
    taught = {name: recordings[name] for name in training}
    distances = music_distances(taught, training, music.mean_db, music.config)
    rule = copy_rule(distances, [copied(each) for each in whole[:12:3]])
    assert rule is not None
    assert rule.nearest_music > 4 * rule.farthest_copy
    for each in whole[1:12:3]:
        assert (copied(each) < rule.threshold).all()
    held_out = sorted(set(recordings) - set(training))
    assert len(held_out) == 5
    for name in held_out:
        found = patch_distances(recordings[name], every, music.mean_db, music.config)
        assert not rule.is_copy(found), name
