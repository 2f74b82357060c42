"""The commands that train a composer, score it, and compose: their options and what they print."""

from __future__ import annotations

import argparse
from pathlib import Path

from musicnet_duet.arguments import (
    count,
    natural,
    number_between,
    path,
    seed_31_bits,
)
from musicnet_duet.command import CommandParser, Outcome
from training.shared_options import (
    OTHER_DATASET,
    add_data,
    add_output,
    add_run,
    add_split,
    damage_lines,
    memory_bytes,
)


def add_train_composer_options(parser: CommandParser) -> None:
    add_data(parser)
    add_run(parser)
    parser.add_path(
        "--midi",
        type=path,
        metavar="FOLDER",
        help="a folder of MIDI files to train on beside the dataset",
    )
    parser.add_argument("--steps", type=count, help="the steps of training (default: 300)")
    parser.add_argument("--units", type=count, help="the units of the GRU layer (default: 128)")
    parser.add_argument(
        "--seed",
        type=seed_31_bits,
        default=0,
        help="the seed for everything random (default: 0)",
    )


def run_train_composer(options: argparse.Namespace) -> Outcome:
    from training.composing.config import ComposerConfig, ComposerTraining
    from training.composing.train import train_composer

    network = {} if options.units is None else {"units": options.units}
    steps = {} if options.steps is None else {"steps": options.steps}
    training = ComposerTraining(seed=options.seed, memory_bytes=memory_bytes(options), **steps)
    result = train_composer(
        options.data, options.run_dir, ComposerConfig(**network), training, midi=options.midi
    )
    validation = "no validation split"
    if result.validation_bits is not None:
        validation = f"{result.validation_bits:.3f} bits per frame in validation"
    midi = f" and {result.midi_windows} of MIDI files" if result.midi_windows else ""
    lines = [
        f"{result.run_dir}: {result.steps} steps in {result.seconds:.0f} s on {result.windows} "
        f"windows{midi}, {validation}",
        *damage_lines(result.damaged_count, result.damaged_windows),
    ]
    return Outcome(result, "\n".join(lines))


def add_evaluate_composer_options(parser: CommandParser) -> None:
    add_run(parser)
    add_data(parser)
    add_split(parser)


def run_evaluate_composer(options: argparse.Namespace) -> Outcome:
    from training.composing.evaluate import evaluate_composer
    from training.composing.reports import evaluation_lines

    result = evaluate_composer(
        options.run_dir, options.data, options.split, memory_bytes=memory_bytes(options)
    )
    lines = [
        *evaluation_lines(result),
        *([] if result.same_dataset else [OTHER_DATASET]),
        *damage_lines(result.damaged_count, result.damaged_windows),
    ]
    return Outcome(result, "\n".join(lines))


def add_compose_options(parser: CommandParser) -> None:
    add_run(parser)
    add_output(parser, ".mid", "MIDI")
    parser.add_argument(
        "--seconds",
        type=number_between(0, 3_600, above=True),
        default=20.0,
        help="the length of the piece, at most an hour (default: 20)",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, help="the seed for everything random (default: 0)"
    )
    parser.add_argument(
        "--temperature",
        type=number_between(0, 10, above=True),
        default=1.0,
        help="the sampling temperature; below 1, notes change less (default: 1)",
    )


def run_compose(options: argparse.Namespace) -> Outcome:
    from training.composing.pieces import PieceOptions, compose_piece

    request = PieceOptions(
        seconds=options.seconds,
        output=Path(options.output),
        seed=options.seed,
        temperature=options.temperature,
        overwrite=options.overwrite,
    )
    provenance = compose_piece(options.run_dir, request)
    text = (
        f"{options.output}: {provenance.notes} notes in {request.seconds:g} s, "
        f"{provenance.measures['polyphony']:.1f} at once on average; a picture and the provenance "
        "are beside it"
    )
    return Outcome(provenance, text)
