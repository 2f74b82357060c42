"""The commands that make and check datasets. What they need is imported when they run."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from musicnet_duet.arguments import (
    UsageError,
    count,
    integer,
    number_between,
    one_of,
    path,
    path_ending_in,
    positions,
    positive_megabytes,
    some_of,
)
from musicnet_duet.command import Command, CommandParser, Outcome, Program
from musicnet_duet.concurrency import available_cores
from pipelines.engine import LOCAL_RUNNER
from pipelines.planning import TEST_SPLITS, WORKS
from schemas.names import (
    DEFAULT_FEATURES,
    FEATURE_NAMES,
    FORMATS,
    NOTE_FEATURES,
    PRESET_NAMES,
    SPLITS,
)

if TYPE_CHECKING:
    from schemas import FeatureConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status; see `Program.main`."""
    return PROGRAM.main(arguments)


def build_parser() -> CommandParser:
    return PROGRAM.parser()


@dataclasses.dataclass(frozen=True)
class RejectList:
    """What was rejected: rows of `tables.REJECTS`."""

    rejects: list[dict[str, Any]]


def _add_demo_options(parser: CommandParser) -> None:
    parser.add_path("out", type=path, metavar="OUT", help="the folder to create")


def _add_preprocess_options(parser: CommandParser) -> None:
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


def _add_download_options(parser: CommandParser) -> None:
    parser.add_path(
        "--output", type=path, required=True, metavar="ROOT", help="the folder for the files"
    )


def _add_unpack_options(parser: CommandParser) -> None:
    parser.add_path(
        "source", type=path, metavar="FILE", help="a .tar.gz, .zip, .h5 or .npz file of MusicNet"
    )
    parser.add_path(
        "--output", type=path, required=True, metavar="ROOT", help="the folder to create"
    )


def _add_verify_options(parser: CommandParser) -> None:
    parser.add_path("dataset", type=path, metavar="DATASET", help="the dataset to check")


def _add_card_options(parser: CommandParser) -> None:
    parser.add_path("dataset", type=path, metavar="DATASET", help="the dataset to describe")


def _add_inspect_options(parser: CommandParser) -> None:
    parser.add_path("dataset", type=path, metavar="DATASET", help="the dataset to summarize")
    parser.add_path(
        "--plot", type=path_ending_in(".png"), metavar="FILE.png", help="plot windows to this file"
    )
    parser.add_argument(
        "--split",
        type=one_of(SPLITS),
        choices=SPLITS,
        default="train",
        help="the split to plot windows of (default: train)",
    )
    parser.add_argument(
        "--windows",
        type=positions,
        metavar="POSITIONS",
        default=(0, 1),
        help="the positions of the windows to plot, from 0, separated by commas (default: 0,1)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the plot if its file exists"
    )


def _add_rejects_options(parser: CommandParser) -> None:
    parser.add_path(
        "output", type=path, metavar="OUT", help="a dataset, or the --output of a preprocess run"
    )
    parser.add_argument("--replay", metavar="ID", help="the recording to try again")
    parser.add_path(
        "--input", type=path, metavar="ROOT", help="the folder or URL that holds that recording"
    )


def _check_rejects(options: argparse.Namespace) -> None:
    if options.input is not None and options.replay is None:
        raise UsageError("--input only goes with --replay: it holds the recording to try again")


def _demo_data(options: argparse.Namespace) -> Outcome:
    from pipelines.demo.data import write_demo_data

    summary = write_demo_data(options.out)
    lines = [f"{name}: {value}" for name, value in dataclasses.asdict(summary).items()]
    return Outcome(summary, "\n".join(lines))


def _download(options: argparse.Namespace) -> Outcome:
    from pipelines.forms.download import download

    result = download(options.output)
    text = (
        f"{result.output}: {', '.join(result.files)}; {result.bytes / 1e6:,.1f} MB, "
        f"{result.kept} of {len(result.files)} were there already"
    )
    return Outcome(result, text)


def _unpack(options: argparse.Namespace) -> Outcome:
    from pipelines.forms.unpacking import unpack

    result = unpack(options.source, options.output)
    text = f"{result.output}: {result.files:,} files, {result.bytes / 1e6:,.1f} MB"
    return Outcome(result, text + (f", {result.kept} of them as before" if result.kept else ""))


def _preprocess(options: argparse.Namespace) -> Outcome:
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
            f"{rate:,.0f} times real time; {result.shards_reused} shards were ready"
        )
        lines += effort_lines(result.metrics)
    return Outcome(result, "\n".join(lines), note=note)


def _usable_features(options: argparse.Namespace) -> tuple[FeatureConfig, str]:
    """The features to make, and what is to be said of those that cannot be made."""
    from pipelines.recordings.listing import without_labels

    config = _feature_config(options)
    chosen = options.features is not None or options.config is not None
    if chosen or not without_labels(options.input):
        return config, ""
    usable = tuple(name for name in config.features if name not in NOTE_FEATURES)
    note = (
        f"{options.input}: no recording has labels, so that notes and onsets are not made; labels "
        "are a MIDI file, or a table in MusicNet's form, of the recording's name beside it"
    )
    return dataclasses.replace(config, features=usable), note


def _feature_config(options: argparse.Namespace) -> FeatureConfig:
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


def _after_interrupt(options: argparse.Namespace) -> str:
    waited = "" if options.runner == LOCAL_RUNNER else "; cancel the job where it runs"
    resumes = "" if options.overwrite else "; the same command goes on where it stopped"
    return waited + resumes


def _rejects(options: argparse.Namespace) -> Outcome:
    from pipelines.errors import PipelineError
    from pipelines.writing.replay import read_rejects, rejects_text, replay, replay_text

    found = read_rejects(options.output)
    if options.replay is None:
        rows = [row for each in found for row in each.rejects.to_pylist()]
        text = "\n".join(rejects_text(each, options.output) for each in found)
        return Outcome(RejectList(rows), text)
    input_root = options.input or found[-1].input_root
    if input_root is None:
        raise PipelineError(
            f"{options.output}: a dataset does not record where its recordings were, so "
            "--replay needs --input ROOT"
        )
    result = replay(options.replay, input_root, found[-1].features)
    return Outcome(result, replay_text(result), status=1 if result.rejects else 0)


def _verify(options: argparse.Namespace) -> Outcome:
    from pipelines.verification.verify import verify

    result = verify(options.dataset)
    lines = [*map(str, result.defects), result.summary()]
    return Outcome(result, "\n".join(lines), status=1 if result.defects else 0)


def _card(options: argparse.Namespace) -> Outcome:
    from pipelines.cards.add import add_cards

    result = add_cards(options.dataset)
    text = f"{result.dataset}: {', '.join(result.files) or 'no file'} for other tools"
    note = "".join(
        f"{name}: was left as it is, because it is not the dataset's own; to have the "
        f"dataset's, remove it and run duet card again\n"
        for name in result.kept
    )
    return Outcome(result, text, note=note.rstrip())


def _inspect(options: argparse.Namespace) -> Outcome:
    from pipelines.summary import summarize, summary_text
    from schemas import Dataset

    dataset = Dataset(options.dataset)
    summary = summarize(dataset)
    result = dataclasses.asdict(summary)
    text = summary_text(summary)
    if options.plot:
        from pipelines.plots import draw_windows

        draw_windows(
            dataset,
            split=options.split,
            positions=options.windows,
            path=options.plot,
            overwrite=options.overwrite,
        )
        result["plot"] = options.plot
        text += f"\nplot: {options.plot}"
    return Outcome(result, text)


def _command(
    name: str,
    text: str,
    add_options: Callable[[CommandParser], None],
    run: Callable[[argparse.Namespace], Outcome],
    **more: Any,
) -> Command:
    return Command(
        name=name, text=text, extra="pipelines", add_options=add_options, run=run, **more
    )


COMMANDS = (
    _command(
        "demo-data",
        "Render scores of the music21 corpus as recordings in MusicNet's layout.",
        _add_demo_options,
        _demo_data,
    ),
    _command(
        "download",
        "Download MusicNet from its publisher; a download that was stopped is gone on with.",
        _add_download_options,
        _download,
    ),
    _command(
        "unpack",
        "Unpack a published form of MusicNet: an archive, musicnet.h5 or musicnet.npz.",
        _add_unpack_options,
        _unpack,
    ),
    _command(
        "preprocess",
        "Make a dataset from MusicNet, or from any recordings. Options for Beam follow after '--'.",
        _add_preprocess_options,
        _preprocess,
        advice=_after_interrupt,
        after_dashes="Beam",
    ),
    _command(
        "verify",
        "Check every digest, checksum, count and schema of a dataset.",
        _add_verify_options,
        _verify,
    ),
    _command(
        "card",
        "Write the files with which the tools of others open a dataset, as preprocess does.",
        _add_card_options,
        _card,
    ),
    _command(
        "inspect",
        "Summarize a dataset, and plot some of its windows.",
        _add_inspect_options,
        _inspect,
    ),
    _command(
        "rejects",
        "List what a run rejected, or try one recording again.",
        _add_rejects_options,
        _rejects,
        check=_check_rejects,
    ),
)

PROGRAM = Program(
    "python -m pipelines",
    "Turn MusicNet recordings into windows of mel spectrogram, waveform and notes, "
    "in TFRecord and HDF5 shards.",
    COMMANDS,
)
