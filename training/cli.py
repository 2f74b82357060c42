"""`python -m training COMMAND`. TensorFlow is imported when a command runs, not before."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import DuetError
from schemas.shards import SPLITS
from training.config import KINDS, LoopConfig, ModelConfig, TrainingConfig
from training.runs import is_run, read_run

_LOOP = LoopConfig()
_MODEL = ModelConfig()
_TRAINING = TrainingConfig()
_MEMORY_MB = _LOOP.memory_bytes // 2**20

INTERRUPTED = 130
"""The exit status of a process that was asked to stop, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when it did what was asked, 1 when not, 2 for a wrong command line."""
    options = build_parser().parse_args(arguments)
    try:
        if not options.debug:
            _import_tensorflow_quietly()
        return options.run(options)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except (DuetError, OSError) as error:
        if options.debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Train recurrent models on mel spectrograms, score them, and generate music.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run)
        added.add_argument("--json", action="store_true", help="print the result as JSON")
        added.add_argument("--debug", action="store_true", help="show the traceback of an error")
        added.add_argument(
            "--memory-mb",
            type=int,
            default=_MEMORY_MB,
            metavar="MB",
            help=f"budget for everything that readers hold ({_MEMORY_MB})",
        )
        return added

    _add_train_options(command("train", _train, "Train a model of a dataset, or go on with it."))
    _add_generate_options(command("generate", _generate, "Make music: WAV, PNG and JSON."))

    evaluate = command("evaluate", _evaluate, "Bits per dimension of a model and of two baselines.")
    evaluate.add_argument("--run", dest="run_dir", required=True, metavar="RUN")
    evaluate.add_argument("--data", required=True, metavar="DATASET")
    evaluate.add_argument("--split", choices=SPLITS, default="test", help="whose windows (test)")

    compare = command("compare", _compare, "Is a recording like the training data, or a copy?")
    compare.add_argument("--run", dest="run_dir", required=True, metavar="RUN")
    compare.add_argument("--data", required=True, metavar="DATASET")
    compare.add_argument("--audio", required=True, metavar="X.wav")
    return parser


def _add_train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="DATASET")
    parser.add_argument("--run-dir", required=True, metavar="RUN", help="the folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument(
        "--steps",
        type=int,
        default=_LOOP.steps,
        help=f"number of the last step, resumed or not ({_LOOP.steps})",
    )
    parser.add_argument(
        "--validation-interval",
        type=int,
        default=_LOOP.validation_interval,
        metavar="STEPS",
        help=f"steps between validations, each with a checkpoint ({_LOOP.validation_interval})",
    )
    # What follows belongs to the run: no defaults here, so that a resumed run keeps its own.
    parser.add_argument("--model", dest="kind", choices=KINDS, help=f"layers ({_MODEL.kind})")
    parser.add_argument(
        "--units", type=int, nargs="+", help=f"of each layer ({' '.join(map(str, _MODEL.units))})"
    )
    parser.add_argument(
        "--mixtures", type=int, help=f"logistics in the mixture of a bin ({_MODEL.mixtures})"
    )
    parser.add_argument(
        "--batch-size", type=int, help=f"windows in a batch ({_TRAINING.batch_size})"
    )
    parser.add_argument("--learning-rate", type=float, help=f"({_TRAINING.learning_rate})")
    parser.add_argument(
        "--input-noise-db",
        type=float,
        metavar="DB",
        help="errors in what is heard in training, from which the model learns to find back "
        f"({_TRAINING.input_noise_db:g}; 0 for none)",
    )
    parser.add_argument("--seed", type=int, help=f"of weights, order and errors ({_TRAINING.seed})")


def _add_generate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", dest="run_dir", required=True, metavar="RUN")
    parser.add_argument("--output", type=Path, required=True, metavar="X.wav")
    parser.add_argument("--seconds", type=float, default=10.0, help="(10)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (0)")
    parser.add_argument(
        "--temperature", type=float, default=1.0, help="below 1: nearer to what is likeliest (1)"
    )
    parser.add_argument("--data", metavar="DATASET", help="where the recording of --prime is")
    parser.add_argument("--prime", metavar="RECORDING", help="id of a recording to begin after")


def _train(options: argparse.Namespace) -> int:
    model, training = _MODEL, _TRAINING
    if options.resume and is_run(options.run_dir):
        run = read_run(options.run_dir)
        model, training = run.model, run.training
    loop = LoopConfig(
        steps=options.steps,
        validation_interval=options.validation_interval,
        memory_bytes=options.memory_mb * 2**20,
    )
    model, training = _changed(model, options), _changed(training, options)
    from training.train import train

    result = train(options.data, options.run_dir, model, training, loop, resume=options.resume)
    if options.json:
        print(json.dumps(dataclasses.asdict(result)))
    else:
        print(f"{result.run_dir}: {result.step} steps, {result.frames_per_second:.0f} frames/s")
        if result.best_step is not None:
            print(
                f"best on validation: {result.best_validation_bits:.3f} bits/dim "
                f"at step {result.best_step}"
            )
        _print_damage(result.damaged_windows)
    if not result.interrupted:
        return 0
    print(
        f"stopped at step {result.step}, all is saved; go on with: python -m training train "
        f"--data {options.data} --run-dir {options.run_dir} --steps {options.steps} --resume",
        file=sys.stderr,
    )
    return INTERRUPTED


def _generate(options: argparse.Namespace) -> int:
    from training.generate import GenerationOptions, generate

    request = GenerationOptions(
        seconds=options.seconds,
        output=options.output,
        seed=options.seed,
        temperature=options.temperature,
        data=options.data,
        prime=options.prime,
        memory_bytes=options.memory_mb * 2**20,
    )
    provenance = generate(options.run_dir, request)
    if options.json:
        print(json.dumps(provenance))
    else:
        print(
            f"{options.output}: {request.seconds:g} s from step {provenance['step']}, "
            f"{provenance['rms_db']:.1f} dB RMS, spectral centroid "
            f"{provenance['centroid_hz']:.0f} Hz; picture and provenance beside it"
        )
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from training.evaluate import SCORERS, evaluate

    result = evaluate(
        options.run_dir, options.data, options.split, memory_bytes=options.memory_mb * 2**20
    )
    if options.json:
        print(json.dumps(dataclasses.asdict(result)))
        return 0
    print(f"bits per dimension, {result.split} split, {result.frames} frames, lower is better")
    rows = [(score.recording_id, score.frames, score.bits) for score in result.recordings]
    width = max(len(name) for name, _, _ in [*rows, ("recording", 0, {})])
    print(f"{'recording':{width}} {'frames':>8} " + " ".join(f"{name:>14}" for name in SCORERS))
    for name, frames, bits in [*rows, ("all", result.frames, result.bits)]:
        figures = " ".join(f"{bits[scorer]:14.3f}" for scorer in SCORERS)
        print(f"{name:{width}} {frames:8d} {figures}")
    for name, (mean, error) in result.paired.items():
        margin = "" if error is None else f" +- {error:.3f}"
        print(f"{name} - model, mean over recordings: {mean:.3f}{margin}")
    print(
        f"{result.sharing_a_work} of {len(rows)} recordings share a work with training recordings"
    )
    _print_damage(result.damaged_windows)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from training.compare import compare

    result = compare(
        options.run_dir, options.data, options.audio, memory_bytes=options.memory_mb * 2**20
    )
    if options.json:
        print(json.dumps(dataclasses.asdict(result)))
        return 0
    for name, (value, low, high) in result.summary.items():
        within = "yes" if result.within_training_range[name] else "no"
        print(
            f"{name}: {value:.1f}, training windows {low:.1f} to {high:.1f}; within them: {within}"
        )
    print("distance to the nearest training second, 1 - correlation (least, median):")
    print(f"  {result.audio}: {result.nearest[0]:.3f}, {result.nearest[1]:.3f}")
    print(f"  test split: {result.test_nearest[0]:.3f}, {result.test_nearest[1]:.3f}")
    print(f"copy: {'yes' if result.copy else 'no'}")
    return 0


def _import_tensorflow_quietly() -> None:
    """Imports it, and looks for devices, while what its C++ says of them is not shown."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    shown = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        import tensorflow as tf

        tf.config.list_logical_devices()
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nothing)


def _changed(config: Any, options: argparse.Namespace) -> Any:
    """The configuration with those of its fields that were given on the command line."""
    names = [field.name for field in dataclasses.fields(config)]
    given = {name: getattr(options, name, None) for name in names}
    return dataclasses.replace(
        config, **{name: value for name, value in given.items() if value is not None}
    )


def _print_damage(damaged: Sequence[str]) -> None:
    if damaged:
        print(f"{len(damaged)} damaged windows were left out, the first: {damaged[0]}")
