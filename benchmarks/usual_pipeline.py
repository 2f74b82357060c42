"""The peer: one Beam element per file, `librosa.load`, window, librosa's mel, `WriteToTFRecord`."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import librosa
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from schemas import FeatureConfig, Window
from schemas.codecs.tfrecord import example_bytes

CONFIG = FeatureConfig(features=("log_mel",))


def windows(path: str) -> Iterator[bytes]:
    samples, _ = librosa.load(path, sr=CONFIG.sample_rate)
    hops = CONFIG.window_frames * CONFIG.hop_length
    for start in range(0, len(samples), hops):
        window = np.pad(samples[start : start + hops], (0, max(0, start + hops - len(samples))))
        power = librosa.feature.melspectrogram(y=window, sr=CONFIG.sample_rate)
        levels = librosa.power_to_db(power, top_db=None)[:, : CONFIG.window_frames]
        features = {"log_mel": np.ascontiguousarray(levels.T)}
        yield example_bytes(Window(Path(path).stem, start, CONFIG.window_frames, features))


def main(root: str, output: str, mode: str, workers: str) -> None:
    logging.disable(logging.WARNING)
    paths = sorted(str(path) for path in Path(root).glob("*_data/*.wav"))
    options = [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
    with beam.Pipeline("FnApiRunner", options=PipelineOptions(options)) as pipeline:
        _ = (
            pipeline
            | beam.Create(paths)
            | beam.Reshuffle()
            | beam.FlatMap(windows)
            | beam.io.WriteToTFRecord(f"{output}/part", num_shards=4)
        )
    print(json.dumps({"recordings": len(paths)}))


if __name__ == "__main__":
    # Where workers are processes, they import this module under its own name.
    from benchmarks import usual_pipeline

    usual_pipeline.main(*sys.argv[1:])
