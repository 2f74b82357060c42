"""The command `preprocess`: its options, and its run. What it needs is imported when it runs."""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import TYPE_CHECKING

from musicnet_duet.arguments import (
    count,
    integer,
    number_between,
    one_of,
    path,
    positive_megabytes,
    some_of,
)
from musicnet_duet.command import CommandParser, Outcome
from musicnet_duet.concurrency import available_cores
from pipelines.engine import LOCAL_RUNNER
from pipelines.planning import TEST_SPLITS, WORKS
from schemas.names import (
    DEFAULT_FEATURES,
    FEATURE_NAMES,
    FORMATS,
    NOTE_FEATURES,
    PRESET_NAMES,
)

if TYPE_CHECKING:
    from schemas import FeatureConfig


def add_preprocess_options(parser: CommandParser) -> None:
    parser.add_path(
        "--input",
        type=path,
        required=True,
        metavar="ROOT",
        help="the folder or URL of MusicNet, or of any recordings",
    )
    parser.add_path(
        "--output", type=path, required=True, metavar="OUT", help="the dataset to create"
    )
    formats = [*FORMATS, "both"]
    parser.add_argument(
        "--format",
        type=one_of(formats),
        choices=formats,
        default="tfrecord",
        help="the file format of the shards (default: tfrecord)",
    )
    parser.add_one_of(
        (
            "--preset",
            {
                "type": one_of(PRESET_NAMES),
                "choices": PRESET_NAMES,
                "default": "librosa",
                "help": "the feature settings (default: librosa)",
            },
        ),
        (
            "--config",
            {"type": path, "metavar": "FEATURES.json", "help": "your own feature settings"},
        ),
    )
    parser.add_argument(
        "--features",
        type=some_of(FEATURE_NAMES),
        metavar="NAMES",
        help=f"the features to store, separated by commas (default: {','.join(DEFAULT_FEATURES)}; "
        "without notes and onsets where no recording has labels)",
    )
    parser.add_argument(
        "--shard-mb",
        type=positive_megabytes,
        metavar="MB",
        help="the approximate size of a shard in megabytes of 1,000,000 bytes "
        "(default: 64; 8 to 64 for datasets below 2 GB)",
    )
    parser.add_argument(
        "--seed",
        type=integer,
        default=0,
        help="the seed for the splits and the order of the windows (default: 0)",
    )
    cores = available_cores()
    parser.add_argument(
        "--workers",
        type=count,
        default=cores,
        metavar="N",
        help="the number of workers on this machine; with more than one, each is a process "
        f"(default: one per core, here {cores})",
    )
    parser.add_argument(
        "--max-rejects",
        type=number_between(0, 1),
        metavar="SHARE",
        help="the share of recordings that may be rejected before the run fails "
        "(default: 0.01, or 3 recordings if that is more)",
    )
    parser.add_argument(
        "--tail",
        type=one_of(["pad", "drop"]),
        choices=["pad", "drop"],
        help="what to do with a recording's last, incomplete window (default: pad)",
    )
    parser.add_one_of(
        (
            "--test-split",
            {
                "type": one_of(TEST_SPLITS),
                "choices": TEST_SPLITS,
                "default": TEST_SPLITS[0],
                "help": "the test split: MusicNet's own test recordings, or those and all other "
                "recordings of the same works (default: musicnet); drawn by seed elsewhere",
            },
        ),
        (
            "--splits",
            {
                "type": path,
                "metavar": "FILE.csv",
                "help": "your own split for each recording, in the columns id and split",
            },
        ),
    )
    parser.add_argument(
        "--works",
        type=one_of(WORKS),
        choices=WORKS,
        default=WORKS[0],
        help="what tells works apart, whose recordings are all in one split: the metadata, or the "
        "folders in which they lie, such as albums (default: metadata)",
    )
    parser.add_argument(
        "--runner", default=LOCAL_RUNNER, help=f"the Beam runner (default: {LOCAL_RUNNER})"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be made, and write nothing"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what is in OUT, starting from scratch"
    )
    parser.add_path(
        "--reuse",
        type=path,
        metavar="DATASET",
        help="an earlier dataset of these features, whose windows are copied where recordings did "
        "not change; OUT has the bytes of a run without it",
    )


def run_preprocess(options: argparse.Namespace) -> Outcome:
    from pipelines.planning.plan import PlanOptions
    from pipelines.planning.splits import read_splits
    from pipelines.preprocessing import PreprocessOptions, dry_run, preprocess
    from pipelines.results import JobFile, PreprocessResult
    from pipelines.summary import effort_lines, outcome_lines, splits_table

    features, note = _usable_features(options)
    plan = PlanOptions(
        features=features,
        seed=options.seed,
        shard_megabytes=options.shard_mb,
        max_rejects=options.max_rejects,
        test_split=options.test_split,
        works=options.works,
        splits=None if options.splits is None else read_splits(options.splits),
    )
    asked = PreprocessOptions(
        input_root=options.input,
        output=options.output,
        plan=plan,
        formats=FORMATS if options.format == "both" else (options.format,),
        workers=options.workers,
        overwrite=options.overwrite,
        reuse=options.reuse,
        runner=options.runner,
        beam_arguments=options.after_dashes,
    )
    result = dry_run(asked) if options.dry_run else preprocess(asked)
    if isinstance(result, JobFile):
        return Outcome(result, f"the job file is written; its job will make {result.output}")
    lines = [splits_table(result.splits)]
    formats = " and ".join(result.formats)
    lines.append(f"{result.bytes / 1e6:,.1f} MB as {formats} in {result.output}")
    lines += outcome_lines(result)
    if isinstance(result, PreprocessResult):
        rate = result.audio_seconds / result.wall_seconds
        lines.append(
            f"{result.audio_seconds:,.0f} s of audio in {result.wall_seconds:.1f} s, "
            f"{rate:,.0f} times real time; {result.shards_kept} shards were ready"
        )
        lines += effort_lines(result.metrics)
    return Outcome(result, "\n".join(lines), note=note)


def _usable_features(options: argparse.Namespace) -> tuple[FeatureConfig, str]:
    """The features to make, and what is to be said of those that cannot be made."""
    from pipelines.recordings.listing import without_labels

    config = feature_config(options)
    chosen = options.features is not None or options.config is not None
    if chosen or not without_labels(options.input):
        return config, ""
    usable = tuple(name for name in config.features if name not in NOTE_FEATURES)
    note = (
        f"{options.input}: no recording has labels, so that notes and onsets are not made; labels "
        "are a MIDI file, or a table in MusicNet's form, of the recording's name beside it"
    )
    return dataclasses.replace(config, features=usable), note


def feature_config(options: argparse.Namespace) -> FeatureConfig:
    from schemas import PRESETS, FeatureConfig, Storage

    config = PRESETS[options.preset]
    if options.config is not None:
        folder, name = os.path.split(options.config)
        text = Storage(folder or ".").read_bytes(name)
        config = FeatureConfig.from_json(text, where=options.config)
    if options.features is not None:
        config = dataclasses.replace(config, features=options.features)
    if options.tail:
        config = dataclasses.replace(config, tail=options.tail)
    return config


def after_interrupt(options: argparse.Namespace) -> str:
    waited = "" if options.runner == LOCAL_RUNNER else "; cancel the job where it runs"
    resumes = "" if options.overwrite else "; the same command goes on where it stopped"
    return waited + resumes
