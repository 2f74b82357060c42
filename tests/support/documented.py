"""What documents assume: `musicnet`, a `dataset` of it, a `run`, a score, and `songs`."""

from __future__ import annotations

from pathlib import Path

from tests.support.songs import write_songs
from tests.support.tiny_musicnet import Tiny, write_tiny_musicnet

RECORDINGS = (
    Tiny("1727", work="A", seconds=2.5),
    Tiny("1728", work="B", seconds=2.0, rate=48_000),
    Tiny("1729", work="C", seconds=2.2, channels=2),
    Tiny("1730", work="D", seconds=2.0, subtype="PCM_16"),
    Tiny("1733", work="E", seconds=2.1),
    Tiny("2303", group="test", work="A", seconds=2.4),
    Tiny("2382", group="test", work="F", seconds=2.0),
)


def make_documented(root: Path) -> Path:
    """Makes all of it, small, with the default features; returns `root`."""
    from pipelines import PlanOptions, PreprocessOptions, preprocess
    from schemas import PRESETS
    from training.config import FrameModelConfig, LoopConfig, TrainingConfig
    from training.midi import Note, write_midi
    from training.train import train

    (root / "fugue.mid").write_bytes(write_midi([Note(0.0, 0.5, 60), Note(0.25, 1.0, 67)]))
    write_songs(root / "songs", seconds=12)
    recordings = write_tiny_musicnet(root / "musicnet", RECORDINGS)
    plan = PlanOptions(features=PRESETS["librosa"])
    preprocess(
        PreprocessOptions(
            input_root=str(recordings),
            output=str(root / "dataset"),
            plan=plan,
            formats=("tfrecord", "hdf5"),
        )
    )
    model, training = FrameModelConfig(units=(8,)), TrainingConfig(batch_size=4)
    train(str(root / "dataset"), str(root / "run"), model, training, LoopConfig(steps=2))
    return root
