"""The commands that make and check datasets. What they need is imported when they run."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from musicnet_duet.arguments import UsageError, one_of, path, path_ending_in, positions
from musicnet_duet.command import Command, CommandParser, Outcome, Program
from pipelines.preprocess_command import add_preprocess_options, after_interrupt, run_preprocess
from schemas.names import SPLITS


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
        add_preprocess_options,
        run_preprocess,
        advice=after_interrupt,
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
