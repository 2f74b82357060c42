"""`duet COMMAND`: the commands of both halves. Each works where its own half is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import musicnet_duet.own_schemas  # noqa: F401 - before anything imports schemas
from musicnet_duet.command import Program
from musicnet_duet.process import run_process
from musicnet_duet.report_command import REPORT
from pipelines.cli import COMMANDS as PIPELINES
from training.cli import COMMANDS as TRAINING

PROGRAM = Program(
    "duet",
    "Turn MusicNet recordings into a dataset of mel spectrograms, train recurrent models on it, "
    "and generate music.",
    (*PIPELINES, *TRAINING, REPORT),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status; see `Program.main`."""
    return PROGRAM.main(arguments)


def run() -> NoReturn:
    """The console script."""
    run_process(main)
