"""What several commands of training share: options, and lines of their results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from musicnet_duet.arguments import count, local_path, one_of, path, path_ending_in
from musicnet_duet.command import CommandParser
from schemas.names import SPLITS
from training.config import CHECKPOINTS_BY_NAME, DEFAULT_CHECKPOINT, DEFAULT_MEMORY_BYTES

MEGABYTE = 1_000_000


def add_run(parser: CommandParser, *aliases: str, text: str = "the folder of the run") -> None:
    parser.add_path(
        "--run", *aliases, dest="run_dir", type=local_path, required=True, metavar="RUN", help=text
    )


def add_data(parser: CommandParser) -> None:
    parser.add_path("--data", type=path, required=True, metavar="DATASET", help="the dataset")


def add_split(parser: CommandParser) -> None:
    parser.add_argument(
        "--split",
        type=one_of(SPLITS),
        choices=SPLITS,
        default="test",
        help="the split to score (default: test)",
    )


def add_output(parser: CommandParser, ending: str, what: str) -> None:
    """The file to write, `what` it is, and the two that are written beside it."""
    parser.add_path(
        "--output",
        type=path_ending_in(ending),
        required=True,
        metavar=f"X{ending}",
        help=f"the {what} file to write; X.png and X.json are written beside it",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the three files if they exist"
    )


def add_checkpoint(parser: CommandParser) -> None:
    parser.add_argument(
        "--checkpoint",
        type=_checkpoint,
        default=DEFAULT_CHECKPOINT,
        metavar="WHICH",
        help="last, best on the validation split, or the number of a step (default: "
        f"{DEFAULT_CHECKPOINT})",
    )


def _checkpoint(text: str) -> str | int:
    """`last`, `best`, or the number of a step."""
    if text in CHECKPOINTS_BY_NAME:
        return text
    try:
        return count(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither last nor best nor a step") from None


def add_memory(parser: CommandParser) -> None:
    parser.add_argument(
        "--memory-mb",
        type=count,
        metavar="MB",
        help="the memory budget for reading the dataset, in megabytes of 1,000,000 bytes "
        f"(default: {DEFAULT_MEMORY_BYTES // MEGABYTE})",
    )


def memory_bytes(options: argparse.Namespace) -> int:
    """The budget that was given, or the default one."""
    if options.memory_mb is None:
        return DEFAULT_MEMORY_BYTES
    return int(options.memory_mb) * MEGABYTE


OTHER_DATASET = (
    "the model was trained on another dataset, which may have had these recordings in its training "
    "split: the figures may be too good; give --data the dataset that it was trained on"
)
"""What to know of figures on another dataset than the one that a model was trained on."""


def damage_lines(count: int, damaged: Sequence[str]) -> list[str]:
    if not count:
        return []
    return [f"{count:,} damaged windows were left out, the first: {damaged[0]}"]
