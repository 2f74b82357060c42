"""A Beam pipeline of one's own, from the transforms that `duet preprocess` is made of.

    python examples/own_pipeline.py musicnet piano-dataset levels

Of MusicNet's recordings it keeps those of a solo piano, and writes a dataset of them, and the mean
level of each of their windows as a line of a CSV file, levels-00000-of-00001.csv. What follows the
three arguments goes to Beam: `--runner FlinkRunner`, for example.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import MakeWindows, PlanOptions, ReadRecordings, RunConfig, Source, WriteShards
from schemas import FeatureConfig, Window

FEATURES = FeatureConfig(features=("log_mel",))


def is_for_piano(recording: Source) -> bool:
    return recording.metadata.get("ensemble") == "Solo Piano"


def level_line(window: Window) -> str:
    """The recording, the first frame, and the mean over frames and mel bins, in dB."""
    levels = window.features["log_mel"][: window.valid_frames]
    return f"{window.recording_id},{window.first_frame},{levels.mean():.2f}"


def run(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", help="a folder or URL")
    parser.add_argument("dataset", help="the folder or URL to create")
    parser.add_argument("levels", help="the beginning of the CSV file's name")
    own, rest = parser.parse_known_args(arguments)
    plan = PlanOptions(features=FEATURES)
    config = RunConfig(input_root=own.recordings, output=own.dataset, plan=plan)
    with beam.Pipeline(options=PipelineOptions(rest)) as pipeline:
        listed = pipeline | ReadRecordings(own.recordings)
        chosen = listed.recordings | beam.Filter(is_for_piano)
        _ = chosen | WriteShards(config, listed.rejects)
        made = chosen | MakeWindows(own.recordings, FEATURES)
        lines = made.windows | beam.Map(level_line)
        _ = lines | beam.io.WriteToText(own.levels, ".csv", num_shards=1, header="id,frame,level")


if __name__ == "__main__":
    run()
