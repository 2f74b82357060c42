"""The command of ablations: its options, and what it prints."""

from __future__ import annotations

import argparse

from musicnet_duet.arguments import count, local_path
from musicnet_duet.command import CommandParser, Outcome
from training.ablation.config import AblationConfig
from training.shared_options import add_data, memory_bytes

_DEFAULT = AblationConfig()


def add_ablation_options(parser: CommandParser) -> None:
    add_data(parser)
    parser.add_path(
        "--out", type=local_path, required=True, metavar="DIR", help="the folder to fill"
    )
    parser.add_argument(
        "--steps",
        type=count,
        default=_DEFAULT.steps,
        help=f"the steps of each model (default: {_DEFAULT.steps})",
    )
    parser.add_argument(
        "--units",
        type=count,
        default=_DEFAULT.units,
        help=f"the units of each model's layer (default: {_DEFAULT.units})",
    )
    parser.add_argument(
        "--seeds",
        type=count,
        default=_DEFAULT.seeds,
        help=f"how many models of each condition (default: {_DEFAULT.seeds})",
    )


def run_ablation(options: argparse.Namespace) -> Outcome:
    from training.ablation.run import ablate
    from training.ablation.table import table

    config = AblationConfig(
        steps=options.steps,
        units=options.units,
        seeds=options.seeds,
        memory_bytes=memory_bytes(options),
    )
    result = ablate(options.data, options.out, config)
    lines = [
        table(result.conditions),
        "",
        result.sentence,
        f"{options.out}: the table, a figure, and all runs, in {result.seconds:.0f} s",
    ]
    return Outcome(result, "\n".join(lines))
